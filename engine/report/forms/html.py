"""A report in HTML: takes a Document and a folder, gives report.html, one file that needs no other and no network."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from markupsafe import Markup, escape

from engine.home.files import write_atomic
from engine.report.charts.files import to_svg
from engine.report.charts.style import INK
from engine.report.document import Document
from engine.report.forms.environment import TEMPLATES, page_environment
from engine.report.pictures import Chart


def write_html(document: Document, folder: Path) -> Path:
    """Write report.html."""
    chapters = [
        (chapter, [(chart, Markup(_inline_svg(chart, chapter.place))) for chart in chapter.charts])
        for chapter in document.chapters
    ]
    style, script = (Markup((TEMPLATES / name).read_text()) for name in ("style.css", "report.js"))
    template = page_environment(is_html=True).get_template("report.html.j2")
    policy = _policy(f"\n{script}\n")
    text = template.render(document=document, chapters=chapters, style=style, script=script, policy=policy)
    write_atomic(folder / "report.html", text)
    return folder / "report.html"


def _policy(script: str) -> str:
    """Return the page's Content-Security-Policy: this one script alone, inline styles and pictures, and no address."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"


def _inline_svg(chart: Chart, place: str) -> str:
    """Return the drawing as part of a page; every id in it begins with the chapter's place and the chart's name."""
    prefix = f"{place}-{chart.name}-" if place else f"{chart.name}-"
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}", to_svg(chart.figure, chart.name))
    label = f'<svg role="img" aria-label="{escape(chart.title)}"'
    return text.replace(INK, "currentColor").replace("<svg", label, 1)
