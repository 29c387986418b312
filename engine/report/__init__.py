"""The paper's tables and figures: takes an experiment's name, gives pages that hold every number and its source.

    sheet        the store's rows, by arm and point
    origins      where a number comes from
    number_text  numbers as text
    tables       the tables
    narrow       tables for one column of print
    published    the paper beside ours
    squares      arms that cross factors
    changes      what a change is worth
    verdicts     what the claims came to
    sentences    every sentence of a page
    pointing     whether maps lie on the objects
    maps         what maps are worth, and attention in numbers
    looks        maps of several networks on the same images
    reading_notes  how the results are to be read
    remedies     arms that differ in one remedy alone
    teachers     what is known of the teachers
    teacher_notes   marks and footnotes of their figures
    compression  what pruned, masked and quantised arms gave
    compression_speeds   what they save when they run
    searches     what was searched: trials, their cost, their space
    search_best  the best trial beside its neighbours and its fresh seeds
    search_text  trials as text
    front_chart  accuracy against latency
    charts       the charts
    step_chart   the parts of a training step
    images       the images in words
    imported     what runs of another tool logged
    page         what the report says
    reading      the store asked for a page
    pictures     charts drawn, attention maps found
    document     what every form is written from
    forms        Markdown, HTML, LaTeX
    paper        a paper's page: what it says, answered, and printed figures beside ours
    own_templates   pages that users design
    sandbox      where they are filled in
    sandbox_child   and the program that does it
    notebook     notebooks to go on by hand

A page is queries (store/queries/report_*.sql), these files, and a template (templates/report.*.j2).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import XpError
from engine.home.paths import Home
from engine.report.document import Chapter, Document
from engine.report.forms.writers import check_forms, make_folder, write_charts, write_document
from engine.report.own_templates import about_lines, check_formats, read_folder, write_own
from engine.report.page import Page, make_page
from engine.report.pictures import draw_charts, draw_map_charts, find_maps
from engine.report.reading import check_columns, read_page, read_rows

DEFAULT_FORMS = ("md", "html")
LONGEST_FOLDER = 100  # letters of the names of experiments in the folder that a report of several gets


def make_report(
    results: Home | Snapshot,
    names: str | Sequence[str],
    formats: Sequence[str] | None = None,
    out_dir: Path | None = None,
    allow_missing: bool = True,
    template: Path | None = None,
    columns: Sequence[str] | None = None,
) -> list[Path]:
    """Write the report of one experiment or several and return the pages, one for each of `formats` (md, html, tex).

    By default these are md and html; with `template`, a folder of a user's own pages (own_templates), all they have.

    All of it comes out of one snapshot: numbers, daggers, claims and charts are of the same runs. Several experiments
    give one page with a chapter for each, in the order of `names`; their charts lie in a folder for each.

    They lie in `out_dir`, by default ./report/<name>/, of several ./report/<first>+<second>/. Runs that are missing
    are named in the report; with `allow_missing` false they stop it. `columns` are the metrics of the tables of
    results, by default those of each spec. Raises XpError for an unknown experiment, format or metric.
    """
    named = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    check_forms(formats or ())
    check_columns(columns or ())
    own = read_folder(template) if template is not None else None
    folder = out_dir or Path("report") / _folder_name(named)
    with one_snapshot(results) as snapshot:
        pages = [read_page(snapshot, name, columns) for name in named]
        for page in pages if not allow_missing else ():
            _refuse_holes(page)
        document = _make_document(snapshot.home, pages)
        if own is None:
            return write_document(document, formats or DEFAULT_FORMS, folder)
        kept = check_formats(own, formats)
        make_folder(folder)
        write_charts(document, kept, folder)
        return write_own(snapshot, own, document, kept, folder)


def _make_document(home: Home, pages: Sequence[Page]) -> Document:
    if len(pages) == 1:
        return Document(pages[0].title, [make_chapter(home, pages[0])])
    named = [page.experiment for page in pages]
    return Document(f"Results of {', '.join(named)}", [make_chapter(home, page, page.experiment) for page in pages])


def make_chapter(home: Home, page: Page, place: str = "") -> Chapter:
    """Return a page with its charts and maps; `place` is the folder of its files below the document's."""
    return Chapter(page, [*draw_charts(page), *draw_map_charts(home, page)], find_maps(home, page), place)


def _folder_name(names: Sequence[str]) -> str:
    whole = "+".join(names)
    return whole if len(whole) <= LONGEST_FOLDER else f"{names[0]}+{len(names) - 1}"


def _refuse_holes(page: Page) -> None:
    if page.holes:
        raise XpError(
            f"the report would have {len(page.holes)} holes: {page.holes[0]}",
            where=page.experiment,
            fix="wait for the runs, or allow holes with --missing",
        )


def list_templates(folder: Path | None = None) -> list[str]:
    """Return a line on each template: ours, and those of a folder of a user's own. Raises XpError for a bad folder."""
    return list(about_lines(read_folder(folder) if folder is not None else None))


def list_missing(results: Home | Snapshot, name: str) -> list[str]:
    """Return a line for each thing that the report of an experiment has no numbers for. Raises XpError as above."""
    with one_snapshot(results) as snapshot:
        return list(make_page(name, read_rows(snapshot, name)).holes)
