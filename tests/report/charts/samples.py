"""Charts of few numbers, for tests, and what is read back from axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from engine.report.charts.bars import Bars

BARS = Bars(
    name="accuracy", title="Test accuracy", unit="%", points=("data.split=60/20/20", "two"),
    values={"plain": (60.0, 61.5), "pruned": (55.25, None)},
    edges={"plain": ((58.0, 61.5), None), "pruned": ((54.0, 56.0), None)},
    seeds={"plain": ((59.0, 61.0), ()), "pruned": ((), ())},
    hatched=frozenset({"pruned"}),
)  # fmt: skip


def lines_of(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in axes.lines
    }
