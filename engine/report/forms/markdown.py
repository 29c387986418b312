"""A report in Markdown: takes a Document and a folder, gives report.md, its charts as .svg and its maps as .png."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.home.files import write_atomic
from engine.report.document import Chapter, Document
from engine.report.figures import INK, to_svg
from engine.report.forms.environment import markdown_environment
from engine.report.pictures import MapImage


def write_markdown(document: Document, folder: Path) -> Path:
    """Write report.md and the files it shows, which lie beside it or in a folder for each chapter."""
    for chapter in document.chapters:
        write_svgs(chapter, folder)
    files = [
        [[(one, _copy_map(chapter, one, folder)) for one in row] for row in chapter.maps.values()]
        for chapter in document.chapters
    ]
    chapters = list(zip(document.chapters, files, strict=True))
    text = markdown_environment().get_template("report.md.j2").render(document=document, chapters=chapters)
    write_atomic(folder / "report.md", text)
    return folder / "report.md"


def write_svgs(chapter: Chapter, folder: Path) -> None:
    """Write the charts. A page in Markdown may stand on white or on dark ground: a grey that is read on both."""
    (folder / chapter.place).mkdir(exist_ok=True)
    for chart in chapter.charts:
        write_atomic(
            folder / chapter.place / f"{chart.name}.svg", to_svg(chart.figure, chart.name).replace(INK, "#808080")
        )


def _copy_map(chapter: Chapter, one: MapImage, folder: Path) -> str:
    target = folder / chapter.place / "maps" / one.arm / one.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(one.path, target)
    return target.relative_to(folder).as_posix()
