"""Bold is for the arm that is really above the second, at the level of its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.analysis.compare import Comparison
from engine.analysis.leaders import find_leaders
from engine.analysis.statistics import Interval
from engine.analysis.things import Mismatch
from engine.errors import QueryError
from tests.analysis.answering import Answers
from tests.analysis.test_compare import run_row

ARMS = ("a", "b", "c")
FOUND = Comparison("test_top1", "one", ("b", "a"), (0.9, 0.5), ((), ()), Interval(0.4, 0.1, 0.2, 0.6, 3), None, None,
                   None, None, (), ())  # fmt: skip


def leaders_of(
    monkeypatch: pytest.MonkeyPatch,
    top1: Mapping[str, Sequence[float | None]],
    p: float | None,
    tests: int = 0,
    *,
    found: Comparison | None = None,
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the leaders and which pairs were compared, where the comparison says `p`."""
    rows = {arm: [run_row(arm, seed, test_top1=value) for seed, value in enumerate(held)] for arm, held in top1.items()}
    asked: list[tuple[str, str]] = []

    def compare(_snapshot: Any, first: str, second: str, metric: str, *, anyway: bool) -> list[Any]:
        asked.append((first, second))
        if p is None:
            raise QueryError("no common seed")
        assert (metric, anyway) == ("test_top1", True)
        return [replace(found or FOUND, cell=cell, p=p) for cell in ("other", "one")]

    monkeypatch.setattr("engine.analysis.leaders.compare_arms", compare)
    snapshot = Answers(answer=lambda query, values: rows[values["arm"]] if query == "compare_runs" else [])
    return find_leaders(snapshot, "paper", list(top1), tests), asked


def test_the_highest_mean_is_held_against_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    top1 = {"a": (0.5, 0.7), "b": (0.9, 0.8, None), "c": (0.7, 0.75, float("nan"))}
    found, asked = leaders_of(monkeypatch, top1, 0.01)
    assert asked == [("paper/b", "paper/c")]
    assert found == {"one": "b"}


@pytest.mark.parametrize(
    ("p", "tests", "leads"), [(0.049, 0, True), (0.05, 0, False), (0.012, 3, True), (0.013, 3, False)]
)
def test_a_leader_passes_beside_the_other_tests(
    monkeypatch: pytest.MonkeyPatch, p: float, tests: int, leads: bool
) -> None:
    found, _ = leaders_of(monkeypatch, {"a": (0.5,), "b": (0.9,)}, p, tests)
    assert found == ({"one": "b"} if leads else {})


def test_without_a_second_or_a_common_seed_nobody_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leaders_of(monkeypatch, {"a": (0.5,)}, 0.01) == ({}, [])
    assert leaders_of(monkeypatch, {"a": (0.5,), "b": (None,)}, 0.01) == ({}, [])
    assert leaders_of(monkeypatch, {"a": (0.5,), "b": (0.9,)}, None)[0] == {}


def test_what_is_lower_on_common_seeds_leads_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lucky seed that the second has not makes the higher mean."""
    lower = replace(FOUND, difference=Interval(-0.1, 0.01, -0.12, -0.08, 2))
    assert leaders_of(monkeypatch, {"a": (0.5, 0.5), "b": (0.4, 0.4, 0.9)}, 0.001, found=lower)[0] == {}


def test_what_was_judged_on_other_images_leads_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for apart, leads in ((True, False), (False, True)):
        unlike = replace(FOUND, unfair=(Mismatch("data.split_seed", 1, 2, other_images=apart),))
        assert bool(leaders_of(monkeypatch, {"a": (0.5,), "b": (0.9,)}, 0.001, found=unlike)[0]) == leads
