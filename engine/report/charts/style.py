"""How all charts look: the paper they are drawn for, the look of each arm, the ink that a page replaces, legends.

Text is drawn in INK, which the page's own colour takes the place of in HTML, so that charts suit light and dark.
An arm has a colour and a mark, and no two of the first 110 have both alike: who sees no colours has the marks, and on
bars the number of the arm's row in the tables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from engine.report.sentences import say

INK = "#333333"
# Told apart by colour-blind readers (Petroff 2021, Accessible color sequences for data visualization).
PALETTE = tuple(to_hex(colour) for colour in matplotlib.color_sequences["petroff10"])
# As many as have no divisor in common with the colours, so that both come again together only after 110 arms.
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h")
MOST_NAMES = 24  # in a legend
STYLE: Any = {
    "svg.hashsalt": "xp", "svg.fonttype": "path", "font.size": 10, "font.family": "DejaVu Sans",
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "hatch.linewidth": 0.7,
    "savefig.facecolor": "none", "figure.facecolor": "none", "axes.facecolor": "none", "pdf.fonttype": 42,
    "lines.scale_dashes": False,
    "text.parse_math": False,  # names are text, and half a formula would be an error
}  # fmt: skip


class PlacedFigure(Figure):
    """A figure whose parts are placed by a constrained layout before it is saved, and drawn only then.

    Matplotlib draws all of it once without a trace, to have it placed: that took up to a fifth of a report's time.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")

    def draw(self, renderer: RendererBase) -> None:
        layout = self.get_layout_engine()
        # While it is saved the layout is there at the first of two drawings alone.
        if self.canvas.is_saving() and isinstance(layout, ConstrainedLayoutEngine):
            layout.execute(self)
        else:
            super().draw(renderer)


@dataclass(frozen=True)
class Paper:
    """What a chart is drawn for: the width of one chart in inches, and points of small and larger letters.

    `scale` is what lines and marks are drawn by, beside those of the screen.
    """

    width: float
    small: float
    large: float
    scale: float = 1.0

    @contextmanager
    def style(self) -> Iterator[None]:
        """Draw in the house's look, with letters of this paper's size."""
        sizes: Any = {"font.size": self.small, "axes.labelsize": self.small, "legend.fontsize": self.small}
        with matplotlib.rc_context({**STYLE, **sizes, "axes.titlesize": self.large}):
            yield

    def figure(self, height: float, width: float | None = None) -> Figure:
        """Return an empty figure of so many inches; `width` is that on a screen, a column is as wide as it is."""
        return PlacedFigure(width if width and self is SCREEN else self.width, height)


SCREEN = Paper(5.2, 9, 11)
COLUMN = Paper(85 / 25.4, 7, 8, 0.75)  # the column of a printed paper: 85 mm, and no letter smaller than 7 pt


def draw_legend(figure: Figure, names: Collection[str], paper: Paper, handles: Sequence[Artist] = ()) -> None:
    """Put as many names beside each other as the figure is wide enough for: matplotlib would cut the rest off.

    More than MOST_NAMES would leave no room for the chart, and colours come again after ten: their order is told.
    """
    if len(names) > MOST_NAMES:
        figure.supxlabel(say("many_names", count=len(names), colours=len(PALETTE)), fontsize=paper.small)
        return
    letter = 0.09 * paper.small / 10
    entry = 0.5 * paper.scale + letter * max(map(len, names), default=0)  # inches: the mark before a name, and a letter
    columns = max(1, min(len(names), 4, int(figure.get_figwidth() / entry)))
    more = {"handles": handles} if handles else {}
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=paper.small, **more)


def tidy(axes: Axes, title: str, paper: Paper, *, grid: str = "both") -> None:
    """Give axes their title, and faint lines behind what they show."""
    axes.set_title(title, loc="left", fontsize=paper.large)
    axes.grid(axis=grid, alpha=0.25, linewidth=0.6, color=INK)  # type: ignore[arg-type]
    axes.tick_params(labelsize=paper.small)


def colour_of(at: int) -> str:
    return PALETTE[at % len(PALETTE)]


def mark_of(at: int) -> str:
    return MARKS[at % len(MARKS)]


def point_name(point: str) -> str:
    """Return a point of the matrix as a reader meets it: nothing where there is only one."""
    return "" if point == "default" else point.replace("data.", "")


def break_name(name: str, most: int) -> str:
    """Break a long name into lines of at most so many letters, after an underscore or space where there is one."""
    lines = [""]
    for piece in re.findall(r"[^_ ]*[_ ]|[^_ ]+", name):
        for part in (piece[at : at + most] for at in range(0, len(piece), most)):
            if len(lines[-1]) + len(part) > most:
                lines.append("")
            lines[-1] += part
    return "\n".join(line.rstrip() for line in lines if line)


def short_number(value: float) -> str:
    """Return three digits, or the whole number from 100 on."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
