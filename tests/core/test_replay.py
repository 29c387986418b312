"""A replayed graph is timed by the card's clock, on the stub, whose kernels take 2 us each."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

import pytest

from engine.core.replay import _Watch
from engine.core.sensors import Reading, Sensors
from tests.gpu_stub.build import why_not
from tests.gpu_stub.children import H100, T4, Card, call_on
from tests.gpu_stub.replays import KERNEL, name_dtype, refuse_asking, replay_layers

LAYERS = 50
on_stub = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


@on_stub
def test_a_pass_takes_what_its_kernels_take_and_costs_no_launch() -> None:
    found = call_on(H100, replay_layers, layers=LAYERS, batch=4)
    assert found["times"] == pytest.approx([LAYERS * KERNEL] * len(found["times"]), rel=1e-3)
    assert found["calls"] == pytest.approx(0.002 / (LAYERS * KERNEL), abs=1), "2 ms between two events"
    assert found["seconds"] == pytest.approx(0.01, rel=0.21)
    assert found["launches"] == 0
    assert found["replayed"] == LAYERS * found["graphs"] > 0
    assert found["spent"][0] == pytest.approx(LAYERS * KERNEL, rel=1e-3)
    assert found["spent"][2] == 1755.0
    names = ("cuda_peak_allocated", "cuda_peak_reserved")
    assert found["peaks"] == sorted([*names, *(f"{name}_settled" for name in names)])


@on_stub
def test_without_nvml_a_card_says_why_it_tells_nothing() -> None:
    found = call_on(Card(more={"XP_STUB_NVML": "none"}), replay_layers, layers=2, batch=1)
    assert found["spent"] == "NVML does not start: Driver Not Loaded"


@on_stub
def test_a_network_that_asks_the_host_is_not_captured_and_says_why() -> None:
    found = call_on(H100, refuse_asking)
    assert "not permitted when stream is capturing" in found["asking"]
    assert (found["plain"], found["again"]) == ("", "")


@on_stub
@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_a_replayed_pass_works_in_the_precision_that_was_asked_for(precision: str) -> None:
    words = {"bf16": "torch.bfloat16", "fp16": "torch.float16", "fp32": "torch.float32"}
    assert call_on(T4 if precision == "fp16" else H100, name_dtype, precision=precision) == words[precision]


LOOK = 0.02  # a move is seen up to 5 ms late: so much of a third of a second


# The counter of energy ------------------------------------------------------------------------------------------------


class MadeUp(Sensors):
    """A card that has used `joules(now)` since it began, which it tells anew every `tick` seconds."""

    def __init__(self, joules: Callable[[float], float] | None, tick: float = 0.02) -> None:
        super().__init__(ctypes.CDLL(None), ctypes.c_void_p())
        self.used, self.tick, self.now = joules, tick, 0.0

    def read(self) -> Reading:
        return Reading()

    def joules(self) -> float | None:
        return None if self.used is None else self.used(self.now // self.tick * self.tick)


def look_for(card: MadeUp, seconds: float, monkeypatch: pytest.MonkeyPatch) -> _Watch:
    """Look every millisecond of the made-up card's own time."""
    monkeypatch.setattr(time, "perf_counter", lambda: card.now)
    watch = _Watch(card)
    for step in range(1, round(seconds * 1000) + 1):
        card.now = step / 1000
        watch.look()
    return watch


def test_power_is_the_energy_between_two_moves_of_the_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = look_for(MadeUp(lambda now: 1000 + 350 * now), 0.5, monkeypatch)
    assert watch.watts() == pytest.approx(350, rel=LOOK)
    assert 80 <= len(watch.readings) <= 101, "every 5 ms and no more"


def test_what_was_used_before_the_first_move_is_no_part_of_the_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card at rest until 15 ms, whose counter first moves at 20: a mean from the beginning would be 366 W."""
    watch = look_for(MadeUp(lambda now: 400 * max(now - 0.015, 0.0)), 0.2, monkeypatch)
    assert watch.watts() == pytest.approx(400, rel=2 * LOOK)


def test_a_power_that_changes_is_its_mean_over_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = look_for(MadeUp(lambda now: 200 * now + 200 * max(now - 0.5, 0.0)), 1.0, monkeypatch)
    assert watch.watts() == pytest.approx(300, rel=0.03)


@pytest.mark.parametrize(("tick", "seconds"), [(0.02, 0.03), (1.0, 0.9)], ids=["one move", "no move"])
def test_a_counter_that_moved_less_than_twice_tells_no_power(
    tick: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look_for(MadeUp(lambda now: 350 * now, tick), seconds, monkeypatch).watts() is None


def test_a_card_that_counts_no_energy_tells_no_power(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = look_for(MadeUp(None), 0.2, monkeypatch)
    assert (watch.watts(), watch.moved) == (None, [])
    assert len(watch.readings) > 10, "clocks are told all the same"
