"""A report in LaTeX: takes a Document and a folder, gives report.tex to be read with \\input, and document.tex.

    tables/NAME.tex   one table each, with its caption and notes
    NAME.pdf          one chart each
    report.tex        all of them, in the page's order
    document.tex      a whole document of them, with what was run, for pdflatex or lualatex

Chapters of several experiments have a folder each with these, and the report.tex above reads theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from engine.home.files import write_atomic
from engine.report.charts.files import to_pdf
from engine.report.document import Chapter, Document
from engine.report.forms.environment import page_environment
from engine.report.page import Page
from engine.report.pictures import Chart, printed_charts
from engine.report.tables import Table


@dataclass(frozen=True)
class NamedTable:
    """A table with its file's name and what its caption says it shows; `is_words`: its lines break."""

    name: str
    subject: str
    table: Table
    is_words: bool = False


def write_latex(document: Document, folder: Path) -> Path:
    """Write report.tex and all that it reads, and document.tex, which compiles from within the folder."""
    made = page_environment()
    front = list(_numbered("front", "", document.front, is_words=True))
    _write_tables(made, front, document.title, "document", folder / "tables")
    named = {chapter.page.experiment: list(chapter_tables(chapter.page)) for chapter in document.chapters}
    for chapter in document.chapters:
        _write_chapter(made, chapter, named[chapter.page.experiment], folder / chapter.place)
    for name in ("report", "document") if not document.is_single else ("document",):
        text = made.get_template(f"{name}.tex.j2").render(document=document, front=front)
        write_atomic(folder / f"{name}.tex", text)
    return folder / "report.tex"


def _write_chapter(made: Environment, chapter: Chapter, tables: list[NamedTable], folder: Path) -> None:
    charts = printed_charts(chapter.charts)
    write_pdfs(charts, folder)
    _write_tables(made, tables, chapter.page.title, chapter.page.experiment, folder / "tables")
    text = made.get_template("report_body.tex.j2").render(
        chapter=chapter, page=chapter.page, tables=tables, charts=charts
    )
    write_atomic(folder / "report.tex", text)


def write_pdfs(charts: Sequence[Chart], folder: Path) -> None:
    """Write charts for a column of print into a folder, which is made."""
    folder.mkdir(exist_ok=True)
    for chart in charts:
        write_atomic(folder / f"{chart.name}.pdf", to_pdf(chart.narrow))


def _write_tables(made: Environment, tables: list[NamedTable], title: str, experiment: str, folder: Path) -> None:
    template = made.get_template("report_table.tex.j2")
    for one in tables:
        folder.mkdir(parents=True, exist_ok=True)
        caption = ": ".join(text for text in (title, _subject(one)) if text)
        text = template.render(
            table=one.table, name=one.name, is_words=one.is_words, caption=caption, experiment=experiment
        )
        write_atomic(folder / f"{one.name}.tex", text)


def _subject(one: NamedTable) -> str:
    return ", ".join(text for text in (one.subject, one.table.title) if text)


def chapter_tables(page: Page) -> Iterator[NamedTable]:
    """Yield the tables of a page in its order, but for that of all runs, which no paper prints."""
    yield from _numbered("results", "results", page.results)
    if page.factors:
        tables = [*page.factors.squares, *page.factors.effects]
        yield from _numbered("factors", "what each factor does", tables)
    if page.compression:
        yield from _numbered("compression", "compression", page.compression.tables)
    if page.search:
        for at, table in enumerate(page.search.tables):
            yield NamedTable(f"search-{at + 1}", "search", table, is_words=table.words == len(table.columns))
    if page.claims:
        yield NamedTable("claims", "claims", page.claims, is_words=True)
    yield from _numbered("pointing", "where the networks look", page.pointing)
    if page.teachers:
        yield NamedTable("teachers", "how sure the teachers are", page.teachers.table)
    if page.teachers and page.teachers.students:
        yield NamedTable("students", "how near the students came to the teacher", page.teachers.students)
    if page.published:
        yield NamedTable("published", "against the published figures", page.published, is_words=True)
    if page.differences:
        yield NamedTable("differences", "what differs between the arms", page.differences, is_words=True)


def _numbered(name: str, subject: str, tables: Sequence[Table], *, is_words: bool = False) -> Iterator[NamedTable]:
    for at, table in enumerate(tables):
        yield NamedTable(f"{name}-{at + 1}", subject, table, is_words)
