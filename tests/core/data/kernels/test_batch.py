"""Whole batches by the kernels are those of the host, however much of the data set the device holds."""

from __future__ import annotations

import pytest

from tests.core.data.kernels.cases import CASES
from tests.helpers.aot import TARGETS, compile_kernel


def test_a_batch_with_everything_on_has_the_hosts_bytes(compared: dict[str, bool]) -> None:
    assert compared["a whole batch"]


@pytest.mark.parametrize("held", [8, 3, 0])
def test_loaders_give_the_hosts_batches_whatever_is_held(compared: dict[str, bool], held: int) -> None:
    assert compared[f"loaders with {held} of 8 images held"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_a_kernel_compiles_without_spills_and_rounds_each_step_once(name: str, target: int) -> None:
    case = CASES[name]
    made = compile_kernel(case.kernel, case.signature, case.constants, target, enable_fp_fusion=False)
    print(f"{name} sm_{target}: {made.registers} registers, {made.shared} bytes shared, {made.spills} spilled")
    assert made.spills == 0
    assert made.registers <= 128
    # Neither a product fused with a sum nor a division by approximation: the host has none.
    assert "fma." not in made.ptx
    assert "div.full" not in made.ptx
    assert "div.approx" not in made.ptx
