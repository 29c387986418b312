"""The cost of a paper: a job that experiments share counts once, and what is not known is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from engine.plan.paper import sum_paper


def estimate(*keys: str, done: tuple[str, ...] = ()) -> Any:
    jobs = [
        SimpleNamespace(job=SimpleNamespace(job=key, key=key), bytes=5, seconds=10.0, is_reused=key in done)
        for key in keys
    ]
    left = [one for one in jobs if not one.is_reused]
    return SimpleNamespace(jobs=jobs, seconds=sum(one.seconds for one in left))


def plan(name: str, *keys: str, reason: str | None = None) -> Any:
    jobs = [SimpleNamespace(key=key, reason=reason) for key in keys]
    return SimpleNamespace(spec=SimpleNamespace(name=name), runs=[1, 2], jobs=jobs)


def test_a_shared_job_is_laid_to_the_first_experiment() -> None:
    cost = sum_paper([
        (plan("one", "pack", "a"), estimate("pack", "a")), (plan("two", "pack", "b"), estimate("pack", "b")),
    ])  # fmt: skip
    assert [(one.left, one.seconds, one.bytes) for one in cost.experiments] == [(2, 20.0, 10), (1, 10.0, 5)]
    assert (cost.seconds, cost.bytes) == (30.0, 15)


def test_what_is_done_costs_nothing() -> None:
    (one,) = sum_paper([(plan("one", "a", "b"), estimate("a", "b", done=("a",)))]).experiments
    assert (one.jobs, one.left, one.seconds) == (2, 1, 10.0)


def test_a_plan_that_is_not_known_leaves_the_sum_open() -> None:
    cost = sum_paper([(plan("one", "a", reason="no images"), estimate("a")), (plan("two", "b"), estimate("b"))])
    assert [one.seconds for one in cost.experiments] == [None, 10.0]
    assert cost.seconds is None
    assert cost.as_json()["experiments"][1]["name"] == "two"
