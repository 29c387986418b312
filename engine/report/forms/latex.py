"""A report in LaTeX: takes a Document and a folder, gives report.tex, to be read with \\input, and charts as .pdf."""

from __future__ import annotations

from pathlib import Path

from engine.home.files import write_atomic
from engine.report.document import Document
from engine.report.figures import to_pdf
from engine.report.forms.environment import make_environment


def write_latex(document: Document, folder: Path) -> Path:
    """Write report.tex and the charts it shows, which lie beside it or in a folder for each chapter."""
    for chapter in document.chapters:
        (folder / chapter.place).mkdir(exist_ok=True)
        for chart in chapter.charts:
            write_atomic(folder / chapter.place / f"{chart.name}.pdf", to_pdf(chart.figure))
    text = make_environment().get_template("report.tex.j2").render(document=document)
    write_atomic(folder / "report.tex", text)
    return folder / "report.tex"
