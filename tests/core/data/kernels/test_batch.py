"""Whole batches by the kernels are those of the host, of images that the device holds or not; kernels compile for
every card."""

from __future__ import annotations

import pytest

from tests.core.data.kernels.cases import CASES
from tests.helpers.aot import TARGETS, compile_kernel


def test_a_batch_with_everything_on_has_the_hosts_bytes(compared: dict[str, bool]) -> None:
    assert compared["a whole batch"]


def test_loaders_give_the_hosts_batches_of_images_held_here_and_there(compared: dict[str, bool]) -> None:
    assert compared["loaders with 3 of 8 images held"]


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
