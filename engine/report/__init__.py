"""The paper's tables and figures: takes an experiment's name, gives pages that hold every number and its source.

    sheet        the store's rows, by arm and point
    number_text  numbers as text
    tables       the tables
    narrow       tables for one column of print
    published    the paper beside ours
    squares      arms that cross factors
    changes      what a change is worth
    verdicts     what the claims came to
    sentences    every sentence of a page
    pointing     whether maps lie on the objects
    reading_notes  how the results are to be read
    remedies     arms that differ in one remedy alone
    teachers     what is known of the teachers
    teacher_notes   marks and footnotes of their figures
    compression  what pruned, masked and quantised arms gave
    compression_speeds   what they save when they run
    front_chart  accuracy against latency
    charts       the charts
    step_chart   the parts of a training step
    images       the images in words
    page         what the report says

A page is queries (store/queries/report_*.sql), these files, and a template (templates/report.*.j2).
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from engine.analysis.agreement import compare_untaught
from engine.analysis.claims import check_claims
from engine.analysis.compression import read_compression
from engine.analysis.factorial import read_factorials
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.analysis.trainings import read_trainings
from engine.core.distill.answers import ANSWERS_FILE
from engine.errors import XpError, closest_hint
from engine.home.commits import Damage, artifact_problem, find_artifact_damage, sound_winner
from engine.home.files import write_atomic
from engine.home.paths import Home
from engine.report.changes import compare_baseline
from engine.report.charts.bars import draw_bars
from engine.report.charts.curves import draw_curves
from engine.report.charts.files import to_pdf, to_svg
from engine.report.charts.reliability import draw_reliability
from engine.report.charts.style import INK
from engine.report.front_chart import draw_front
from engine.report.narrow import narrow_tables
from engine.report.page import SECTIONS, MapColumn, Page, make_page
from engine.report.sentences import say
from engine.report.sheet import ReportRows, Sheet
from engine.verify.certificate import read_certificates
from store.escape import code_markdown, escape_markdown, escape_tex

TEMPLATES = Path(__file__).parents[2] / "templates"
MOST_MAPS = 8
PARTS = (
    "runs", "cells", "jobs", "origins", "curves", "teachers", "students", "bins", "maps", "splits", "images",
    "damaged",
)  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """A drawn chart under the name its files get; `section` is where on the page it stands, `note` how to read it."""

    name: str
    title: str
    figure: Figure
    section: str = "charts"
    note: str = ""


@dataclass(frozen=True)
class MapImage:
    """One attention map of one arm, as a file under jobs/; `title` is the image's class, `caption` the answer."""

    arm: str
    name: str
    path: Path
    title: str
    caption: str

    def inline(self) -> str:
        """Return the image as a data address."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode()


def make_report(
    results: Home | Snapshot,
    name: str,
    formats: Sequence[str] = ("md", "html"),
    out_dir: Path | None = None,
    allow_missing: bool = True,
) -> list[Path]:
    """Write the report of an experiment and return the pages, one for each of `formats` (md, html, tex).

    All of it comes out of one snapshot: numbers, daggers, claims and charts are of the same runs.

    They lie in `out_dir`, by default ./report/<name>/. Runs that are missing are named in the report; with
    `allow_missing` false they stop it. Raises XpError for an unknown experiment or format.
    """
    for kind in formats:
        if kind not in WRITERS:
            raise XpError(f"there is no report format {kind!r}", fix=closest_hint(kind, WRITERS))
    with one_snapshot(results) as snapshot:
        home, page = snapshot.home, _read_page(snapshot, name)
    if page.holes and not allow_missing:
        raise XpError(
            f"the report would have {len(page.holes)} holes: {page.holes[0]}",
            where=name,
            fix="wait for the runs, or allow holes with --missing",
        )
    folder = _make_folder(out_dir or Path("report") / name)
    charts = _draw_charts(page)
    maps = _find_maps(home, page)
    return [WRITERS[kind](page, charts, maps, folder) for kind in formats]


def _read_page(snapshot: Snapshot, name: str) -> Page:
    rows = read_rows(snapshot, name)
    sheet = Sheet(rows)
    changes = compare_baseline(snapshot, name, sheet.arms, sheet.baseline)
    compression = read_compression(snapshot, name, sheet.baseline, changes.comparisons)
    factorials = read_factorials(snapshot, name, sheet.arms, sheet.baseline)
    certificates = read_certificates(snapshot.home, name)
    return make_page(name, rows, check_claims(snapshot, name), certificates, changes, factorials, compression)


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A folder that is there may take no file, whatever its mode says.
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        what = f"cannot make the folder of the report, or a file in it: {error.strerror}"
        raise XpError(what, where=str(folder), fix="choose another with -o") from error
    return folder


def list_missing(results: Home | Snapshot, name: str) -> list[str]:
    """Return a line for each thing that the report of an experiment has no numbers for. Raises XpError as above."""
    with one_snapshot(results) as snapshot:
        return list(make_page(name, read_rows(snapshot, name)).holes)


def read_rows(snapshot: Snapshot, name: str) -> ReportRows:
    """Return all that a page needs of the store for an experiment. Raises QueryError for an unknown one."""
    snapshot.check_experiment(name)
    (about,) = snapshot.ask("report_about", name=name)
    parts = {part: snapshot.ask(f"report_{part}", name=name) for part in PARTS}
    published = snapshot.ask("report_published", section=SECTIONS[name]) if name in SECTIONS else []
    trainings, followings = read_trainings(snapshot, name), compare_untaught(snapshot, name)
    parts["damaged"] += _find_damage(snapshot, name)
    return ReportRows(about=about, published=published, trainings=trainings, followings=followings, **parts)


def _find_damage(snapshot: Snapshot, name: str) -> list[dict[str, str]]:
    """Return what is damaged of the files that a report reads itself: maps, and answers that are compared."""
    home, found = snapshot.home, list[Damage]()
    for query, endings in (("report_maps", (".png",)), ("agreement_runs", (ANSWERS_FILE,))):
        for row in snapshot.ask(query, name=name):
            found += find_artifact_damage(home.job(row["job"]), endings)
    return [{"file": str(one.path.relative_to(home.root)), "what": one.what} for one in found]


def _draw_charts(page: Page) -> list[Chart]:
    bars = [Chart(bars.name, bars.title, draw_bars(bars), note=" ".join(bars.notes)) for bars in page.charts]
    curves = [Chart(one.name, one.title, draw_curves(one), note=" ".join(one.notes)) for one in page.curves]
    drawn = page.teachers.reliability if page.teachers else None
    teachers = [Chart(drawn.name, drawn.title, draw_reliability(drawn), "teachers")] if drawn else []
    fronts = page.compression.charts if page.compression else []
    drawn_fronts = [Chart(one.name, one.title, draw_front(one), "compression", " ".join(one.notes)) for one in fronts]
    return bars + curves + teachers + drawn_fronts


def _find_maps(home: Home, page: Page) -> dict[str, list[MapImage]]:
    """Return each image that arms explained -> the maps of it, one for each such arm; the first point that has maps.

    Arms with other test images number other images alike: an image is known by its key, and by its file without one.
    """
    point = page.maps[0].cell if page.maps else None
    rows: dict[str, list[MapImage]] = {}
    for column in (one for one in page.maps if one.cell == point):
        winner = sound_winner(home.job(column.job))
        for path in sorted(winner.artifacts.rglob("*.png")) if winner else ():
            if artifact_problem(home.job(column.job), path):
                continue
            rows.setdefault(column.samples.get(path.name, path.name), []).append(_map_image(column, path))
    return dict(list(rows.items())[:MOST_MAPS])


def _map_image(column: MapColumn, path: Path) -> MapImage:
    title, caption = column.titles.get(path.name, path.stem), column.captions.get(path.name, "")
    return MapImage(column.arm, path.name, path, title, caption)


def _environment(is_html: bool = False) -> Environment:
    """Return where templates are filled in; in HTML what they say is escaped, in LaTeX where they say so."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=is_html, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.globals["say"] = say
    made.filters |= {"tex": _to_tex, "stack": _stack_tex, "narrow": narrow_tables, "breaks": _with_breaks}
    return made


