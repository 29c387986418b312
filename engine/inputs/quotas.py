"""How many images each part of a split gets: takes class sizes and the words of `data`, gives quotas, refuses others.

Arithmetic alone, so that a plan refuses what a job could not do. Quotas are whole numbers by largest remainder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.errors import DataError
from engine.spec import Data

PARTS = ("train", "val", "test")
UNUSED = "unused"
# Per cent: the least that one of the paper's splits tests on (80/10/10).
NESTED_TEST = 10


class Counted(Protocol):
    """How many images there are of each class, and of them in the folder that is to be the test part, if one is."""

    @property
    def counts(self) -> tuple[int, ...]: ...

    @property
    def held(self) -> tuple[int, ...] | None: ...


@dataclass(frozen=True)
class Counts:
    """What can be said of images by their names alone."""

    counts: tuple[int, ...]
    held: tuple[int, ...] | None = None


def held_part(parts: Sequence[str]) -> str | None:
    """Return the folder that `data.given: test` takes for the test part: `test`, else `val`, else None."""
    return next((part for part in ("test", "val") if part in parts), None)


def class_quotas(count: int, shares: Mapping[str, int]) -> dict[str, int]:
    """Return how many of `count` images each part gets: floors, then largest remainders (ties: the first)."""
    whole = sum(shares.values())
    quotas = {part: count * share // whole for part, share in shares.items()}
    left = count - sum(quotas.values())
    by_remainder = sorted(shares, key=lambda part: -(count * shares[part] % whole))
    for part in by_remainder[:left]:
        quotas[part] += 1
    return quotas


def split_quotas(count: int, text: str, *, nested: bool = False, held: int | None = None) -> dict[str, int]:
    """Return the quotas of a class of `count` images under `text`, such as 60/20/20.

    `nested` gives every text the same test quota and leaves what it asks for beyond that unused. Where the set comes
    with `held` test images, the others are shared out as train to val stand in `text`. Raises DataError when a nested
    text asks for less than the common test part.
    """
    train, val, test = (int(share) for share in text.split("/"))
    if held is not None:
        return {**class_quotas(count - held, {"train": train, "val": val}), "test": held}
    if not nested:
        return class_quotas(count, {"train": train, "val": val, "test": test})
    if test < NESTED_TEST:
        raise DataError(
            f"nested splits share one test set of {NESTED_TEST} %, and {text} has {test} %",
            where="data.split",
            fix=f"make its last part at least {NESTED_TEST}, or set data.nested: false",
        )
    return _nested_quotas(count, train, val, test)


def _nested_quotas(count: int, train: int, val: int, test: int) -> dict[str, int]:
    """Round each part by itself: test is then the same for every text, and train never falls where its share rises."""
    tested = _rounded(count, NESTED_TEST)
    # Two parts that are rounded up may ask for an image too many.
    trained = min(_rounded(count, train), count - tested)
    left = count - tested - trained
    unused = left - min(_rounded(count, val), left) if test > NESTED_TEST else 0
    return {"train": trained, "val": left - unused, "test": tested, UNUSED: unused}


def _rounded(count: int, share: int) -> int:
    # Half up, in whole numbers.
    return (2 * count * share + 100) // 200


def check_quotas(quotas: Mapping[str, int], class_name: str, count: int, text: str) -> None:
    """Raise DataError naming the class when a part that `text` asks for would be empty."""
    for part, share in zip(PARTS, text.split("/"), strict=True):
        if int(share) and not quotas[part]:
            raise DataError(
                f"class {class_name!r} has {count} images: too few for a {text} split, its {part} part would be empty",
                where="data.split",
                fix="add images to the class, leave it out with data.classes, or choose larger parts",
            )


def count_part(content: Counted, data: Data, part: str) -> int:
    """Return how many images a split puts into `part`, by the quotas of each class."""
    held = content.held or (None,) * len(content.counts)
    quotas = (
        split_quotas(count, data.split, nested=data.nested, held=of)
        for count, of in zip(content.counts, held, strict=True)
    )
    return sum(quota[part] for quota in quotas)
