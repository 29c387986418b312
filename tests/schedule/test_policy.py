"""The rules of scheduling, which need no process and no clock."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass

import pytest

from engine.schedule.policy import BUDGETS, Ending, Spent, StallDetector, chain_seconds, decide, rank_experiments


@pytest.mark.parametrize(
    ("status", "outcome", "state"),
    [
        (85, "preempted", "queued"),
        (86, "oom", "queued"),
        (87, "nan", "failed"),
        (88, "crashed", "failed"),
        (89, "oom", "failed"),
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


def test_out_of_memory_is_counted_in_spite_of_progress_because_the_next_attempt_takes_less_at_once() -> None:
    verdict = decide(Ending(86, made_progress=True), Spent(ooms=2))
    assert (verdict.state, verdict.spent, verdict.wait) == ("queued", {"ooms": 1}, 1.0)


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


def test_slots_are_shared_fairly_whoever_asked_first_and_for_however_much() -> None:
    """Four slots and two experiments, one with many jobs: each gets two at a time, and all when it is alone."""
    left, running = {"early": 40, "late": 6}, Counter[str]()
    begun: list[str] = []
    for _ in range(46):
        waiting = [Row(name, running=running[name], submitted_at=at) for at, name in enumerate(left) if left[name]]
        first = rank_experiments(waiting)[0].experiment
        left[first] -= 1
        running[first] += 1
        begun.append(first)
        if running.total() == 4:  # the one that has run longest ends
            running[begun[len(begun) - 4]] -= 1
    assert Counter(begun[:12]) == {"early": 6, "late": 6}
    assert set(begun[12:]) == {"early"}


def test_the_job_with_the_longest_chain_behind_it_goes_first() -> None:
    """A teacher that is short but has everything waiting for it comes before students that nobody waits for."""
    seconds = {"pack": 1.0, "teacher": 5.0, "targets": 2.0, "taught": 8.0, "plain": 8.0, "measure": 1.0}
    needs = {
        "teacher": ["pack"],
        "targets": ["pack", "teacher"],
        "taught": ["pack", "targets"],
        "plain": ["pack"],
        "measure": ["taught", "absent"],
    }
    chains = chain_seconds(seconds, needs)
    assert chains == {"measure": 1.0, "taught": 9.0, "plain": 8.0, "targets": 11.0, "teacher": 16.0, "pack": 17.0}
    assert chain_seconds({"a": 3.0, "b": 4.0}, {}) == {"a": 3.0, "b": 4.0}, "alone, the longest"


def test_a_pulse_that_stands_still_is_stuck_after_ten_times_its_pace() -> None:
    stall = StallDetector(since=0.0, limit=10.0)
    for step in range(5):
        assert stall.beat(step * 3.0, (step, 0, "train"))
    assert not stall.beat(40.0, (4, 0, "train"))
    assert not stall.is_stuck(12.0 + 29.0)
    assert stall.is_stuck(12.0 + 31.0)


def test_a_pulse_that_never_beat_gets_longer() -> None:
    stall = StallDetector(since=0.0, limit=10.0)
    assert not stall.is_stuck(59.0)
    assert stall.is_stuck(61.0)


@pytest.mark.parametrize("status", [None, -signal.SIGKILL])
def test_a_kill_for_want_of_memory_is_oom_and_waits_longer_each_time(status: int | None) -> None:
    verdicts = [decide(Ending(status, is_oom=True, last_words="step 3"), Spent(ooms=used)) for used in (0, 2, 15)]
    assert [verdict.outcome for verdict in verdicts] == ["oom"] * 3
    assert [verdict.state for verdict in verdicts] == ["queued", "queued", "failed"]
    assert [verdict.wait for verdict in verdicts] == [1.0, 16.0, 0.0]
    assert verdicts[0].reason == "out of memory: the system killed it (SIGKILL)"
    assert verdicts[0].spent == {"ooms": 1}


def test_what_the_machine_lacks_spends_nothing_however_often() -> None:
    verdict = decide(Ending(1, lack="the disk is full"), Spent(crashed=2))
    assert (verdict.outcome, verdict.state, verdict.spent, verdict.wait) == ("crashed", "queued", {}, 5.0)
    assert verdict.reason == "the disk is full; goes on when there is room"
    assert decide(Ending(88, lack="the disk is full"), Spent()).state == "failed", "it said itself that it cannot"


def test_an_attempt_that_finds_a_broken_gpu_spends_nothing() -> None:
    verdict = decide(Ending(1, last_words="the GPU failed: x", broken="GPU a failed: x"), Spent(crashed=2))
    assert (verdict.outcome, verdict.state, verdict.spent, verdict.wait) == ("crashed", "queued", {}, 0.0)
    assert verdict.reason == "GPU a failed: x; goes on elsewhere"
    assert decide(Ending(0, is_committed=True, broken="GPU a failed: x"), Spent()).state == "done"
