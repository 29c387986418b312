"""The picture of a profile: the same bytes for the same numbers, in the formats that it says it draws."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.patches import Rectangle

from engine.errors import XpError
from engine.report.step_chart import check_picture, draw_steps, write_chart
from tests.verify.profile.making import COMPUTING, WAITING, summary


@pytest.mark.parametrize(("name", "head"), [("a.svg", b"<svg"), ("a.PNG", b"\x89PNG"), ("a.pdf", b"%PDF")])
def test_a_picture_is_what_its_name_says_and_repeats(tmp_path: Path, name: str, head: bytes) -> None:
    first, second = (write_chart(summary(WAITING), "paper/a@0", tmp_path / f"{at}{name}").read_bytes() for at in "12")
    assert first.startswith(head)
    assert first == second


def test_the_bar_is_as_long_as_a_step_and_every_timed_step_stands_on_its_own() -> None:
    figure = draw_steps(summary(COMPUTING, pairs=4), "paper/a@0")
    bar, steps = figure.axes
    assert sum(patch.get_width() for patch in bar.patches if isinstance(patch, Rectangle)) == pytest.approx(100.0)
    assert len(steps.patches) == 3 * 4
    assert [text.get_text() for text in figure.legends[0].texts] == ["forward", "backward", "optimizer", "plain step"]


@pytest.mark.parametrize(("name", "what"), [("a.gif", "is no picture"), ("a", "is no picture"), ("no/a.svg", "folder")])
def test_what_cannot_be_drawn_is_refused_before_anything_is_timed(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(XpError, match=what):
        check_picture(tmp_path / name)
