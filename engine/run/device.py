"""The device of a job: takes its slot and thread count, sets torch up once, gives the device and seeds."""

from __future__ import annotations

import os
import random

import numpy as np
import torch

from engine.core.card import read_card
from engine.errors import JobError
from engine.inputs.gpus import slot_env
from engine.spec.base import Precision

OUT_OF_MEMORY: tuple[type[BaseException], ...] = (torch.cuda.OutOfMemoryError, MemoryError)
# The CPU allocator says it with a plain RuntimeError; pinned memory, events and graphs with an AcceleratorError; cuBLAS
# and cuDNN, which allocate by themselves, with their own status.
MEMORY_WORDS = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
CPU_SLOT = "cpu"
TORCH_VERSION = str(torch.__version__)


def prepare_device(slot: str, threads: int, deterministic: bool, precision: Precision = "fp32") -> torch.device:
    """Set threads, determinism and what a GPU may round; return the device of `slot`: `cpu:0`, else a GPU's id.

    Called before anything touches CUDA in this process. On a GPU it starts CUDA: raises JobError for a card that cannot
    do the work, and what torch raises for one that does not start. On the CPU everything is deterministic whatever was
    asked: it costs nothing there, and without it torch adds up the gradients of an index with two threads in any order.
    """
    set_threads(threads)
    on_cpu = slot.split(":")[0] == CPU_SLOT
    os.environ.update(slot_env(slot))
    if deterministic and not on_cpu:
        # cuBLAS is deterministic with one of two workspace settings only, and reads them when CUDA starts.
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    # Where CUDA cannot be deterministic that is an error; the CPU has few such operators, and the student's are none.
    torch.use_deterministic_algorithms(deterministic or on_cpu, warn_only=on_cpu)
    # This one only finds bugs, by writing every new tensor twice.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    _set_rounding(precision == "tf32")
    # Trying kernels out could choose another one in the next attempt.
    torch.backends.cudnn.benchmark = not deterministic
    if on_cpu:
        _refuse_fp16(precision)
        return torch.device("cpu")
    _check_card(precision)
    # The only one that is visible.
    return torch.device("cuda", 0)


def _check_card(precision: Precision) -> None:
    """Refuse before any work what would fail at the first kernel, or be slower than fp32 without saying so."""
    what, fix = read_card().trouble(precision)
    if what:
        raise JobError(what, fix=fix)


def _refuse_fp16(precision: Precision) -> None:
    """On a CPU fp16 is slower than fp32, and no model was ever trained so; bf16 keeps the range of fp32."""
    if precision == "fp16":
        fix = "set train.precision: fp32 (or bf16), or let the job wait for a GPU: resources.gpus: 1"
        raise JobError("fp16 is for GPUs, and this job runs on the CPU", fix=fix)


def _set_rounding(is_rounded: bool) -> None:
    """Say how a GPU multiplies in fp32. cuDNN rounds factors to 10 bits unless told: then fp32 would not be fp32."""
    # Not the newer names for the same: where both are used, torch refuses to answer.
    torch.backends.cuda.matmul.allow_tf32 = is_rounded
    torch.backends.cudnn.allow_tf32 = is_rounded


def set_threads(threads: int) -> None:
    """Set the thread count; between operators there is one thread, and torch takes that order only once."""
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)


def seed_everything(seed: int) -> None:
    """Seed python's, numpy's and torch's generators (CUDA's too, once it starts)."""
    random.seed(seed)
    # numpy takes 32 bits.
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def is_memory_error(error: BaseException) -> bool:
    """Return whether `error` says that memory ran out: of the allocators, of CUDA, or of one of its libraries."""
    return isinstance(error, OUT_OF_MEMORY) or any(words in str(error) for words in MEMORY_WORDS)


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
