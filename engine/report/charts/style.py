"""How all charts look: colours that colour-blind readers tell apart, the ink that a page replaces, legends that fit.

Text is drawn in INK, which the page's own colour takes the place of in HTML, so that charts suit light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import matplotlib
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from engine.report.sentences import say

INK = "#333333"
# Told apart by colour-blind readers (Petroff 2021, Accessible color sequences for data visualization).
PALETTE = tuple(to_hex(colour) for colour in matplotlib.color_sequences["petroff10"])
MOST_NAMES = 24  # in a legend
STYLE: Any = {
    "svg.hashsalt": "xp", "svg.fonttype": "path", "font.size": 10, "font.family": "DejaVu Sans",
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "hatch.linewidth": 0.7,
    "savefig.facecolor": "none", "figure.facecolor": "none", "axes.facecolor": "none", "pdf.fonttype": 42,
    "lines.scale_dashes": False,
    "text.parse_math": False,  # names are text, and half a formula would be an error
}  # fmt: skip


def draw_legend(figure: Figure, names: Collection[str]) -> None:
    """Put as many names beside each other as the figure is wide enough for: matplotlib would cut the rest off.

    More than MOST_NAMES would leave no room for the chart, and colours come again after ten: their order is told.
    """
    if len(names) > MOST_NAMES:
        figure.supxlabel(say("many_names", count=len(names), colours=len(PALETTE)), fontsize=9)
        return
    entry = 0.55 + 0.08 * max(map(len, names), default=0)  # inches: the line before a name, and a letter
    columns = max(1, min(len(names), 4, int(figure.get_figwidth() / entry)))
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def colour_of(at: int) -> str:
    return PALETTE[at % len(PALETTE)]


def short_number(value: float) -> str:
    """Return three digits, or the whole number from 100 on."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
