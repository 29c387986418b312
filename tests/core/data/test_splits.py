"""Splits are exact, stratified, stable when files come or go, and blind to names and order."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.core.data.splits import class_quotas, make_split
from engine.errors import DataError

NAMES = ("cat", "dog")


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
