"""Bars of what decides, read back from the axes."""

from __future__ import annotations

from matplotlib.colors import to_hex, to_rgba
from matplotlib.patches import Rectangle

from engine.report.charts.importance import Weight, Weights, draw_weights
from engine.report.charts.style import colour_of

CHART = Weights("w", "Importance", [Weight("train.lr", 80.0, "0.003", True), Weight("kind", 20.0, "0.4", False)], 1)


def test_bars_are_shares_the_first_on_top_and_hollow_where_chance_gives_as_much() -> None:
    (axes,) = draw_weights(CHART).axes
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [bar.get_width() for bar in bars] == [80.0, 20.0]
    assert to_hex(bars[0].get_facecolor()) == colour_of(1)
    assert to_rgba(bars[1].get_facecolor())[3] == 0.0
    low, high = axes.get_ylim()
    assert low > high, "the first is on top"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["train.lr", "kind"]
    assert [text.get_text() for text in axes.texts] == ["p 0.003", "p 0.4"]


def test_no_importance_at_all_is_drawn() -> None:
    draw_weights(Weights("w", "Importance", [Weight("kind", 0.0, "1.0", False)])).canvas.draw()
