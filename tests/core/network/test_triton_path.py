"""Where the kernels run: asked for or settled on, on a device that has them, for words that they claim."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from engine.core.network import triton_path
from engine.core.network.triton_path import misfit, uses_triton
from engine.core.network.window import WindowAttention
from tests.core.network.nets import longformer, tokens

CPU = torch.device("cpu")


@pytest.fixture
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_path, "IS_INTERPRETED", True)
    monkeypatch.setattr(triton_path, "HAS_TRITON", True)


def x(dtype: torch.dtype = torch.float32) -> Tensor:
    return tokens().to(dtype)


def test_nothing_of_ours_needs_triton() -> None:
    code = (
        "import sys; sys.modules['triton'] = None\n"
        "import engine.core.network.attention, engine.core.network.backends, engine.core.network.tiny_vit\n"
        "from engine.core.network import triton_path; assert not triton_path.HAS_TRITON"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("_interpreted")
def test_kernels_run_where_they_are_asked_for_or_settled_on() -> None:
    assert uses_triton(longformer(backend="triton"), x())
    for backend in ("auto", "sdpa", "reference"):
        assert not uses_triton(longformer(backend=backend), x())
    settled = longformer()
    settled.prefers_triton = True
    assert uses_triton(settled, x())
    assert not uses_triton(settled, x(torch.float64))
    assert not uses_triton(settled, x().to("meta"))


def test_on_a_cpu_the_same_attention_is_computed_without_them() -> None:
    module, plain = longformer(backend="triton"), longformer(backend="auto")
    plain.load_state_dict(module.state_dict())
    assert not uses_triton(module, x())
    assert torch.equal(module(tokens()).out, plain(tokens()).out)
    assert misfit(module, CPU) in ("it needs an NVIDIA GPU", "triton is not installed")


@pytest.mark.usefixtures("_interpreted")
def test_what_is_too_large_or_not_claimed_is_told() -> None:
    assert misfit(longformer(8), CPU) == ""
    assert misfit(WindowAttention(16, 1, 16, 33), CPU) == "1089 tokens in a window, at most 1024"
    assert misfit(WindowAttention(16, 1, 144, 4), CPU) == "144 channels a head, at most 128"
    assert misfit(longformer(9, globals=65), CPU) == "65 globals, at most 64"
    assert misfit(longformer(6, select="pooled", combine="sum"), CPU) == "select: pooled, combine: sum"


def test_a_card_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_path, "HAS_TRITON", True)
    for capability, told in (((7, 5), "8.0 or newer"), ((8, 0), "")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, found=capability: found)
        assert told in misfit(longformer(), torch.device("cuda", 0))
