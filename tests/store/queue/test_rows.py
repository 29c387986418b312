"""The one rule that makes a run's state of its jobs' states."""

from __future__ import annotations

import itertools

import pytest

from store.queue import RUN_ORDER, combine_states


def test_worst_state_comes_first_and_done_last() -> None:
    assert RUN_ORDER == ("failed", "cancelled", "running", "queued", "paused", "blocked", "done")


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(RUN_ORDER, 2)))
def test_run_has_the_first_state_that_any_job_has(first: str, second: str) -> None:
    assert combine_states([second, first, second]) == combine_states([first, second]) == first


def test_run_without_jobs_is_done() -> None:
    assert combine_states([]) == "done"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["done", "done"], "done"),
        (["done", "failed", "blocked"], "failed"),
        (["cancelled", "blocked"], "cancelled"),
        (["done", "running", "blocked"], "running"),
        (["queued", "blocked"], "queued"),
        (["paused", "blocked"], "paused"),
        (["blocked"], "blocked"),
    ],
)
def test_a_run_follows_from_its_jobs(states: list[str], expected: str) -> None:
    assert combine_states(states) == expected
