"""What a GPU fails by is known by CUDA's words, and what a job does wrong is not taken for it."""

from __future__ import annotations

import pytest

from engine.launch.faults import SURE, UNSURE, Fault, find_fault, read_fault

COUNTING = "Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices()"


@pytest.mark.parametrize("told", SURE)
def test_a_card_that_does_not_start_is_known(told: str) -> None:
    assert read_fault(f"RuntimeError: {told}. Please check\nand more") == Fault(told, True)


@pytest.mark.parametrize("told", UNSURE)
def test_what_may_be_the_jobs_own_fault_is_known_as_that(told: str) -> None:
    assert read_fault(f"torch.AcceleratorError: CUDA error: {told}\nCUDA kernel errors might be") == Fault(told, False)


def test_the_cause_is_told_where_torch_says_more_than_one_thing() -> None:
    found = read_fault(f"{COUNTING} Error 214: uncorrectable ECC error encountered")
    assert found == Fault("uncorrectable ECC error encountered", True)


def test_the_drivers_number_is_told() -> None:
    assert read_fault("NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen") == Fault("Xid (PCI:0000:3b:00): 79", True)


@pytest.mark.parametrize(
    "text", ["", "ValueError: shapes differ", "CUDA out of memory. Tried to allocate", "Xid", "no kernel image"]
)
def test_other_errors_are_no_fault_of_a_card(text: str) -> None:
    assert read_fault(text) is None


def test_a_fault_that_led_to_another_error_counts() -> None:
    error = ValueError("the batch was not trained on")
    error.__context__ = RuntimeError("CUDA error: device-side assert triggered")
    assert find_fault(error) == Fault("device-side assert triggered", False)
    assert find_fault(ValueError("shapes differ")) is None
