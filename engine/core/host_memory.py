"""The host's memory between steps: takes nothing, tells the C library to keep what a step frees for the next one.

A step's activations are many blocks above 32 MB. glibc gets each of them from the system and gives it back, and the
system hands out pages one by one and writes zeros into them: 300,000 faults and a quarter of a step of TinyViT-5M at
batch 16. Kept blocks are handed out again as they are. No value depends on it.
"""

from __future__ import annotations

import ctypes

# Of malloc.h. No own mapping for large blocks; -1: nothing is given back; the heap grows by so much at a time.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
GROWTH = 64 << 20


def keep_freed() -> bool:
    """Keep freed memory in this process until it ends; return whether its C library can (glibc).

    Its resident memory then stays at its peak, which is what a training comes back to at each step.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    wanted = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: GROWTH}
    return all(library.mallopt(word, value) == 1 for word, value in wanted.items())