def _with_breaks(text: str) -> Markup:
    """Let a long name break where its words end."""
    return Markup("_<wbr>").join(escape(part) for part in text.split("_"))


def _to_tex(text: str) -> str:
    """Escape for LaTeX; a hyphen before a number is a minus."""
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escape_tex(text))


def _stack_tex(text: str, side: str) -> str:
    """Set the lines of a heading one above the other."""
    lines = [_to_tex(line) for line in text.split("\n")]
    stacked = r" \\{} ".join(lines)  # a line may begin with a bracket, which \\ would take for a length
    return stacked if len(lines) == 1 else rf"\shortstack[{side}]{{{stacked}}}"


def _markdown_environment() -> Environment:
    """Return where templates of Markdown are filled in: whatever they say is text, and no template can forget it.

    `code` makes a span of code of a text, and `link` a path that stands in brackets.
    """
    made = _environment(is_html=True).overlay(finalize=_as_markdown)  # what is Markup already is not escaped as HTML
    made.filters |= {"code": lambda text: Markup(code_markdown(text)), "link": lambda path: Markup(quote(path))}
    return made


def _as_markdown(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(escape_markdown(str(value)))


def _write_markdown(page: Page, charts: Sequence[Chart], maps: Mapping[str, Sequence[MapImage]], folder: Path) -> Path:
    """Write report.md, its charts as .svg and its maps as .png beside it."""
    for chart in charts:
        # A page in Markdown may stand on white or on dark ground: a grey that is read on both.
        write_atomic(folder / f"{chart.name}.svg", to_svg(chart.figure, chart.name).replace(INK, "#808080"))
    files = [[(one, _copy_map(one, folder)) for one in row] for row in maps.values()]
    text = (
        _markdown_environment()
        .get_template("report.md.j2")
        .render(page=page, charts=charts, maps=files, arms=_map_arms(maps))
    )
    write_atomic(folder / "report.md", text)
    return folder / "report.md"


def _copy_map(one: MapImage, folder: Path) -> str:
    target = folder / "maps" / one.arm / one.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(one.path, target)
    return target.relative_to(folder).as_posix()


def _write_html(page: Page, charts: Sequence[Chart], maps: Mapping[str, Sequence[MapImage]], folder: Path) -> Path:
    """Write report.html: one file that needs no other and no network."""
    drawn = [(chart, Markup(_inline_svg(chart))) for chart in charts]
    style = Markup((TEMPLATES / "style.css").read_text())
    template = _environment(is_html=True).get_template("report.html.j2")
    text = template.render(page=page, charts=drawn, maps=list(maps.values()), arms=_map_arms(maps), style=style)
    write_atomic(folder / "report.html", text)
    return folder / "report.html"


def _inline_svg(chart: Chart) -> str:
    text = to_svg(chart.figure, chart.name).replace(INK, "currentColor")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(chart.title)}"', 1)


def _write_latex(page: Page, charts: Sequence[Chart], maps: Mapping[str, Sequence[MapImage]], folder: Path) -> Path:
    """Write report.tex, to be read with \\input, and its charts as .pdf beside it."""
    for chart in charts:
        write_atomic(folder / f"{chart.name}.pdf", to_pdf(chart.figure))
    text = _environment().get_template("report.tex.j2").render(page=page, charts=charts)
    write_atomic(folder / "report.tex", text)
    return folder / "report.tex"


def _map_arms(maps: Mapping[str, Sequence[MapImage]]) -> list[str]:
    return list(dict.fromkeys(one.arm for row in maps.values() for one in row))


WRITERS = {"md": _write_markdown, "html": _write_html, "tex": _write_latex}
