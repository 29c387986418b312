"""Splits: takes keys, labels and a text such as 60/20/20, gives the rows of train, val and test.

Within a class, images are ranked by a hash of their content keyed by the seed, and the ranking is cut at exact quotas
(largest remainder). So the split does not depend on names or order, and adding or losing a few files moves only the few
images next to a cut. Test takes the front of the ranking and train its end: a larger training share contains a smaller.
Images in one group (the same content, or near-duplicates) stay on one side: a group goes where its first image falls,
so each part of a class is off its quota by less than the largest group.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.inputs.quotas import PARTS, UNUSED, check_quotas, held_part, split_quotas
from engine.spec import Data

Rows = NDArray[np.int64]
Quotas = dict[str, int]
KINDS = (*PARTS, UNUSED)
LETTERS = "tvs-"
_RANKED = ("test", UNUSED, "val", "train")


@dataclass(frozen=True)
class Split:
    """Row numbers of the parts, ascending; `digest` over which content lies in which part.

    `asked` are the sizes that the quotas name; `largest_group` the most images that had to stay together. `letters`
    has t, v, s (test) or - (unused) for each row; `left_out` counts images that show what a given test image shows.
    """

    train: Rows
    val: Rows
    test: Rows
    digest: str
    asked: Mapping[str, int] = field(default_factory=dict)
    largest_group: int = 1
    left_out: int = 0
    letters: str = ""

    def part(self, name: str) -> Rows:
        """Return the rows of `train`, `val` or `test`."""
        rows: Rows = getattr(self, name)
        return rows

    def describe(self) -> dict[str, Any]:
        """Return the manifest: digest, sizes as they are and as asked, and the letter of every row of the pack."""
        sizes = {part: len(self.part(part)) for part in PARTS}
        about = {"asked": dict(self.asked), "largest_group": self.largest_group, "left_out": self.left_out}
        return {"digest": self.digest, **sizes, **about, "letters": self.letters}


class Packed(Protocol):
    """What a split must know of packed images: a pack's own words (core/data/pack.py), or its index alone."""

    @property
    def keys(self) -> Sequence[str]: ...

    @property
    def labels(self) -> Rows: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def group_names(self) -> Mapping[str, str]: ...

    @property
    def parts(self) -> Sequence[str]: ...


def split_pack(pack: Packed, data: Data) -> Split:
    """Return the split of a pack that `data` asks for."""
    return make_split(
        pack.keys,
        pack.labels,
        pack.class_names,
        data.split,
        data.split_seed,
        groups=pack.group_names,
        nested=data.nested,
        given=pack.parts if data.given == "test" else None,
    )


def make_split(
    keys: Sequence[str],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    text: str,
    seed: int,
    *,
    groups: Mapping[str, str] | None = None,
    nested: bool = False,
    given: Sequence[str] | None = None,
) -> Split:
    """Split the images `keys` with their `labels` as `text` says, stratified by class.

    `groups` maps the keys of near-duplicates to a common name; equal keys are always one group. With `nested` every
    split tests on the same NESTED_TEST per cent, and what `text` asks for beyond that stays unused: training sets of
    different splits then contain each other and are judged alike. `given` names the folder (train, val, test) that each
    image came in: test, else val, is the test part as it is, what shows the same as one of its images is left out, and
    the rest is shared out as train and val. Raises DataError naming a class too small for each part to have an image,
    or one whose images stay together outside of train.
    """
    names = [(groups or {}).get(key, key) for key in keys]
    parts = _given_parts(names, given)
    asked = Counter[str]()
    by_class: list[tuple[list[str], Quotas]] = []
    for label, class_name in enumerate(class_names):
        rows = np.flatnonzero(labels == label)
        held = int((parts[rows] == KINDS.index("test")).sum())
        count = held + int((parts[rows] < 0).sum())
        if given and held == count < len(rows):
            raise _untrained(class_name, [names[row] for row in rows.tolist()])
        quotas = split_quotas(count, text, nested=nested, held=held if given else None)
        check_quotas(quotas, class_name, count - held if given else count, text)
        asked.update(quotas)
        open_quotas = {part: quota for part, quota in quotas.items() if not (given and part == "test")}
        by_class.append(([names[row] for row in rows if parts[row] < 0], open_quotas))
    part_of = _place_groups(by_class, seed)
    for row in np.flatnonzero(parts < 0):
        parts[row] = KINDS.index(part_of[names[row]])
    _check_train(parts, labels, class_names, names)
    return _make_split(keys, names, parts, {part: asked[part] for part in PARTS}, given is not None)


