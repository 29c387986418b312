"""Pages that users design: takes a folder of queries and templates, gives what they are, and the pages they make.

X.sql gives rows, X.md.j2, X.html.j2 and X.tex.j2 show them as X.md, X.html and X.tex. A template sees

    rows      the answer of X.sql, one mapping a row; none without one. $name and $names are values in SQL.
    queries   the rows of every query of the folder, by its name
    names     the experiments that are asked for, and name, the first
    chapters  one for each experiment: experiment, title, facts, holes, charts, and the tables of our own page by name

and nothing else: plain values, in a process that can open no file (sandbox).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.analysis.query import ask_file
from engine.analysis.snapshot import Snapshot
from engine.errors import XpError
from engine.home.files import write_atomic
from engine.report.document import Chapter, Document
from engine.report.forms.latex import chapter_tables
from engine.report.sandbox import fill
from engine.report.tables import Table

ENDINGS = {".md.j2": "md", ".html.j2": "html", ".tex.j2": "tex"}
LAID_OUT = "template"  # the folder that `xp init --template DIR` makes in DIR
MOST_FILES, MOST_BYTES = 200, 1 << 20


@dataclass(frozen=True)
class OwnTemplate:
    """The files of one name: its query, if it has one, its template by form, and its own line on what it shows."""

    name: str
    query: Path | None
    forms: Mapping[str, Path]
    about: str


@dataclass(frozen=True)
class OwnFolder:
    """A folder of templates; `texts` are all of its files that a template may include, by name."""

    root: Path
    templates: Sequence[OwnTemplate]
    queries: Mapping[str, Path]
    texts: Mapping[str, str]


def read_folder(given: Path) -> OwnFolder:
    """Return what lies in a folder of templates. Raises XpError for what is none, and for links that lead out of it.

    The folder that `xp init --template` was given is taken for the one that it laid out there.
    """
    root = _laid_out(given)
    files = {path.name: _checked(path, root) for path in _files_of(root)}
    texts = {name: _text(path) for name, path in files.items() if name.endswith(".j2")}
    queries = {name.removesuffix(".sql"): path for name, path in files.items() if name.endswith(".sql")}
    forms: dict[str, dict[str, Path]] = {}
    for name, path in files.items():
        ending = next((ending for ending in ENDINGS if name.endswith(ending)), None)
        if ending and not name.startswith("_"):  # what others include begins with _
            forms.setdefault(name.removesuffix(ending), {})[ENDINGS[ending]] = path
    if not forms:
        what = "no template is here: NAME.md.j2, NAME.html.j2 or NAME.tex.j2"
        raise XpError(what, where=str(given), fix=_way_to_one(given))
    made = [OwnTemplate(name, queries.get(name), own, _about(queries.get(name), own)) for name, own in forms.items()]
    return OwnFolder(root, made, queries, texts)


def _laid_out(given: Path) -> Path:
    """Return the folder below where only that has files of templates, else the given one."""
    below = given / LAID_OUT
    is_own = below.is_dir() and not below.is_symlink()  # a link may lead out of the folder
    return below if is_own and _suited(below) and not _suited(given) else given


def _way_to_one(given: Path) -> str:
    return f"xp init --template {shlex.quote(str(given))}"


def _suited(root: Path) -> list[Path]:
    """Return the files of a folder that are templates or queries by their names."""
    try:
        return sorted(path for path in root.iterdir() if path.suffix in (".sql", ".j2"))
    except OSError as error:
        what = f"this is no folder of templates that can be read: {error.strerror}"
        raise XpError(what, where=str(root), fix=_way_to_one(root)) from error


def _files_of(root: Path) -> list[Path]:
    found = _suited(root)
    if len(found) > MOST_FILES:
        raise XpError(f"more than {MOST_FILES} templates and queries", where=str(root), fix="name a folder of fewer")
    return found


def _checked(path: Path, root: Path) -> Path:
    if not path.resolve().is_relative_to(root.resolve()):
        raise XpError("this link leads out of the folder of templates", where=str(path), fix="copy the file into it")
    if not path.is_file():
        raise XpError("this is no plain file", where=str(path), fix="remove it")
    if path.stat().st_size > MOST_BYTES:
        raise XpError(f"this is larger than {MOST_BYTES >> 20} MB", where=str(path), fix="make it smaller")
    return path


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise XpError("this cannot be read as text", where=str(path), fix="write it in UTF-8") from error


def _about(query: Path | None, forms: Mapping[str, Path]) -> str:
    """Return the first comment of the query, else of a template."""
    text = _text(query) if query else ""
    template = _text(next(iter(forms.values())))
    told = re.match(r"\s*--+\s*(.*)", text) or re.match(r"\s*\{#-?(.*?)-?#\}", template, re.DOTALL)
    return " ".join(told[1].split()) if told else ""


def write_own(
    snapshot: Snapshot, folder: OwnFolder, document: Document, formats: Sequence[str], out: Path
) -> list[Path]:
    """Write each page of the folder in those of the forms that it has; return the pages.

    Raises XpError with the file and line of what is wrong in a query or a template.
    """
    names = [chapter.page.experiment for chapter in document.chapters]
    values = {"name": names[0], "names": names}
    answers = {name: [*map(_plain_row, ask_file(snapshot, path, values))] for name, path in folder.queries.items()}
    context = {**values, "queries": answers, "chapters": [_plain_chapter(one) for one in document.chapters]}
    return [
        _write_page(folder, one, form, {**context, "rows": answers.get(one.name, [])}, out)
        for one in folder.templates
        for form in formats
        if form in one.forms
    ]


def _write_page(folder: OwnFolder, one: OwnTemplate, form: str, context: Mapping[str, Any], out: Path) -> Path:
    made = fill(folder.texts, one.forms[form].name, form, context)
    if made.problem:
        place = folder.root / made.template
        raise XpError(made.problem, where=f"{place}:{made.line}" if made.line else str(place), fix=made.fix)
    path = out / f"{one.name}.{form}"
    write_atomic(path, made.text)
    return path


def check_formats(folder: OwnFolder, formats: Sequence[str] | None) -> list[str]:
    """Return the forms that are asked for, by default all that the folder has. Raises XpError where it has none."""
    known = sorted({form for one in folder.templates for form in one.forms}, key=list(ENDINGS.values()).index)
    kept = [form for form in known if formats is None or form in formats]
    if formats is not None and not kept:
        what = f"no template here is for {' or '.join(formats)}"
        raise XpError(what, where=str(folder.root), fix=f"it has {', '.join(known)}")
    return kept


def _plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: dates and the like are texts."""
    plain: dict[str, Any] = json.loads(json.dumps(row, default=str))
    return plain


