"""What a GPU fails by: takes an error or the end of a log, says in CUDA's own words what failed, and how sure that is.

A card that does not start, or reports an error of its memory, fails every job: no job brings that about. An illegal
access may be the job's own fault as well as the card's: only what else fails there tells (schedule/policy.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.launch.shortages import error_chain


@dataclass(frozen=True)
class Fault:
    """What failed, in CUDA's words; `is_sure` where it is the card, its driver or its place, and no job."""

    told: str
    is_sure: bool


# What CUDA, its driver and torch say of a card that cannot be used.
SURE = (
    "uncorrectable ECC error encountered",
    "uncorrectable NVLink error",
    "Found no NVIDIA driver on your system",
    "The NVIDIA driver on your system is too old",
    "CUDA driver version is insufficient for CUDA runtime version",
    "CUDA driver initialization failed",
    "CUDA unknown error",
    "CUDA error: initialization error",
    "CUDA error: invalid device ordinal",
    "CUDA-capable device(s) is/are busy or unavailable",
    "no CUDA-capable device is detected",
    "No CUDA GPUs are available",
    "Unexpected error from cudaGetDeviceCount()",
    "system not yet initialized",
    "GPU is lost",
)
UNSURE = (
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "device-side assert triggered",
    "unspecified launch failure",
    "misaligned address",
    "hardware stack error",
    "the launch timed out and was terminated",
)
# The driver's own number for what happened to a card, as libraries and the kernel's log quote it: Xid 79.
XID = re.compile(r"\bXid\b(?: \([^)\n]*\))?:? \d+")


def read_fault(text: str) -> Fault | None:
    """Return what a GPU failed by as the text tells it, None where it tells of no such thing."""
    if told := next((words for words in SURE if words in text), ""):
        return Fault(told, True)
    if found := XID.search(text):
        return Fault(found.group(), True)
    told = next((words for words in UNSURE if words in text), "")
    return Fault(told, False) if told else None


def find_fault(error: BaseException) -> Fault | None:
    """Return what a GPU failed by where that is why `error` was raised; causes and contexts count too."""
    return next(filter(None, (read_fault(str(link)) for link in error_chain(error))), None)
