"""What a card can do is read as torch tells it, and kernels by the rules of CUDA's architectures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.core.card import has_kernels
from engine.launch.faults import Fault, read_fault
from engine.spec.base import Precision
from tests.gpu_stub.build import build_stub, why_not
from tests.gpu_stub.children import T4, Card, call_on

ROOT = Path(__file__).parents[2]
BUILT = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
V100 = Card("Tesla V100", 70, 16384)
needs_stub = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


@pytest.mark.parametrize(
    ("capability", "built", "expected"),
    [
        ((7, 5), BUILT, True),
        ((7, 0), BUILT, False),
        ((8, 9), BUILT, True),  # machine code of 8.6
        ((8, 0), ["sm_86"], False),
        ((9, 0), ["sm_80"], False),
        ((9, 0), ["sm_80", "compute_80"], True),  # translated when it starts
        ((9, 0), ["sm_90a"], True),
        ((9, 1), ["sm_90a"], False),
        ((10, 3), ["sm_100f"], True),
        ((12, 0), ["sm_120"], True),
        ((9, 0), ["gfx942"], True),  # not known here, so nothing is said
        ((9, 0), [], True),
    ],
)
def test_a_build_has_kernels_for_a_card_or_has_not(
    capability: tuple[int, int], built: list[str], expected: bool
) -> None:
    assert has_kernels(capability, built) is expected


def begin(precision: Precision) -> dict[str, Any]:
    """Begin a job in a process that sees a card; return what the job's process would exit with."""
    from engine.run import _exit_status
    from engine.run.device import prepare_device

    try:
        found = prepare_device("GPU-1", 1, False, precision)
    except Exception as error:
        return {"exit": int(_exit_status(error, "train-1", 0)), "said": str(error)}
    return {"exit": 0, "said": str(found)}


@needs_stub
def test_a_job_of_bf16_is_refused_for_good_on_a_card_that_imitates_it() -> None:
    found = call_on(T4, begin, precision="bf16")
    assert found["exit"] == 88
    assert "has no bf16\nfix: set train.precision: fp16 or fp32" in found["said"]


def ask(card: Card) -> dict[str, Any]:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "0", **card.environment(build_stub())}
    command = [sys.executable, "-m", "engine.core.card"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=280, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@needs_stub
@pytest.mark.parametrize(("card", "has_kernels"), [(T4, True), (V100, False)], ids=["t4", "v100"])
def test_a_card_is_told_as_json_to_who_starts_no_cuda(card: Card, has_kernels: bool) -> None:
    number = [card.capability // 10, card.capability % 10]
    assert ask(card) == {
        "name": card.name, "capability": number, "has_kernels": has_kernels, "has_bf16": False, "has_tf32": False,
    }  # fmt: skip


@needs_stub
def test_a_card_that_does_not_start_is_told_in_words_that_shut_it_out() -> None:
    told = ask(Card(more={"XP_STUB_BROKEN": "0"}))
    assert read_fault(told["error"]) == Fault("uncorrectable ECC error encountered", True)
