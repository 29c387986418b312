"""Groups cover an epoch once, and a batch weighs what it is of its group's images."""

from __future__ import annotations

from fractions import Fraction

import pytest

from engine.core.train.groups import Groups


def cases() -> list[Groups]:
    return [
        Groups(size, -(-images // 4), 4, images)
        for size in (1, 2, 3, 7)
        for images in (3, 4, 10, 16, 17)
        if images % 4 != 1
    ]


@pytest.mark.parametrize("groups", cases())
def test_groups_cover_an_epoch_once_and_the_last_takes_what_is_left(groups: Groups) -> None:
    batches = range(groups.batches)
    assert sum(map(groups.begins, batches)) == sum(map(groups.ends, batches)) == groups.steps
    assert groups.begins(0)
    assert groups.ends(groups.batches - 1)
    for batch in batches[:-1]:
        assert groups.ends(batch) == groups.begins(batch + 1)


@pytest.mark.parametrize("groups", cases())
def test_the_shares_of_a_group_are_those_of_its_images(groups: Groups) -> None:
    sizes = [min(4, groups.images - 4 * batch) for batch in range(groups.batches)]
    for first in range(0, groups.batches, groups.size):
        group = range(first, min(first + groups.size, groups.batches))
        total = sum(sizes[batch] for batch in group)
        assert [groups.share(batch) for batch in group] == [float(Fraction(sizes[batch], total)) for batch in group]


def test_a_group_of_one_batch_weighs_all() -> None:
    groups = Groups(1, 6, 64, 361)
    assert [groups.share(batch) for batch in range(6)] == [1.0] * 6
