"""Splits: takes keys, labels and a text such as 60/20/20, gives the rows of train, val and test.

Within a class, images are ranked by a hash of their content keyed by the seed, and the ranking is cut at exact quotas
(largest remainder). So the split does not depend on names or order, and adding or losing a few files moves only the few
images next to a cut. Test takes the front of the ranking and train its end: a larger training share contains a smaller.
Images in one group (the same content, or near-duplicates) stay on one side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

Rows = NDArray[np.int64]
PARTS = ("train", "val", "test")
UNUSED = "unused"
NESTED_TEST = 10
_RANKED = ("test", UNUSED, "val", "train")


@dataclass(frozen=True)
class Split:
    """Row numbers of the parts, ascending; `digest` over which content lies in which part."""

    train: Rows
    val: Rows
    test: Rows
    digest: str

    def part(self, name: str) -> Rows:
        """Return the rows of `train`, `val` or `test`."""
        rows: Rows = getattr(self, name)
        return rows


def make_split(
    keys: Sequence[str],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    text: str,
    seed: int,
    *,
    groups: Mapping[str, str] | None = None,
    nested: bool = False,
) -> Split:
    """Split the images `keys` with their `labels` as `text` says, stratified by class.

    `groups` maps the keys of near-duplicates to a common name; equal keys are always one group. Sizes are exact but
    where a group lies over a cut. With `nested` every split tests on the same NESTED_TEST per cent, and what `text`
    asks for beyond that stays unused: training sets of different splits then contain each other and are judged alike.
    Raises DataError naming a class too small for each part asked for to have an image.
    """
    shares = _read_shares(text, nested)
    names = [(groups or {}).get(key, key) for key in keys]
    part_of: dict[str, str] = {}
    for label, class_name in enumerate(class_names):
        members = [names[row] for row in np.flatnonzero(labels == label)]
        quotas = class_quotas(len(members), shares)
        _check_quotas(quotas, shares, class_name, len(members), text)
        _assign_class(members, quotas, seed, part_of)
    parts = np.array([(*PARTS, UNUSED).index(part_of[name]) for name in names])
    rows = [np.flatnonzero(parts == number).astype(np.int64) for number in range(3)]
    return Split(rows[0], rows[1], rows[2], _split_digest(keys, parts))


def _read_shares(text: str, nested: bool) -> dict[str, int]:
    """Return the per cent of each part, `unused` last where nested splits leave some out."""
    shares = dict(zip(PARTS, (int(share) for share in text.split("/")), strict=True))
    if not nested:
        return shares
    if shares["test"] < NESTED_TEST:
        raise DataError(
            f"nested splits share one test set of {NESTED_TEST} %, and {text} has {shares['test']} %",
            where="data.split",
            fix=f"make its last part at least {NESTED_TEST}, or set data.nested: false",
        )
    return shares | {"test": NESTED_TEST, UNUSED: shares["test"] - NESTED_TEST}


def class_quotas(count: int, shares: Mapping[str, int]) -> dict[str, int]:
    """Return how many of `count` images each part gets: floors, then largest remainders (ties: the first)."""
    quotas = {part: count * share // 100 for part, share in shares.items()}
    left = count - sum(quotas.values())
    by_remainder = sorted(shares, key=lambda part: -(count * shares[part] % 100))
    for part in by_remainder[:left]:
        quotas[part] += 1
    return quotas


def _check_quotas(quotas: Mapping[str, int], shares: Mapping[str, int], name: str, count: int, text: str) -> None:
    for part in PARTS:
        if shares[part] and not quotas[part]:
            raise DataError(
                f"class {name!r} has {count} images: too few for a {text} split, its {part} part would be empty",
                where="data.split",
                fix="add images to the class, leave it out with data.classes, or choose larger parts",
            )


def _assign_class(members: Sequence[str], quotas: Mapping[str, int], seed: int, part_of: dict[str, str]) -> None:
    """Rank the class's groups and fill the parts in turn; a group goes where its first image falls.

    A group with members in an earlier class has its part already and only uses up room.
    """
    sizes: dict[str, int] = {}
    for name in members:
        sizes[name] = sizes.get(name, 0) + 1
    room = dict(quotas)
    for name in list(sizes):
        if name in part_of:
            room[part_of[name]] -= sizes.pop(name)
    for name in sorted(sizes, key=lambda name: _rank(name, seed)):
        part = next((part for part in _RANKED if room.get(part, 0) > 0), "train")
        part_of[name] = part
        room[part] -= sizes[name]


def _rank(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"split {seed} {name}".encode()).digest()


def _split_digest(keys: Sequence[str], parts: NDArray[np.int64]) -> str:
    total = hashlib.sha256()
    for key, part in sorted(zip(keys, parts.tolist(), strict=True)):
        total.update(f"{key} {(*PARTS, UNUSED)[part]}\n".encode())
    return total.hexdigest()
