"""A replayed graph is timed by the card's clock, on the stub, whose kernels take 2 us each."""

from __future__ import annotations

import pytest

from tests.gpu_stub.build import why_not
from tests.gpu_stub.children import H100, Card, call_on
from tests.gpu_stub.replays import KERNEL, refuse_asking, replay_layers

LAYERS = 50
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


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


def test_without_nvml_a_card_says_why_it_tells_nothing() -> None:
    found = call_on(Card(more={"XP_STUB_NVML": "none"}), replay_layers, layers=2, batch=1)
    assert found["spent"] == "NVML does not start: Driver Not Loaded"


def test_a_network_that_asks_the_host_is_not_captured_and_says_why() -> None:
    found = call_on(H100, refuse_asking)
    assert "not permitted when stream is capturing" in found["asking"]
    assert (found["plain"], found["again"]) == ("", "")
