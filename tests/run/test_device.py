"""A device is set up so that the same work gives the same bits."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from engine.run.device import is_memory_error, prepare_device, seed_everything


@pytest.fixture(autouse=True)
def _settings_come_back() -> Iterator[None]:
    threads, visible = torch.get_num_threads(), os.environ.get("CUDA_VISIBLE_DEVICES")
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    if visible is None:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible


def test_gradients_of_an_index_are_the_same_each_time_with_two_threads() -> None:
    prepare_device("cpu:0", 2, deterministic=False)
    table = torch.randn(196, 8, requires_grad=True)
    places, weights = torch.randint(0, 196, (196, 196)), torch.randn(196, 196, 8)
    seen = set()
    for _ in range(10):
        (table[places] * weights).sum().backward()  # type: ignore[no-untyped-call]
        assert table.grad is not None
        seen.add(table.grad.numpy().tobytes())
        table.grad = None
    assert len(seen) == 1


def test_a_slot_decides_what_cuda_sees() -> None:
    assert prepare_device("cpu:0", 1, deterministic=False).type == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert prepare_device("GPU-1234", 1, deterministic=False).type == "cuda"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-1234"


def test_the_thread_count_is_the_one_asked_for() -> None:
    prepare_device("cpu:0", 2, deterministic=False)
    assert (torch.get_num_threads(), torch.get_num_interop_threads()) == (2, 1)


def test_a_seed_seeds_all_three_generators() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(()))

    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("shapes differ"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error: BaseException, expected: bool) -> None:
    assert is_memory_error(error) is expected
