"""A small mutator: takes inputs that are right and a seed, gives inputs that are slightly wrong, always the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

WORDS = (
    b"\x00", b"\xff", b"\n", b'"', b"'", b"{", b"}", b"[", b"]", b":", b"-", b"&a ", b"*a ", b"!!python/name:os.stat ",
    b"null", b"nan", b".inf", b"1e999", b"-1", b"9" * 40, b"\xed\xa0\x80", b"\\ud800", b"\x1b]52;c;aGk=\x07", b"../",
    b"%s", b"\xe2\x80\xae", b"PK\x05\x06", b"\xff\xd8\xff", b"\xff" * 8, b"\x00" * 8,
)  # fmt: skip

Change = Callable[[random.Random, bytearray], None]


def mutants(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Return `count` inputs, each a seed with one to four changes."""
    dice = random.Random(seed)
    for _ in range(count):
        content = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            dice.choice(CHANGES)(dice, content)
        yield bytes(content)


def _place(dice: random.Random, content: bytearray) -> int:
    return dice.randint(0, len(content))


def _flip(dice: random.Random, content: bytearray) -> None:
    if content:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)


def _put_byte(dice: random.Random, content: bytearray) -> None:
    if content:
        content[dice.randrange(len(content))] = dice.randrange(256)


def _insert_word(dice: random.Random, content: bytearray) -> None:
    place = _place(dice, content)
    content[place:place] = dice.choice(WORDS)


def _cut_tail(dice: random.Random, content: bytearray) -> None:
    del content[_place(dice, content) :]


def _delete_part(dice: random.Random, content: bytearray) -> None:
    place = _place(dice, content)
    del content[place : place + dice.randint(1, 16)]


def _double_part(dice: random.Random, content: bytearray) -> None:
    place = _place(dice, content)
    content[place:place] = content[place : place + dice.randint(1, 64)]


CHANGES: tuple[Change, ...] = (_flip, _put_byte, _insert_word, _cut_tail, _delete_part, _double_part)
