"""The CUDA path on the stub: every attention trains on a card, a step waits for nothing, running out is known."""

from __future__ import annotations

import os

import pytest

from benchmarks.gpu_parts.variants import variants
from tests.gpu_stub.build import why_not
from tests.gpu_stub.children import A100, H100, T4, Card, call_on
from tests.gpu_stub.walks import count_step, run_out, sweep, try_room

# As of today: what takes more of either has to say why. With a clip; an average of the weights comes to it.
LAUNCHES, PEAK_MB = 870, 807
AVERAGED_LAUNCHES, AVERAGED_MB = 872, 828
SCALED_LAUNCHES = 800
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


PAIRS = [(H100, "bf16")]
# All others that a card can do; each walks as far.
REST = [(A100, "tf32"), (T4, "fp32"), *((H100, word) for word in ("fp16", "tf32", "fp32")),
        *((A100, word) for word in ("bf16", "fp16", "fp32")), (T4, "fp16")]  # fmt: skip


@pytest.mark.parametrize(
    ("card", "precision"),
    [*PAIRS, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in REST)],
    ids=[f"{card.name.split()[1].partition('-')[0]}-{precision}" for card, precision in (*PAIRS, *REST)],
)
def test_every_attention_trains_and_is_evaluated_without_a_wait(card: Card, precision: str) -> None:
    found = call_on(card, sweep, precision=precision)
    assert found["done"] == len(list(variants()))
    assert found["failed"] == []
    assert found["waited"] == []


def test_a_step_of_the_5m_waits_for_nothing_and_keeps_its_launches() -> None:
    found = call_on(H100, count_step, batch=16, precision="bf16", has_average=False)
    assert (found["waits"], found["syncs"]) == ([], 0)
    assert found["launches"] <= LAUNCHES
    assert found["peak_mb"] == pytest.approx(PEAK_MB, rel=0.05)


def test_the_room_that_a_training_takes_is_measured_by_a_step_without_a_trace() -> None:
    found = call_on(H100, try_room, batch=64)
    assert (found["asked"], found["unchanged"], found["gradients"], found["is_training"]) == (1, True, 0, True)
    # What is measured covers what three real steps took, and not twice of it.
    assert 0.9 * found["real"] <= found["step"] <= found["needed"] <= 2 * found["real"]
    assert 0.9 * (80 << 30) < found["free"] < 80 << 30


def test_an_average_of_the_weights_costs_a_few_launches_and_no_wait() -> None:
    found = call_on(H100, count_step, batch=16, precision="bf16", has_average=True)
    assert found["waits"] == []
    assert found["launches"] <= AVERAGED_LAUNCHES
    assert found["peak_mb"] == pytest.approx(AVERAGED_MB, rel=0.05)


def test_a_scaled_step_of_fp16_waits_for_nothing() -> None:
    found = call_on(T4, count_step, batch=16, precision="fp16", has_average=False)
    assert found["waits"] == []
    assert found["launches"] <= SCALED_LAUNCHES


@pytest.mark.parametrize("kind", ["device", "host", "event"])
def test_running_out_of_any_memory_of_cuda_is_known_as_that(kind: str) -> None:
    card = Card(more={"XP_STUB_FAIL": kind}) if kind != "device" else T4
    found = call_on(card, run_out, kind=kind)
    assert found["known"], found["error"]


def test_this_process_sees_no_card() -> None:
    """What is loaded for children must not reach the tests' own torch."""
    assert "XP_STUB" not in os.environ
