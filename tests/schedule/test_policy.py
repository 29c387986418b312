"""The rules of scheduling, which need no process and no clock."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass

import pytest

from engine.schedule.policy import (
    BUDGETS,
    Demand,
    Doubts,
    Ending,
    Held,
    Spent,
    StallDetector,
    chain_seconds,
    choose_next,
    choose_slot,
    decide,
    is_news,
    rank_experiments,
    read_demand,
    shuts_out,
    tell_wait,
)


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


CPU = Demand()


def gpu_job(gpus: float, kind: str = "train") -> Demand:
    return read_demand(kind, {"resources": {"gpus": gpus}})


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


def test_gpus_are_opaque_names_and_each_job_gets_what_it_asked_for() -> None:
    slots = ["MIG-1a/2", "GPU-5c", "cpu:0"]
    half, whole = gpu_job(0.5), gpu_job(1)
    taken = [Held("MIG-1a/2", half)]
    assert choose_slot(half, slots, taken) == "MIG-1a/2", "one that is partly used is filled first"
    assert choose_slot(whole, slots, taken) == "GPU-5c"
    assert choose_slot(half, slots, [*taken, Held("MIG-1a/2", half)]) == "GPU-5c"
    assert choose_slot(whole, slots, [*taken, Held("GPU-5c", half)]) is None
    assert choose_slot(gpu_job(0), slots, taken) == "cpu:0"
    assert choose_slot(gpu_job(1, "pack"), slots, taken) == "cpu:0", "nothing of it runs on a GPU"


@pytest.mark.parametrize(("share", "at_once"), [(1, 2), (0.5, 4), (0.34, 4), (1 / 3, 6), (0.25, 8), (0.1, 20)])
def test_two_gpus_hold_as_many_shares_as_fit(share: float, at_once: int) -> None:
    slots, held = ["a", "b"], list[Held]()
    while (slot := choose_slot(gpu_job(share), slots, held)) is not None:
        held.append(Held(slot, gpu_job(share)))
    assert Counter(entry.slot for entry in held) == {"a": at_once // 2, "b": at_once // 2}


def test_a_measure_job_is_alone_on_its_gpu_whatever_it_asked_for() -> None:
    alone, half = gpu_job(0.5, "measure"), gpu_job(0.5)
    assert choose_slot(alone, ["a"], [Held("a", half)]) is None
    assert choose_slot(half, ["a"], [Held("a", alone)]) is None
    assert choose_slot(alone, ["a", "b"], [Held("a", half)]) == "b"


def test_a_gpu_job_takes_a_cpu_slot_where_there_is_no_gpu() -> None:
    assert choose_slot(gpu_job(1), ["cpu:0"], []) == "cpu:0"
    assert choose_slot(gpu_job(0.5), ["cpu:0"], [Held("cpu:0", CPU)]) is None


def test_the_first_job_that_fits_starts() -> None:
    jobs = [("big", gpu_job(1)), ("cpu", CPU)]
    assert choose_next([jobs], ["a", "cpu:0"], []) == ("big", "a")
    assert choose_next([jobs], ["a", "cpu:0"], [Held("a", gpu_job(1))]) == ("cpu", "cpu:0")
    assert choose_next([[], jobs], ["cpu:0"], [Held("cpu:0", CPU)]) is None


def test_a_job_that_needs_a_whole_device_is_not_starved_by_small_ones() -> None:
    half, busy = gpu_job(0.5), [Held("a", gpu_job(0.5))]
    assert choose_next([[("small", half)]], ["a"], busy) == ("small", "a")
    assert choose_next([[("big", gpu_job(1))], [("small", half)]], ["a"], busy) is None
    assert choose_next([[("big", gpu_job(1))], [("cpu", CPU)]], ["a", "cpu:0"], busy) == ("cpu", "cpu:0")
    measure = gpu_job(1, "measure")
    assert choose_next([[("alone", measure), ("next", CPU)]], ["cpu:0", "cpu:1"], [Held("cpu:0", CPU)]) is None


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


GPUS = ["a", "b", "cpu:0"]


def test_a_gpu_that_is_shut_out_gets_no_job_and_none_for_it_goes_to_the_processor() -> None:
    shut = Doubts(shut=frozenset({"a"}))
    assert choose_slot(gpu_job(1), GPUS, [], shut) == "b"
    assert choose_slot(gpu_job(0.5), GPUS, [Held("a", gpu_job(0.5))], shut) == "b", "not even beside one that runs"
    assert choose_slot(gpu_job(1), GPUS, [], Doubts(shut=frozenset("ab"))) is None
    assert choose_next([[("train", gpu_job(1)), ("pack", CPU)]], GPUS, [], Doubts(shut=frozenset("ab"))) == (
        "pack",
        "cpu:0",
    )


def test_a_gpu_under_suspicion_comes_last_and_still_has_jobs() -> None:
    doubts = Doubts(suspects={"a": "train-1"})
    assert choose_slot(gpu_job(1), GPUS, [], doubts) == "b"
    assert choose_slot(gpu_job(0.5), GPUS, [Held("a", gpu_job(0.5))], doubts) == "b"
    assert choose_slot(gpu_job(1), GPUS, [Held("b", gpu_job(1))], doubts) == "a"


@pytest.mark.parametrize(
    ("is_sure", "doubts", "expected"),
    [
        (True, Doubts(), True),
        (False, Doubts(), False),
        (False, Doubts(suspects={"a": "other"}), True),
        (False, Doubts(suspects={"a": "mine"}), False),  # the same job again: it may be the job
        (False, Doubts(suspects={"b": "other"}), False),
        (False, Doubts(suspects={"a": "other", "b": "third"}), False),  # on every GPU: it is the jobs
        (False, Doubts(shut=frozenset("b"), suspects={"a": "other"}), False),
    ],
)
def test_a_gpu_is_shut_out_when_it_is_the_gpu_that_fails(is_sure: bool, doubts: Doubts, expected: bool) -> None:
    assert shuts_out(is_sure, "mine", "a", GPUS, doubts) is expected


def test_the_only_gpu_is_shut_out_by_what_is_sure_alone() -> None:
    doubts = Doubts(suspects={"a": "other"})
    assert not shuts_out(False, "mine", "a", ["a", "cpu:0"], doubts)
    assert shuts_out(True, "mine", "a", ["a", "cpu:0"], doubts)


def test_an_attempt_that_finds_a_broken_gpu_spends_nothing() -> None:
    verdict = decide(Ending(1, last_words="the GPU failed: x", broken="GPU a failed: x"), Spent(crashed=2))
    assert (verdict.outcome, verdict.state, verdict.spent, verdict.wait) == ("crashed", "queued", {}, 0.0)
    assert verdict.reason == "GPU a failed: x; goes on elsewhere"
    assert decide(Ending(0, is_committed=True, broken="GPU a failed: x"), Spent()).state == "done"


ASKED = Demand(1.0, needs_gpu=True)


@pytest.mark.parametrize(
    ("device", "expected"), [("auto", Demand(1.0)), ("gpu", ASKED), ("cpu", Demand()), (None, Demand(1.0))]
)
def test_details_say_which_kind_of_device_a_job_is_for(device: str | None, expected: Demand) -> None:
    assert read_demand("train", {} if device is None else {"device": device}) == expected


@pytest.mark.parametrize(
    ("demand", "slots", "shut", "expected"),
    [
        (ASKED, ["cpu:0"], "", "waits for a GPU: none is found here"),
        (gpu_job(1), ["cpu:0"], "", ""),
        (gpu_job(1), GPUS, "ab", "waits for a GPU: all here are shut out"),
        (gpu_job(1), GPUS, "a", ""),
        (CPU, GPUS, "ab", ""),
    ],
)
def test_a_job_that_waits_for_a_gpu_says_so(demand: Demand, slots: list[str], shut: str, expected: str) -> None:
    assert tell_wait(demand, slots, Doubts(shut=frozenset(shut))) == expected
    assert (choose_slot(demand, slots, [], Doubts(shut=frozenset(shut))) is None) is bool(expected)


@pytest.mark.parametrize(
    ("told", "wait", "expected"),
    [
        ("", "", False),
        ("", "waits for a GPU: x", True),
        ("waits for a GPU: x", "waits for a GPU: x", False),
        ("waits for a GPU: x", "", True),
        ("exit 1: it burst", "", False),  # why it is there again is told until it runs
        ("exit 1: it burst", "waits for a GPU: x", True),
    ],
)
def test_a_reason_is_put_right_when_a_wait_begins_or_ends(told: str, wait: str, expected: bool) -> None:
    assert is_news(told, wait) is expected
