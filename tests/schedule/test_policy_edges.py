"""The rules of scheduling at their edges: every constant, every word of a reason, every tie."""

from __future__ import annotations

import signal

import pytest

from engine.schedule.policy import BUDGETS, CRASH_SIGNALS, Ending, Spent, StallDetector, decide, rank_experiments
from tests.schedule.test_policy import Row


def test_budgets_and_crash_signals_are_these() -> None:
    """A change of them changes how long a broken job is tried: it has to be made here too."""
    assert BUDGETS == {"crashed": 3, "lost": 20, "ooms": 16}
    names = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"}
    assert {number.name for number in CRASH_SIGNALS} == names


@pytest.mark.parametrize("number", sorted(CRASH_SIGNALS))
def test_a_signal_of_a_fault_is_a_crash(number: signal.Signals) -> None:
    assert decide(Ending(-number), Spent()).outcome == "crashed"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_from_outside_is_a_loss(number: signal.Signals) -> None:
    verdict = decide(Ending(-number), Spent())
    assert (verdict.outcome, verdict.spent, verdict.wait) == ("lost", {"lost": 1}, 0.0)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending(1), "exit 1"),
        (Ending(0), "ended without a result"),
        (Ending(None), "its process is gone"),
        (Ending(None, has_started=False), "never started"),
        (Ending(75), "exit 75"),
        (Ending(-9), "killed by SIGKILL"),
        (Ending(-99), "killed by signal 99"),
        (Ending(86), "out of memory"),
        (Ending(87), "the loss is not a number"),
        (Ending(85, last_words="saved"), "asked to stop"),
        (Ending(-9, is_stuck=True), "no progress for too long"),
        (Ending(1, last_words="it burst"), "exit 1: it burst"),
        (Ending(86, last_words="out of memory (big)"), "out of memory (big)"),
        (Ending(88, last_words="no images"), "exit 88: no images"),
        (Ending(0, is_committed=True, last_words="done"), ""),
    ],
)
def test_a_reason_says_how_it_ended_and_its_last_words(ending: Ending, reason: str) -> None:
    verdict = decide(ending, Spent())
    assert (verdict.reason, verdict.exit) == (reason, ending.exit)


def test_a_spent_budget_says_how_often() -> None:
    verdict = decide(Ending(1, last_words="it burst"), Spent(crashed=2))
    told = "exit 1: it burst (3 attempts ended so without a newer checkpoint)"
    assert (verdict.state, verdict.reason, verdict.exit, verdict.spent) == ("failed", told, 1, {"crashed": 1})
    assert decide(Ending(1), Spent(lost=99, ooms=99)).state == "queued", "each budget is its own"
    assert decide(Ending(None), Spent(crashed=99, ooms=99)).state == "queued"
    assert decide(Ending(86), Spent(crashed=99, lost=99)).state == "queued"


@pytest.mark.parametrize("status", [85, 75, -9])
def test_what_was_taken_away_counts_as_lost(status: int) -> None:
    verdict = decide(Ending(status), Spent())
    assert (verdict.spent, verdict.wait) == ({"lost": 1}, 0.0)
    assert decide(Ending(status), Spent(lost=18)).state == "queued"
    assert decide(Ending(status), Spent(lost=19)).state == "failed"


@pytest.mark.parametrize("status", [87, 88, 89])
def test_what_would_end_the_same_way_is_failed_at_once(status: int) -> None:
    verdict = decide(Ending(status, made_progress=True), Spent())
    assert (verdict.state, verdict.spent, verdict.wait) == ("failed", {}, 0.0)


def test_a_stuck_job_counts_whatever_its_exit_and_progress_forgives_it() -> None:
    assert decide(Ending(85, is_stuck=True), Spent()).outcome == "stuck"
    assert decide(Ending(None, is_stuck=True), Spent(crashed=2)).state == "failed"
    assert decide(Ending(-9, is_stuck=True, made_progress=True), Spent(crashed=2)).spent == {}
    assert decide(Ending(-9, is_stuck=True), Spent(crashed=1)).wait == 4.0
    assert decide(Ending(-9, is_stuck=True, is_committed=True), Spent()).outcome == "done"


def test_the_longest_wait_is_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.schedule.policy.BUDGETS", {"crashed": 99})
    assert [decide(Ending(1), Spent(crashed=used)).wait for used in (2, 3, 50)] == [16.0, 60.0, 60.0]
    monkeypatch.setattr("engine.schedule.policy.BUDGETS", {"ooms": 99})
    assert decide(Ending(86), Spent(ooms=7)).wait == 1.0


def test_equal_experiments_take_turns_by_name() -> None:
    rows = [Row("b"), Row("a"), Row("c", priority=-1), Row("d", running=1)]
    assert [row.experiment for row in rank_experiments(rows)] == ["a", "b", "d", "c"]
    assert [row.experiment for row in rank_experiments([Row("a", submitted_at=2.0), Row("b", submitted_at=1.0)])] == [
        "b",
        "a",
    ]


def test_a_pulse_keeps_a_running_mean_of_its_pace() -> None:
    stall = StallDetector(since=0.0, limit=10.0)
    assert not stall.beat(5.0, None)
    assert stall.since == 0.0, "nothing was seen"
    for now, step, typical in ((100.0, 1, 0.0), (104.0, 2, 4.0), (114.0, 3, 5.2), (115.0, 4, 4.36)):
        assert stall.beat(now, step)
        assert stall.typical == pytest.approx(typical)
        assert (stall.since, stall.last) == (now, step)
    assert not stall.beat(200.0, 4)
    assert not stall.beat(200.0, None), "a heartbeat that cannot be read is no news"
    assert stall.since == 115.0


def test_a_pulse_is_stuck_past_its_limits_and_not_at_them() -> None:
    fresh = StallDetector(since=0.0, limit=10.0)
    assert (fresh.is_stuck(60.0), fresh.is_stuck(60.1)) == (False, True)
    fresh.beat(50.0, 1)
    assert (fresh.is_stuck(60.0), fresh.is_stuck(60.1)) == (False, True)
    fresh.beat(52.0, 2)
    assert (fresh.is_stuck(72.0), fresh.is_stuck(72.1)) == (False, True), "ten times its pace of two seconds"
