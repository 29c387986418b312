"""Freed memory is kept: the second use of a block costs no page faults."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A block beyond the size from which glibc maps each by itself, thrice; the faults of all but the first use.
TRIAL = """
import ctypes, resource, sys
from engine.core.host_memory import keep_freed
if sys.argv[1] == "kept":
    assert keep_freed()
library = ctypes.CDLL(None)
library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def use():
    block = library.malloc(SIZE)
    library.memset(block, 1, SIZE)
    library.free(block)
SIZE = 64 << 20
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc knows mallopt")
def test_a_freed_block_is_used_again_without_page_faults() -> None:
    assert _faults("kept") < 100
    assert _faults("given back") > 10_000


def _faults(way: str) -> int:
    answer = subprocess.run([sys.executable, "-c", TRIAL, way], capture_output=True, text=True, check=True)
    return int(answer.stdout)
