"""A device is set up so that the same work gives the same bits."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from engine.core.card import Card
from engine.errors import JobError
from engine.run import device
from engine.run.device import device_name, is_memory_error, prepare_device, seed_everything, set_threads
from engine.spec.base import Precision

H100 = Card("NVIDIA H100", (9, 0), has_kernels=True, has_bf16=True, has_tf32=True)
T4 = Card("Tesla T4", (7, 5), has_kernels=True, has_bf16=False, has_tf32=False)
V100 = Card("Tesla V100", (7, 0), has_kernels=False, has_bf16=False, has_tf32=False)
OLD = Card("Tesla P100", (6, 0), True, False, False)


@pytest.fixture(autouse=True)
def _settings_come_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(device, "read_card", lambda: H100)
    threads, visible = torch.get_num_threads(), os.environ.get("CUDA_VISIBLE_DEVICES")
    benchmark = torch.backends.cudnn.benchmark
    yield
    torch.backends.cudnn.benchmark = benchmark
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
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("shapes differ"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error: BaseException, expected: bool) -> None:
    assert is_memory_error(error) is expected


@pytest.mark.parametrize(
    ("slot", "asked", "expected", "only_warns"),
    [
        ("cpu:0", False, True, True),
        ("cpu:0", True, True, True),
        ("GPU-1", False, False, False),
        ("GPU-1", True, True, False),
    ],
)
def test_determinism_is_an_error_on_a_gpu_and_free_on_a_processor(
    monkeypatch: pytest.MonkeyPatch, slot: str, asked: bool, expected: bool, only_warns: bool
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "before")
    prepare_device(slot, 1, deterministic=asked)
    assert torch.are_deterministic_algorithms_enabled() is expected
    assert torch.is_deterministic_algorithms_warn_only_enabled() is only_warns
    assert torch.backends.cudnn.benchmark is not asked
    assert torch.utils.deterministic.fill_uninitialized_memory is False  # type: ignore[attr-defined]
    needs_workspace = asked and not slot.startswith("cpu")
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == (":4096:8" if needs_workspace else "before")


@pytest.mark.parametrize(("precision", "is_rounded"), [("fp32", False), ("bf16", False), ("tf32", True)])
def test_a_gpu_rounds_factors_of_fp32_only_where_the_spec_says_tf32(precision: Precision, is_rounded: bool) -> None:
    prepare_device("GPU-1", 1, deterministic=False, precision=precision)
    assert torch.backends.cuda.matmul.allow_tf32 is is_rounded
    assert torch.backends.cudnn.allow_tf32 is is_rounded
    prepare_device("cpu:0", 1, deterministic=False)
    assert torch.backends.cudnn.allow_tf32 is False


@pytest.mark.parametrize(
    ("card", "precision", "what", "fix"),
    [
        (T4, "bf16", "Tesla T4 (compute capability 7.5) has no bf16", "train.precision: fp16 or fp32"),
        (T4, "tf32", "Tesla T4 (compute capability 7.5) has no tf32", "train.precision: fp32"),
        (OLD, "fp16", "P100 (compute capability 6.0) has no fp16 that is fast", "train.precision: fp32"),
        (OLD, "bf16", "P100 (compute capability 6.0) has no bf16", "set train.precision: fp32"),
        (V100, "fp32", "has no kernels for Tesla V100 (compute capability 7.0)", "install a build of torch"),
    ],
)
def test_a_card_that_cannot_do_the_work_is_refused_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, card: Card, precision: Precision, what: str, fix: str
) -> None:
    monkeypatch.setattr(device, "read_card", lambda: card)
    with pytest.raises(JobError) as caught:
        prepare_device("GPU-1", 1, deterministic=False, precision=precision)
    assert what in caught.value.what
    assert fix in caught.value.fix
    if precision != "fp16":
        assert prepare_device("cpu:0", 1, deterministic=False, precision=precision).type == "cpu"


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_a_card_without_bf16_takes_jobs_of_other_precisions(
    monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    monkeypatch.setattr(device, "read_card", lambda: T4)
    assert prepare_device("GPU-1", 1, deterministic=False, precision=precision).type == "cuda"


def test_fp16_on_a_cpu_is_refused_with_the_fix() -> None:
    with pytest.raises(JobError, match="fp16 is for GPUs") as caught:
        prepare_device("cpu:0", 1, deterministic=False, precision="fp16")
    assert "train.precision: fp32" in caught.value.fix


def test_the_first_visible_gpu_is_the_jobs_own() -> None:
    assert prepare_device("GPU-1", 1, deterministic=False) == torch.device("cuda", 0)


def test_torch_is_told_of_its_one_thread_between_operators_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses the second time: so it is asked first."""
    told: list[int] = []
    monkeypatch.setattr(torch, "set_num_interop_threads", told.append)
    for now in (4, 1):
        monkeypatch.setattr(torch, "get_num_interop_threads", lambda now=now: now)
        set_threads(2)
    assert told == [1]


def test_a_seed_is_each_generators_own() -> None:
    """A seed wider than numpy's 32 bits is cut for it and for no other."""
    seed = 5 + 2**40
    seed_everything(seed)
    found = (random.random(), float(np.random.random()), float(torch.rand(())))
    expected = (
        random.Random(seed).random(),
        float(np.random.RandomState(5).random_sample()),
        float(torch.rand((), generator=torch.Generator().manual_seed(seed))),
    )
    assert found == expected


def test_a_processor_is_named_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_name(torch.device("cpu")) == "cpu"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
    assert device_name(torch.device("cuda", 0)) == "GPU of cuda:0"
