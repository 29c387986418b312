"""The rules of scheduling, which need no process and no clock."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import pytest

from engine.schedule import (
    BUDGETS,
    Demand,
    Ending,
    Held,
    Pulse,
    Spent,
    choose_slot,
    decide,
    rank_experiments,
    read_demand,
    run_state,
)


@pytest.mark.parametrize(
    ("status", "outcome", "state"),
    [
        (85, "preempted", "queued"),
        (86, "oom", "queued"),
        (87, "nan", "failed"),
        (88, "crashed", "failed"),
        (1, "crashed", "queued"),
        (0, "crashed", "queued"),
        (-signal.SIGKILL, "lost", "queued"),
        (-signal.SIGSEGV, "crashed", "queued"),
        (None, "lost", "queued"),
        (75, "lost", "queued"),
    ],
)
def test_what_an_exit_means(status: int | None, outcome: str, state: str) -> None:
    verdict = decide(Ending(status), Spent())
    assert (verdict.outcome, verdict.state) == (outcome, state)


def test_a_committed_result_is_done_however_the_process_ended() -> None:
    assert decide(Ending(-signal.SIGKILL, is_committed=True), Spent(crashed=9)).state == "done"


@pytest.mark.parametrize(("status", "budget"), [(1, "crashed"), (None, "lost"), (86, "ooms")])
def test_a_budget_ends_and_the_reason_quotes_the_log(status: int | None, budget: str) -> None:
    used = 0
    while (verdict := decide(Ending(status, last_words="no space"), Spent(**{budget: used}))).state == "queued":
        used += verdict.spent[budget]
    assert used + 1 == BUDGETS[budget]
    assert "no space" in verdict.reason


def test_progress_spends_nothing() -> None:
    verdict = decide(Ending(1, made_progress=True), Spent(crashed=2))
    assert (verdict.state, verdict.spent, verdict.wait) == ("queued", {}, 0.0)


def test_an_attempt_that_never_began_spends_nothing() -> None:
    assert decide(Ending(None, has_started=False), Spent(lost=19)).spent == {}


def test_crashes_wait_longer_each_time_and_lost_ones_not_at_all() -> None:
    assert [decide(Ending(1), Spent(crashed=used)).wait for used in (0, 1)] == [1.0, 4.0]
    assert decide(Ending(None), Spent(lost=5)).wait == 0.0


def test_stuck_counts_as_a_crash_even_after_a_kill() -> None:
    verdict = decide(Ending(-signal.SIGKILL, is_stuck=True), Spent())
    assert (verdict.outcome, verdict.spent) == ("stuck", {"crashed": 1})


@dataclass(frozen=True)
class Row:
    experiment: str
    priority: int = 0
    running: int = 0
    submitted_at: float = 0.0


def test_turns_go_by_priority_then_fewest_running_then_submission() -> None:
    rows = [Row("late", 0, 0, 9.0), Row("busy", 0, 2, 1.0), Row("early", 0, 0, 2.0), Row("urgent", 5, 7, 99.0)]
    assert [row.experiment for row in rank_experiments(rows)] == ["urgent", "early", "late", "busy"]


CPU = Demand()


def test_one_job_for_each_cpu_slot() -> None:
    slots = ["cpu:0", "cpu:1"]
    assert choose_slot(CPU, slots, []) == "cpu:0"
    assert choose_slot(CPU, slots, [Held("cpu:0", CPU)]) == "cpu:1"
    assert choose_slot(CPU, slots, [Held("cpu:0", CPU), Held("cpu:1", CPU)]) is None


def test_a_measure_job_has_the_processors_to_itself() -> None:
    slots, alone = ["cpu:0", "cpu:1"], read_demand("measure", {})
    assert choose_slot(alone, slots, [Held("cpu:0", CPU)]) is None
    assert choose_slot(CPU, slots, [Held("cpu:0", alone)]) is None
    assert choose_slot(alone, slots, []) == "cpu:0"


def test_gpus_are_opaque_names_and_may_be_shared() -> None:
    slots = ["MIG-1a/2", "GPU-5c", "cpu:0"]
    half = read_demand("train", {"resources": {"gpus": 0.5}})
    whole = read_demand("train", {"resources": {"gpus": 1}})
    both = read_demand("train", {"resources": {"gpus": 2}})
    taken = [Held("MIG-1a/2", half)]
    assert choose_slot(half, slots, taken) == "MIG-1a/2"
    assert choose_slot(whole, slots, taken) == "GPU-5c"
    assert choose_slot(both, slots, taken) is None
    assert choose_slot(both, slots, []) == "MIG-1a/2,GPU-5c"
    assert choose_slot(read_demand("measure", {"resources": {"gpus": 0.5}}), slots, taken) == "GPU-5c"
    assert choose_slot(read_demand("pack", {"resources": {"gpus": 0}}), slots, taken) == "cpu:0"


def test_a_gpu_job_takes_a_cpu_slot_where_there_is_no_gpu() -> None:
    assert choose_slot(read_demand("train", {}), ["cpu:0"], []) == "cpu:0"


def test_a_pulse_that_stands_still_is_stuck_after_ten_times_its_pace() -> None:
    pulse = Pulse(since=0.0, limit=10.0)
    for step in range(5):
        assert pulse.beat(step * 3.0, (step, 0, "train"))
    assert not pulse.beat(40.0, (4, 0, "train"))
    assert not pulse.is_stuck(12.0 + 29.0)
    assert pulse.is_stuck(12.0 + 31.0)


def test_a_pulse_that_never_beat_gets_longer() -> None:
    pulse = Pulse(since=0.0, limit=10.0)
    assert not pulse.is_stuck(59.0)
    assert pulse.is_stuck(61.0)


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
    assert run_state(states) == expected
