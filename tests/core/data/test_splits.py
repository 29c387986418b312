"""Splits are exact, stratified, stable when files come or go, and blind to names and order."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.core.data.pack import Pack
from engine.core.data.splits import make_split, split_pack
from engine.errors import DataError
from engine.inputs.quotas import PARTS, class_quotas
from engine.spec import Data

NAMES = ("cat", "dog")
TEXTS = ("60/20/20", "70/20/10", "75/10/15", "80/10/10")


def fake_keys(count: int, offset: int = 0) -> list[str]:
    return [hashlib.sha256(str(number + offset).encode()).hexdigest() for number in range(count)]


def labels_of(*counts: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(counts)), counts).astype(np.int64)


@given(count=st.integers(0, 2000), train=st.integers(1, 98))
@settings(max_examples=100, deadline=None)
def test_quotas_sum_and_are_within_one_of_the_share(count: int, train: int) -> None:
    shares = {"train": train, "val": (100 - train) // 2, "test": 100 - train - (100 - train) // 2}
    quotas = class_quotas(count, shares)
    assert sum(quotas.values()) == count
    assert all(abs(quotas[part] - count * share / 100) < 1 for part, share in shares.items())


def shares_of(text: str) -> dict[str, int]:
    return dict(zip(PARTS, map(int, text.split("/")), strict=True))


def test_parts_are_exact_in_every_class_and_disjoint() -> None:
    labels = labels_of(31, 800)
    split = make_split(fake_keys(831), labels, NAMES, "60/20/20", 0)
    sizes = [[int((labels[split.part(part)] == label).sum()) for part in ("train", "val", "test")] for label in (0, 1)]
    assert sizes == [[19, 6, 6], [480, 160, 160]]
    together = np.concatenate([split.train, split.val, split.test])
    assert sorted(together.tolist()) == list(range(831))


def test_order_and_names_do_not_matter_but_the_seed_does() -> None:
    keys, labels = fake_keys(200), labels_of(100, 100)
    turned = np.random.default_rng(1).permutation(200)
    first = make_split(keys, labels, NAMES, "60/20/20", 0)
    again = make_split([keys[row] for row in turned], labels[turned], NAMES, "60/20/20", 0)
    other = make_split(keys, labels, NAMES, "60/20/20", 1)
    assert first.digest == again.digest
    assert {keys[row] for row in first.test} == {keys[turned[row]] for row in again.test}
    assert first.digest != other.digest


def test_losing_one_per_cent_moves_under_one_per_cent_of_the_rest() -> None:
    keys, labels = fake_keys(8000), labels_of(*[80] * 100)
    names = [f"class{number}" for number in range(100)]
    kept = np.sort(np.random.default_rng(2).permutation(8000)[80:])
    for text in ("60/20/20", "80/10/10"):
        before = make_split(keys, labels, names, text, 0)
        after = make_split([keys[row] for row in kept], labels[kept], names, text, 0)
        part_before = {keys[row]: part for part in ("train", "val", "test") for row in before.part(part)}
        part_after = {keys[kept[row]]: part for part in ("train", "val", "test") for row in after.part(part)}
        moved = sum(part_before[key] != part for key, part in part_after.items())
        assert moved / len(kept) < 0.01


def test_a_larger_training_share_contains_the_smaller() -> None:
    keys, labels = fake_keys(500), labels_of(250, 250)
    small = make_split(keys, labels, NAMES, "60/20/20", 3)
    large = make_split(keys, labels, NAMES, "80/10/10", 3)
    assert set(small.train) <= set(large.train)
    assert set(large.test) <= set(small.test)


def test_equal_images_and_groups_stay_on_one_side() -> None:
    keys = fake_keys(100)
    keys[1:4] = [keys[0]] * 3
    groups = {keys[10]: "burst", keys[60]: "burst", keys[11]: "burst"}
    labels = labels_of(50, 50)
    for seed in range(20):
        split = make_split(keys, labels, NAMES, "60/20/20", seed, groups=groups)
        part_of = {int(row): part for part in ("train", "val", "test") for row in split.part(part)}
        assert len({part_of[row] for row in range(4)}) == 1
        assert len({part_of[row] for row in (10, 11, 60)}) == 1
        assert abs(len(split.train) - 60) <= 4


def test_a_class_that_is_too_small_is_named() -> None:
    with pytest.raises(DataError, match="'dog' has 3 images"):
        make_split(fake_keys(53), labels_of(50, 3), NAMES, "80/10/10", 0)


@pytest.mark.parametrize("more", [{}, {"nested": True}, {"given": ["train", "val"] * 20}])
def test_a_class_whose_images_all_show_the_same_is_named(more: dict[str, Any]) -> None:
    keys = fake_keys(40)
    groups = dict.fromkeys(keys[:20], keys[0])
    with pytest.raises(DataError, match=r"'cat' has no image left for train: 20 of its 20 images .*\nfix: "):
        make_split(keys, labels_of(20, 20), NAMES, "60/20/20", 0, groups=groups, **more)


def test_nested_test_sets_are_one_whatever_the_size_of_a_class() -> None:
    for count in range(20, 60):
        keys, labels = fake_keys(count), labels_of(count)
        splits = [make_split(keys, labels, NAMES[:1], text, 0, nested=True) for text in TEXTS]
        assert len({split.test.tobytes() for split in splits}) == 1, count
        for small, large in pairwise(splits):
            assert set(small.train) <= set(large.train), count
        assert all(
            abs(len(split.train) - count * int(text[:2]) / 100) < 1 for split, text in zip(splits, TEXTS, strict=True)
        )


@pytest.mark.parametrize("text", ["60/20/20", "80/10/10", "70/0/30"])
def test_a_part_is_off_by_less_than_the_largest_group(text: str) -> None:
    noise = np.random.default_rng(4)
    for trial in range(20):
        keys, labels = fake_keys(300, 1000 * trial), labels_of(100, 200)
        groups: dict[str, str] = {}
        for number in range(12):
            members = noise.choice(100 if number % 2 else 200, noise.integers(2, 7), replace=False) + 100 * (number % 2)
            groups |= {keys[row]: f"group {number}" for row in members if keys[row] not in groups}
        split = make_split(keys, labels, NAMES, text, trial, groups=groups)
        assert split.asked == {part: sum(class_quotas(n, shares_of(text))[part] for n in (100, 200)) for part in PARTS}
        for label, count in ((0, 100), (1, 200)):
            for part, quota in class_quotas(count, shares_of(text)).items():
                assert abs(int((labels[split.part(part)] == label).sum()) - quota) < split.largest_group
        assert split.largest_group == max(Counter(groups.values()).values())


def test_groups_move_no_more_than_their_files() -> None:
    keys, labels = fake_keys(4000), labels_of(2000, 2000)
    groups = {keys[row]: keys[row - row % 3] for row in range(0, 3000)}
    kept = np.sort(np.random.default_rng(5).permutation(4000)[40:])
    before = make_split(keys, labels, NAMES, "60/20/20", 0, groups=groups)
    after = make_split([keys[row] for row in kept], labels[kept], NAMES, "60/20/20", 0, groups=groups)
    moved = sum(before.letters[row] != after.letters[place] for place, row in enumerate(kept))
    assert moved / len(kept) < 0.01


def test_a_given_test_folder_is_the_test_part() -> None:
    keys, labels = fake_keys(400), labels_of(200, 200)
    given = ["val" if row % 4 == 0 else "train" for row in range(400)]
    split = make_split(keys, labels, NAMES, "60/20/20", 0, given=given)
    assert split.test.tolist() == list(range(0, 400, 4))
    assert [len(split.part(part)) for part in PARTS] == [226, 74, 100]
    assert split.asked == {"train": 226, "val": 74, "test": 100}
    other = make_split(keys, labels, NAMES, "80/10/10", 0, given=given)
    assert other.test.tolist() == split.test.tolist()
    assert set(split.train) <= set(other.train)
    assert len({split.digest, other.digest, make_split(keys, labels, NAMES, "60/20/20", 0).digest}) == 3
    three = ["test" if part == "val" and row % 8 else part for row, part in enumerate(given)]
    assert make_split(keys, labels, NAMES, "60/20/20", 0, given=three).test.tolist() == list(range(4, 400, 8))


def test_what_shows_the_same_as_a_given_test_image_is_never_trained_on() -> None:
    keys, labels = fake_keys(100), labels_of(50, 50)
    given = ["val" if row % 5 == 0 else "train" for row in range(100)]
    keys[1] = keys[0]
    groups = {keys[10]: "burst", keys[11]: "burst", keys[62]: "burst", keys[21]: "pair", keys[22]: "pair"}
    split = make_split(keys, labels, NAMES, "60/20/20", 0, groups=groups, given=given)
    assert split.test.tolist() == list(range(0, 100, 5))
    assert split.left_out == 3
    assert [split.letters[row] for row in (1, 11, 62)] == ["-"] * 3
    assert split.letters[21] == split.letters[22] != "-"
    assert len(split.train) + len(split.val) == 77


def test_a_part_may_be_left_out() -> None:
    split = make_split(fake_keys(20), labels_of(10, 10), NAMES, "80/0/20", 0)
    assert [len(split.part(part)) for part in ("train", "val", "test")] == [16, 0, 4]


def test_nested_splits_share_their_test_set() -> None:
    keys, labels = fake_keys(400), labels_of(200, 200)
    small = make_split(keys, labels, NAMES, "60/20/20", 3, nested=True)
    large = make_split(keys, labels, NAMES, "80/10/10", 3, nested=True)
    assert [len(small.part(part)) for part in ("train", "val", "test")] == [240, 80, 40]
    assert [len(large.part(part)) for part in ("train", "val", "test")] == [320, 40, 40]
    assert small.test.tolist() == large.test.tolist()
    assert set(small.train) <= set(large.train)
    assert make_split(keys, labels, NAMES, "80/10/10", 3).digest == large.digest
    with pytest.raises(DataError, match="one test set of 10 %"):
        make_split(keys, labels, NAMES, "85/10/5", 3, nested=True)


@pytest.mark.parametrize(("nested", "order"), [(False, "svt"), (True, "s-vt")])
def test_a_class_is_ranked_by_hash_and_cut_test_first_and_train_last(nested: bool, order: str) -> None:
    keys, labels = fake_keys(70), labels_of(30, 40)
    split = make_split(keys, labels, NAMES, "50/20/30", 9, nested=nested)
    for label, count in ((0, 30), (1, 40)):
        ranked = sorted(
            np.flatnonzero(labels == label), key=lambda row: hashlib.sha256(f"split 9 {keys[row]}".encode()).digest()
        )
        sizes = {"s": 0.1 if nested else 0.3, "-": 0.2, "v": 0.2, "t": 0.5}
        expected = "".join(letter * round(sizes[letter] * count) for letter in order)
        assert "".join(split.letters[row] for row in ranked) == expected
    assert split.left_out == 0


def test_a_splits_digest_is_over_sorted_lines_of_key_and_part() -> None:
    keys = fake_keys(20)
    split = make_split(keys, labels_of(10, 10), NAMES, "60/20/20", 0)
    part_of = {keys[row]: part for part in PARTS for row in split.part(part)}
    lines = "".join(f"{key} {part}\n" for key, part in sorted(part_of.items()))
    assert split.digest == hashlib.sha256(lines.encode()).hexdigest()


def test_the_manifest_tells_sizes_letters_and_what_stays_together() -> None:
    keys = fake_keys(40)
    groups = dict.fromkeys(keys[:3], "burst") | dict.fromkeys([keys[20], keys[25]], "pair")
    groups |= dict.fromkeys(keys[35:39], "four")
    given = ["val" if row in (20, 30) else "train" for row in range(40)]
    given[1] = "val"
    split = make_split(keys, labels_of(20, 20), NAMES, "60/20/20", 0, groups=groups, given=given)
    about = split.describe()
    assert about["letters"] == split.letters
    assert (about["digest"], about["largest_group"], about["left_out"]) == (split.digest, 4, 3)
    assert [about[part] for part in PARTS] == [len(split.part(part)) for part in PARTS]
    assert about["test"] == 3
    assert about["asked"] == {"train": 26, "val": 8, "test": 3}
    assert [row for row, letter in enumerate(split.letters) if letter in "s-"] == [0, 1, 2, 20, 25, 30]
    assert "".join(split.letters[row] for row in (0, 1, 2, 20, 25, 30)) == "-s-s-s"


def test_splits_with_groups_over_classes_are_cut_as_they_always_were() -> None:
    """The rows of finished jobs hang on this: change it and every cached split is another one."""
    keys, labels = fake_keys(300), labels_of(90, 100, 110)
    groups = {keys[row]: f"group {row % 17}" for row in range(0, 300, 5)} | {keys[row]: "own" for row in (1, 2, 3)}
    names, digests = ("cat", "dog", "eel"), []
    for text, nested in (("60/20/20", False), ("70/10/20", True), ("80/10/10", False)):
        digests.append(make_split(keys, labels, names, text, 2, groups=groups, nested=nested).digest[:8])
    assert digests == ["8511bf6a", "8648f99d", "c44f2643"]


def test_a_group_over_classes_goes_where_each_class_has_room() -> None:
    """Five of each class of ten show the same: no part but train has room for them, whatever their rank."""
    keys = fake_keys(20)
    groups = dict.fromkeys([*keys[:5], *keys[10:15]], "same")
    for seed in range(12):
        split = make_split(keys, labels_of(10, 10), NAMES, "60/20/20", seed, groups=groups)
        assert {split.letters[row] for row in (*range(5), *range(10, 15))} == {"t"}
        assert [len(split.part(part)) for part in PARTS] == [12, 4, 4]


def test_a_pack_is_split_as_its_data_says() -> None:
    keys, parts = fake_keys(60), ["val" if row % 3 == 0 else "train" for row in range(60)]
    groups = np.arange(60)
    groups[7] = 4
    pack = Pack(
        labels_of(30, 30), keys, NAMES, groups, parts, [""] * 60, "", "raw", (), np.empty(0, np.uint8),
        np.empty(0, np.int64), np.empty((0, 2), np.int64),
    )  # fmt: skip
    for words in ({}, {"split_seed": 5}, {"nested": True}, {"given": "test"}, {"split": "80/10/10"}):
        data = Data.model_validate({"source": "folder", "root": "x", **words})
        expected = make_split(
            keys, pack.labels, NAMES, data.split, data.split_seed, groups={keys[4]: keys[4], keys[7]: keys[4]},
            nested="nested" in words, given=parts if "given" in words else None,
        )  # fmt: skip
        assert split_pack(pack, data).describe() == expected.describe()


def test_a_class_that_only_the_given_test_folder_shows_is_named() -> None:
    keys = fake_keys(20)
    groups = dict.fromkeys(keys[:10], "same")
    given = ["val" if row in (0, 10, 11) else "train" for row in range(20)]
    with pytest.raises(DataError, match="'cat' has no image left for train: 10 of its 10"):
        make_split(keys, labels_of(10, 10), NAMES, "60/20/20", 0, groups=groups, given=given)
    most = ["val" if row in (0, *range(11, 20)) else "train" for row in range(20)]
    with pytest.raises(DataError, match="class 'dog' has 1 images"):
        make_split(keys, labels_of(10, 10), NAMES, "60/20/20", 0, given=most)
