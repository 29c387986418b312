"""A profile as a picture: takes a summary, gives the parts of a step as one bar, and every step beneath it.

The bar is of means, which add up. Beneath, each timed step stands as its parts lie on one another, and plain ones as
points, so that a reader sees what single steps do and that timing changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from engine.errors import XpError
from engine.home.files import write_atomic
from engine.report.charts.files import to_pdf, to_svg
from engine.report.charts.style import INK, STYLE, PlacedFigure, colour_of, short_number
from engine.verify.profile.summary import Summary
from engine.verify.profile.timings import PARTS

LEAST_LABEL = 0.06
"""The share of the bar from which on a part's name fits into it."""
PLAIN = "plain step"
DOTS = 160  # an inch
PAPER = "white"


def check_picture(out: Path) -> None:
    """Raise XpError for a name that is of no picture we draw, before anything is timed."""
    if out.suffix.lower() not in WRITERS:
        known = ", ".join(WRITERS)
        raise XpError(f"{out.suffix or 'a name without an ending'} is no picture", where=str(out), fix=f"use {known}")
    if not out.parent.is_dir():
        raise XpError("there is no such folder", where=str(out.parent), fix="make it, or name another with -o")


def write_chart(found: Summary, title: str, out: Path) -> Path:
    """Draw the profile into a file, as its ending says. Raises XpError where it cannot be written."""
    figure = draw_steps(found, title)
    try:
        write_atomic(out, WRITERS[out.suffix.lower()](figure))
    except OSError as error:
        raise XpError(f"cannot write: {error.strerror}", where=str(out), fix="name another file with -o") from error
    return out


def draw_steps(found: Summary, title: str) -> Figure:
    """Return the chart; times are milliseconds."""
    with matplotlib.rc_context(STYLE):
        figure = PlacedFigure(8.2, 4.4)
        bar, steps = figure.subplots(2, 1, height_ratios=(1.0, 2.6))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
        parts = [part for part in found.told_parts if found.parts[part].mean > 0]
        _draw_bar(bar, found, parts)
        _draw_all(steps, found, parts)
        handles, names = steps.get_legend_handles_labels()
        # Parts in their order, then the points, which matplotlib puts first.
        order = sorted(range(len(names)), key=lambda at: [*parts, PLAIN].index(names[at]))
        figure.legend(
            [handles[at] for at in order], [names[at] for at in order],
            loc="outside lower center", ncols=min(6, len(names)), frameon=False, fontsize=9,
        )  # fmt: skip
    return figure


def _draw_bar(axes: Axes, found: Summary, parts: Sequence[str]) -> None:
    left = 0.0
    for part in parts:
        wide, share = 1000 * found.parts[part].mean, found.share(part)
        axes.barh(0, wide, left=left, color=_colour(part), edgecolor=INK, linewidth=0.4)
        if share >= LEAST_LABEL:
            told = f"{part}\n{100 * share:.0f} %"
            axes.text(left + wide / 2, 0, told, ha="center", va="center", fontsize=9, color="black")
        left += wide
    axes.set_title(f"A step, on average [{short_number(left)} ms]", loc="left", fontsize=11)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.002)


def _draw_all(axes: Axes, found: Summary, parts: Sequence[str]) -> None:
    places = [at for at, step in enumerate(found.timings.steps, 1) if step.parts is not None]
    floors = [0.0] * len(places)
    for part in parts:
        heights = [1000 * step.parts[part] for step in found.timed if step.parts]
        axes.bar(places, heights, 1.4, floors, label=part, color=_colour(part), edgecolor="none")
        floors = [floor + height for floor, height in zip(floors, heights, strict=True)]
    plain = [(at, 1000 * step.wall) for at, step in enumerate(found.timings.steps, 1) if step.parts is None]
    axes.plot(*zip(*plain, strict=True), "o", color=INK, markersize=3.5, label=PLAIN)
    axes.set_title("Every step [ms]", loc="left", fontsize=11)
    axes.set_xlabel("step, after warming up")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.grid(axis="y", alpha=0.25, linewidth=0.6, color=INK)


def _colour(part: str) -> str:
    """Return the same colour for a part in every picture."""
    return colour_of(list(PARTS).index(part))


def _to_png(figure: Figure) -> bytes:
    out = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(out, format="png", dpi=DOTS, facecolor=PAPER, metadata={"Software": None})
    return out.getvalue()


WRITERS: dict[str, Callable[[Figure], bytes]] = {
    ".svg": lambda figure: to_svg(figure, "profile").encode(),
    ".png": _to_png,
    ".pdf": to_pdf,
}
