"""EXPERIMENT/ARM is found as it stands, as a trial, or as the best of an arm that is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from engine.analysis.addresses import find_arm_runs
from engine.analysis.compare import compare_arms
from engine.analysis.trace import trace_number
from engine.errors import QueryError
from tests.analysis.answering import Answers

ARMS = [
    "study/plain", "study/a-best", "study/trials/a-t000", "study/trials/a-t001",
    "study/b-best-000", "study/b-best-002", "study/trials/b-t000", "study/trials/c-t000",
]  # fmt: skip


def _answer(query: str, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    if query == "trace_arms":
        return [{"name": name} for name in ARMS]
    name = f"{values['experiment']}/{values['arm']}"
    row = {"run": name, "arm": values["arm"], "cell": "default", "seed": 0, "val_top1": 0.5, "test_top1": 0.4}
    is_there = name in ARMS and "/" not in values["arm"]
    return [row] if query == "compare_runs" and is_there else []


@pytest.fixture
def snapshot() -> Answers:
    return Answers(answer=_answer)


@pytest.mark.parametrize(
    ("name", "found"),
    [("study/plain", "study/plain"), ("study/a", "study/a-best"), ("study/a-best", "study/a-best"),
     ("study/a-t001", "study/trials/a-t001"), ("study/trials/a-t001", "study/trials/a-t001")],
)  # fmt: skip
def test_an_address_means_an_arm_a_trial_or_the_best_of_an_arm(snapshot: Answers, name: str, found: str) -> None:
    arm = find_arm_runs(snapshot, name, "val_top1")
    assert (f"{arm.experiment}/{arm.arm}", arm.is_trial) == (found, "trials" in found)
    assert [row["run"] for row in arm.runs] == [found]


@pytest.mark.parametrize(
    ("name", "said"),
    [("study/b", "searched, and no single best.*fix: name one of its best: study/b-best-000, study/b-best-002"),
     ("study/c", "searched, and no single best.*fix: write `final` in its search"),
     ("study/plan", "there is no arm 'study/plan'.*fix: did you mean 'study/plain'")],
)  # fmt: skip
def test_an_arm_without_one_best_says_what_there_is(snapshot: Answers, name: str, said: str) -> None:
    with pytest.raises(QueryError, match=f"(?s){said}"):
        find_arm_runs(snapshot, name, "val_top1")


def test_trials_are_compared_by_nobody_and_the_reason_is_said(snapshot: Answers) -> None:
    for name in ("study/trials/a-t000", "study/a-t000"):
        with pytest.raises(QueryError, match=f"(?s){name} is a trial: .*fix: compare what was chosen"):
            compare_arms(snapshot, "study/plain", name, "val_top1")


def test_a_trial_is_traced_by_what_it_is_chosen_by_and_not_by_test_images(snapshot: Answers) -> None:
    traced = trace_number(snapshot, "study/a-t000", "val_top1")
    assert traced.sql.endswith("where experiment = 'study/trials' and arm = 'a-t000' and metric = 'val_top1'")
    with pytest.raises(QueryError, match="study/a-t000 is a trial, and test_top1 is of test images"):
        trace_number(snapshot, "study/a-t000", "test_top1")
