"""Every kernel compiles for the cards of three generations, without a GPU, and fits into their registers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.core.network.triton_attention.test_forward import needs_triton

SHAPES = ("dense 7", "dense 14", "dense 28", "slide 14", "slide 28", "block 28", "slide 32")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    # Named, because the next release of triton takes another one where none is.
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")


@needs_triton
def test_the_forward_kernel_compiles_for_a_hopper_card_without_one() -> None:
    check(SHAPES[3], torch.bfloat16, 90, ["attend_forward"])


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize("target", [80, 90, 120])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_kernel_spills_or_adds_atomically(shape: str, dtype: torch.dtype, target: int) -> None:
    check(shape, dtype, target, None)


def check(shape: str, dtype: torch.dtype, target: int, names: list[str] | None) -> None:
    """Here, because compiling needs triton."""
    from benchmarks.kernel_builds import SHAPES, build_all

    found = next(one for one in SHAPES if one.name.startswith(shape))
    for built in build_all(found, dtype, target, names):
        assert 0 < built.registers <= 255
        assert built.shared < 99 * 1024
        assert built.spilled == 0, built
        assert not built.has_atomics
