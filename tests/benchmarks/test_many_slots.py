"""The story of many slots, told short: every job ends, and what is counted adds up."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from benchmarks.many_slots import Found, scratch, simulate, tell_rows


@pytest.fixture(scope="module")
def found() -> Found:
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        return simulate(Path(folder), 160, 40)


def test_a_story_ends_with_every_job(found: Found) -> None:
    assert found.jobs == 160
    assert found.decisions >= 2 * 150, "each is started and ends; a few wait for one that failed"
    assert found.story_seconds > 160 / 40 * 30 * 0.8, "no slot does two jobs at once"


def test_its_figures_are_told_beside_their_limits(found: Found) -> None:
    rows = {row.figure: row for row in tell_rows(found, None)}
    cost = rows["own time of a decision"]
    assert cost.ours == pytest.approx(1000 * found.own_seconds / found.decisions)
    assert cost.peer == 1.0
    assert 0.0 <= rows["idle while work waits"].ours < 0.2, "little stands idle where the scheduler is awake"
    growth = {row.figure: row for row in list(tell_rows(found, found))[-6:]}["own time of a decision"]
    assert growth.ratio == pytest.approx(3.0)
