"""The counter-based generator: random numbers that belong to (version, view seed, view, key, use, block) alone.

A hash, so they depend on no batch, worker, order, platform or library, and a new use of randomness moves no other.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

from engine.spec.identity import VIEW_VERSION


def draw_uniform(view_seed: int, view: int, key: str, use: str, block: int) -> tuple[float, ...]:
    """Return eight numbers uniform in [0, 1), 53 bits each, that belong to exactly these arguments."""
    # 64 bytes: one hash gives all eight.
    words = struct.unpack("<8Q", hashlib.blake2b(_counter(view_seed, view, key, use, block), digest_size=64).digest())
    return tuple((word >> 11) * 2.0**-53 for word in words)


def draw_bytes(view_seed: int, view: int, key: str, use: str, count: int) -> NDArray[np.uint8]:
    """Return `count` uniform bytes that belong to exactly these arguments."""
    raw = hashlib.shake_128(_counter(view_seed, view, key, use, 0)).digest(count)
    # bytearray: torch warns of memory that it may not write to.
    return np.frombuffer(bytearray(raw), dtype=np.uint8)


def _counter(view_seed: int, view: int, key: str, use: str, block: int) -> bytes:
    return f"{VIEW_VERSION} {view_seed} {view} {key} {use} {block}".encode()
