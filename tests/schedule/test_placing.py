"""Where jobs fit, which needs no process and no clock."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

import pytest

from engine.launch import Want
from engine.schedule import slot_book
from engine.schedule.placing import (
    NO_DOUBTS,
    NOTHING,
    Demand,
    Doubts,
    Fits,
    Held,
    fits_always,
    is_news,
    node_of,
    read_demand,
    read_want,
    shuts_out,
    tell_wait,
)
from engine.schedule.slot_book import SlotBook

CPU = Demand()
C = TypeVar("C")


def choose_slot(
    demand: Demand, slots: list[str], held: list[Held], doubts: Doubts = NO_DOUBTS, fits: Fits = fits_always
) -> str | None:
    return SlotBook(slots, held).choose(demand, doubts, fits)


def choose_next(
    turns: list[list[tuple[C, Demand]]], slots: list[str], held: list[Held], doubts: Doubts = NO_DOUBTS
) -> tuple[C, str] | None:
    found = slot_book.choose_next(turns, SlotBook(slots, held), doubts)
    return None if found is None else (found[0], found[1].slot)


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


@pytest.mark.parametrize(
    ("kind", "details", "demand", "whole"),
    [
        ("train", {}, Demand(1.0), True),
        ("train", {"resources": None}, Demand(1.0), True),
        ("train", {"resources": {"gpus": 4}}, Demand(1.0), True),
        ("train", {"resources": {"gpus": 0.5}}, Demand(0.5), False),
        ("train", {"resources": {"gpus": 0}}, Demand(0.0), False),
        ("train", {"resources": {"gpus": -1}}, Demand(0.0), False),
        ("pack", {"resources": {"gpus": 1}}, Demand(0.0), False),
        ("measure", {"resources": {"gpus": 0.5}}, Demand(1.0, is_alone=True), True),
        ("measure", {"resources": {"gpus": 0}}, Demand(0.0, is_alone=True), True),
    ],
)
def test_what_a_job_asks_of_a_device(kind: str, details: dict[str, object], demand: Demand, whole: bool) -> None:
    assert read_demand(kind, details) == demand
    assert demand.is_whole is whole


def test_a_measure_job_on_the_processors_leaves_the_gpus_alone() -> None:
    slots, alone = ["a", "cpu:0", "cpu:1"], Demand(0.0, is_alone=True)
    assert choose_slot(alone, slots, [Held("a", gpu_job(1))]) == "cpu:0"
    assert choose_slot(gpu_job(1), slots, [Held("cpu:0", alone)]) == "a"
    assert choose_slot(Demand(), slots, [Held("cpu:1", alone)]) is None


def test_the_fuller_gpu_is_filled_and_the_first_of_equals() -> None:
    held = [Held("a", gpu_job(0.25)), Held("b", gpu_job(0.5)), Held("gone", gpu_job(1))]
    assert choose_slot(gpu_job(0.5), ["a", "b"], held) == "b"
    assert choose_slot(gpu_job(0.6), ["a", "b"], held) == "a"
    assert choose_slot(gpu_job(0.5), ["b", "a"], []) == "b"
    assert choose_slot(gpu_job(0.51), ["b"], held) is None


def test_shares_that_make_a_whole_fit_in_spite_of_rounding() -> None:
    """0.05 + 0.55 + 0.3 + 0.1 is a little more than one in binary."""
    held = [Held("a", gpu_job(share)) for share in (0.05, 0.55, 0.3)]
    assert choose_slot(gpu_job(0.1), ["a"], held) == "a"


def test_a_small_job_that_does_not_fit_keeps_nobody_off() -> None:
    held = [Held("a", gpu_job(0.5))]
    assert choose_next([[("most", gpu_job(0.75)), ("half", gpu_job(0.5))]], ["a"], held) == ("half", "a")


# On other machines ----------------------------------------------------------------------------------------------------


def test_a_measurement_is_alone_on_its_machine_and_not_on_all() -> None:
    slots, alone = ["cpu:0@n1/a", "cpu:0@n1/b", "cpu:0@n2/c"], Demand(is_alone=True)
    assert choose_slot(alone, slots, [Held("cpu:0@n1/a", Demand())]) == "cpu:0@n2/c"
    assert choose_slot(Demand(), slots, [Held("cpu:0@n2/c", alone), Held("cpu:0@n1/a", Demand())]) == "cpu:0@n1/b"
    assert choose_slot(alone, slots[:2], [Held("cpu:0@n1/a", Demand())]) is None


def test_a_job_goes_only_where_it_fits() -> None:
    slots = ["GPU-1@n1/a", "GPU-1@n2/b"]
    found = choose_slot(Demand(1.0), slots, [], fits=lambda slot, want: slot.endswith("b"))
    assert found == "GPU-1@n2/b"
    assert choose_slot(Demand(1.0), slots, [], fits=lambda slot, want: False) is None
    assert choose_slot(Demand(), ["cpu:0@n1/a"], [], fits=lambda slot, want: False) is None


def test_what_a_job_asks_of_a_machine_is_in_its_resources() -> None:
    told = {"resources": {"gpus": 2, "cpus": 3, "memory": "2G", "time": "90m"}}
    assert read_demand("train", told).want == Want(1.0, 3, 2 << 30, 5400)
    assert read_demand("pack", told).want == Want(0.0, 3, 2 << 30, 5400)
    assert read_want(0.0, {"memory": "much"}) == read_want(0.0, {}), "what cannot be read is as if nobody wrote it"
    assert NOTHING.memory == 0


def test_a_slot_names_its_machine() -> None:
    assert [node_of(slot) for slot in ("cpu:0@n1/a", "GPU-1@n2/b", "cpu:0", "GPU-1")] == ["n1", "n2", "", ""]
