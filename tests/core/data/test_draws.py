"""Random numbers belong to their counter alone: they are those of a hash that anyone can work out again."""

from __future__ import annotations

import hashlib
from itertools import product

from engine.core.data.draws import draw_bytes, draw_uniform

KEY = "ab" * 32


def test_draws_are_the_upper_53_bits_of_blake2b_words() -> None:
    raw = hashlib.blake2b(f"2 7 3 {KEY} crop 1".encode(), digest_size=64).digest()
    words = [int.from_bytes(raw[first : first + 8], "little") for first in range(0, 64, 8)]
    assert draw_uniform(7, 3, KEY, "crop", 1) == tuple((word >> 11) / 2**53 for word in words)


def test_bytes_are_those_of_shake128_at_block_zero() -> None:
    expected = hashlib.shake_128(f"2 7 3 {KEY} noise 0".encode()).digest(1000)
    noise = draw_bytes(7, 3, KEY, "noise", 1000)
    assert noise.tobytes() == expected
    noise[0] ^= 1  # they are the caller's own to write to
    assert draw_bytes(7, 3, KEY, "noise", 1000).tobytes() == expected


def test_no_two_counters_share_their_draws() -> None:
    counters = list(product((1, 11), (1, 11), ("a", "1"), ("crop", "flip"), (0, 1)))
    assert len({draw_uniform(*counter) for counter in counters}) == len(counters)