def _plain_chapter(chapter: Chapter) -> dict[str, Any]:
    page = chapter.page
    charts = [
        {"name": one.name, "title": one.title, "note": one.note, "file": chapter.prefix + one.name}
        for one in chapter.charts
    ]
    tables = {one.name: _plain_table(one.table) for one in chapter_tables(page)}
    about = {"experiment": page.experiment, "title": page.title, "holes": list(page.holes), "charts": charts}
    return {**about, "facts": [list(one) for one in page.facts], "tables": tables, "runs": _plain_table(page.runs)}


def _plain_table(table: Table) -> dict[str, Any]:
    rows = [[asdict(cell) for cell in row] for row in table.rows]
    return {"title": table.title, "columns": list(table.columns), "rows": rows, "notes": list(table.notes)}


def about_lines(folder: OwnFolder | None) -> Iterator[str]:
    """Yield a line on each template: ours, and those of a folder."""
    rows = [(name, "md html tex", about) for name, about in OURS.items()]
    rows += [(one.name, " ".join(one.forms), one.about) for one in folder.templates] if folder else []
    wide = max(len(name) for name, _, _ in rows)
    yield from (f"{name:<{wide}}  {forms:<11}  {about}".rstrip() for name, forms, about in rows)


OURS = {"report": "tables, charts, claims, facts"}
