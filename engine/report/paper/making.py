"""The page of a paper written: takes a paper's file and the results, gives the files of each form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import XpError
from engine.home.paths import Home
from engine.load.paper_file import load_paper, load_specs
from engine.report import make_chapter
from engine.report.document import Document
from engine.report.forms.writers import check_forms, write_document
from engine.report.paper.cover import make_cover
from engine.report.reading import read_page


def make_paper_report(
    results: Home | Snapshot, file: Path, formats: Sequence[str] = ("md", "html"), out_dir: Path | None = None
) -> list[Path]:
    """Write the page of the paper in `file`: its answers, then a chapter for each experiment that was submitted.

    It lies in `out_dir`, by default ./report/<file's stem>/. Raises SpecError for a paper that is wrong, XpError where
    none of its experiments was ever submitted.
    """
    check_forms(formats)
    loaded = load_paper(file)
    names = [spec.name for spec in load_specs(loaded)]
    with one_snapshot(results) as snapshot:
        known = {row["experiment"] for row in snapshot.ask("claims_experiments")}
        there = [name for name in names if name in known]
        if not there:
            what = f"none of the {len(names)} experiments of this paper is in the results"
            raise XpError(what, where=str(file), fix=f"submit them first: xp submit {file}")
        cover = make_cover(snapshot, loaded, names)
        chapters = [make_chapter(snapshot.home, read_page(snapshot, name), name) for name in there]
    document = Document(loaded.paper.title, chapters, front=cover.beside.tables, cover=cover)
    return write_document(document, formats, out_dir or Path("report") / loaded.name)
