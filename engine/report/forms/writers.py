"""The forms by their names: takes a Document, the names of forms and a folder, gives the files that were written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from engine.errors import XpError, closest_hint
from engine.report.document import Document
from engine.report.forms.html import write_html
from engine.report.forms.latex import write_latex, write_pdfs
from engine.report.forms.markdown import write_markdown, write_svgs


def check_forms(formats: Sequence[str]) -> None:
    """Raise XpError for what is no form, before the store is asked."""
    for kind in formats:
        if kind not in WRITERS:
            raise XpError(f"there is no report format {kind!r}", fix=closest_hint(kind, WRITERS))


def write_document(document: Document, formats: Sequence[str], folder: Path) -> list[Path]:
    """Write a document in each of the forms and return the pages. Raises XpError for an unknown form or bad folder."""
    check_forms(formats)
    make_folder(folder)
    return [WRITERS[kind](document, folder) for kind in formats]


def write_charts(document: Document, formats: Sequence[str], folder: Path) -> None:
    """Write the charts alone, as the forms have them, for pages that others design."""
    for chapter in document.chapters:
        if "md" in formats or "html" in formats:
            write_svgs(chapter, folder)
        if "tex" in formats:
            write_pdfs(chapter, folder / chapter.place)


def make_folder(folder: Path) -> None:
    """Make a folder that takes files. Raises XpError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A folder that is there may take no file, whatever its mode says.
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        what = f"cannot make the folder of the report, or a file in it: {error.strerror}"
        raise XpError(what, where=str(folder), fix="choose another with -o") from error


WRITERS = {"md": write_markdown, "html": write_html, "tex": write_latex}