def _check_train(parts: Rows, labels: NDArray[np.int64], class_names: Sequence[str], names: Sequence[str]) -> None:
    """Raise DataError naming a class of which nothing is left to learn from, because its images stay together."""
    for label, class_name in enumerate(class_names):
        rows = np.flatnonzero(labels == label)
        if len(rows) and not (parts[rows] == KINDS.index("train")).any():
            raise _untrained(class_name, [names[row] for row in rows.tolist()])


def _untrained(class_name: str, names: Sequence[str]) -> DataError:
    largest = max(Counter(names).values())
    what = f"class {class_name!r} has no image left for train: {largest} of its {len(names)} images show the same"
    fix = "remove copies (xp data report names them), or leave the class out with data.classes"
    return DataError(f"{what} or nearly the same, and such images stay on one side", where="data.split", fix=fix)


def _make_split(
    keys: Sequence[str], names: Sequence[str], parts: Rows, asked: Mapping[str, int], is_given: bool
) -> Split:
    rows = [np.flatnonzero(parts == number).astype(np.int64) for number in range(len(KINDS))]
    return Split(
        train=rows[0],
        val=rows[1],
        test=rows[2],
        digest=_split_digest(keys, parts),
        asked=asked,
        largest_group=max(Counter(names).values(), default=1),
        left_out=len(rows[3]) if is_given else 0,
        letters="".join(LETTERS[part] for part in parts.tolist()),
    )


def _given_parts(names: Sequence[str], given: Sequence[str] | None) -> Rows:
    """Return each row's number in KINDS, -1 where open: only the given test part and what shows the same is settled."""
    parts = np.full(len(names), -1, dtype=np.int64)
    if given is None:
        return parts
    part = held_part(given)
    test = [row for row, folder in enumerate(given) if folder == part]
    seen = {names[row] for row in test}
    parts[[row for row, name in enumerate(names) if name in seen]] = KINDS.index(UNUSED)
    parts[test] = KINDS.index("test")
    return parts


def _place_groups(by_class: Sequence[tuple[list[str], Quotas]], seed: int) -> dict[str, str]:
    """Return the part of each group; those with images of several classes come first, while there is room in each."""
    sizes = [Counter(members) for members, _ in by_class]
    room = [dict(quotas) for _, quotas in by_class]
    classes = Counter(name for counts in sizes for name in counts)
    part_of: dict[str, str] = {}
    across = [name for name, count in classes.items() if count > 1]
    for name in sorted(across, key=lambda name: _rank(name, seed)):
        members = {label: counts[name] for label, counts in enumerate(sizes) if name in counts}
        part_of[name] = _part_across(_rank(name, seed), members, room, [quotas for _, quotas in by_class])
        for label, count in members.items():
            room[label][part_of[name]] -= count
    for counts, left in zip(sizes, room, strict=True):
        _cut_class({name: size for name, size in counts.items() if name not in part_of}, left, seed, part_of)
    return part_of


def _part_across(rank: bytes, members: Mapping[int, int], room: Sequence[Quotas], quotas: Sequence[Quotas]) -> str:
    """Return the part where the group's rank falls in its first class, or the next one where each class has room."""
    first = quotas[min(members)]
    # The rank as a fraction of the class, in whole numbers: near a cut a float could round across it.
    spot = int.from_bytes(rank, "big") * sum(first.values()) >> (8 * len(rank))
    ordered = [part for part in _RANKED if part in first]
    for place, part in enumerate(ordered):
        if spot < sum(first[before] for before in ordered[: place + 1]) and all(
            room[label].get(part, 0) >= count for label, count in members.items()
        ):
            return part
    return "train"


def _cut_class(sizes: Mapping[str, int], room: Quotas, seed: int, part_of: dict[str, str]) -> None:
    """Rank the class's groups and cut the ranking; each group goes where its first image falls."""
    ordered = [part for part in _RANKED if part in room]
    # Groups over several classes may have taken more than there was.
    ends = np.cumsum([max(0, room[part]) for part in ordered])
    start = 0
    for name in sorted(sizes, key=lambda name: _rank(name, seed)):
        # right: a group that begins at an end belongs to the next part.
        place = int(np.searchsorted(ends, start, side="right"))
        part_of[name] = ordered[place] if place < len(ordered) else "train"
        start += sizes[name]


def _rank(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"split {seed} {name}".encode()).digest()


def _split_digest(keys: Sequence[str], parts: Rows) -> str:
    total = hashlib.sha256()
    # By key: the digest does not depend on how the rows lie.
    for key, part in sorted(zip(keys, parts.tolist(), strict=True)):
        total.update(f"{key} {KINDS[part]}\n".encode())
    return total.hexdigest()
