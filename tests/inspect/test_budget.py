"""What fits into a budget: cells as rows, in the order of `submit --fill`, and what is left with its price."""

from __future__ import annotations

import pytest

from engine.analysis.fill import choose_fill
from engine.inspect.budget import share_budget
from tests.analysis.filling import asked, deciding, make_lacking


def test_runs_of_a_cell_are_one_row_with_their_seeds() -> None:
    found = share_budget(make_lacking([asked(0, 1)]), 250.0)
    (row,) = found.fits
    assert (row.what, row.seeds, row.price.seconds, row.price.jobs) == ("a", (0, 1), 200.0, 2)
    assert found.left == ()


def test_what_does_not_fit_is_priced_without_what_is_paid() -> None:
    found = share_budget(make_lacking([asked(0, 1)]), 150.0)
    assert [(row.seeds, row.price.seconds) for row in found.fits] == [((0,), 100.0)]
    assert [(row.seeds, row.price.seconds) for row in found.left] == [((1,), 100.0)]


def test_the_choice_is_that_of_submit_fill() -> None:
    lacking = make_lacking([asked(0, 1), deciding(2, 5)])
    fill, found = choose_fill(lacking, 250.0), share_budget(lacking, 250.0)
    assert [row.what for row in found.fits] == ["a claim", "a"]
    assert sum(row.price.jobs for row in found.fits) == len(fill.filling.order)


def test_what_is_under_way_counts_against_the_budget() -> None:
    found = share_budget(make_lacking([asked(0, 1)], states=("running", "new", "new")), 150.0)
    assert (found.under_way.seconds, [row.seeds for row in found.fits]) == (100.0, [])


@pytest.mark.parametrize(("arms", "fits"), [(("a",), 1), (("b",), 0), ((), 1)])
def test_arms_that_are_not_named_take_nothing(arms: tuple[str, ...], fits: int) -> None:
    assert len(share_budget(make_lacking([asked(0, 1)]), 500.0, arms).fits) == fits


def test_a_budget_is_whole_in_json() -> None:
    told = share_budget(make_lacking([asked(0, 1)]), 150.0).as_json()
    assert (told["seconds"], told["fits"][0]["seeds"], told["left"][0]["seeds"]) == (150.0, [0], [1])
    assert {"what", "why", "seconds", "gpu_hours", "bytes", "jobs"} <= told["fits"][0].keys()
