"""A report in HTML: takes a Document and a folder, gives report.html, one file that needs no other and no network."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup, escape

from engine.home.files import write_atomic
from engine.report.document import Document
from engine.report.figures import INK, to_svg
from engine.report.forms.environment import TEMPLATES, make_environment
from engine.report.pictures import Chart


def write_html(document: Document, folder: Path) -> Path:
    """Write report.html."""
    chapters = [
        (chapter, [(chart, Markup(_inline_svg(chart, chapter.place))) for chart in chapter.charts])
        for chapter in document.chapters
    ]
    style = Markup((TEMPLATES / "style.css").read_text())
    template = make_environment(is_html=True).get_template("report.html.j2")
    write_atomic(folder / "report.html", template.render(document=document, chapters=chapters, style=style))
    return folder / "report.html"


def _inline_svg(chart: Chart, place: str) -> str:
    """Return the drawing as part of a page; every id in it begins with the chapter's place and the chart's name."""
    prefix = f"{place}-{chart.name}-" if place else f"{chart.name}-"
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}", to_svg(chart.figure, chart.name))
    label = f'<svg role="img" aria-label="{escape(chart.title)}"'
    return text.replace(INK, "currentColor").replace("<svg", label, 1)
