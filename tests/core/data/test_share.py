"""Which images of a batch are whose."""

from __future__ import annotations

import pytest

from engine.core.data.share import ALONE, Share


@pytest.mark.parametrize("count", [2, 3, 7, 8, 62, 63, 256])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 8])
def test_shares_are_all_images_once_and_cut_no_pair(count: int, ranks: int) -> None:
    shares = [Share(rank, ranks) for rank in range(ranks)]
    if not shares[0].is_cut(count):
        assert all(share.own(count) == slice(0, count) for share in shares)
        return
    owned = [list(range(count))[share.own(count)] for share in shares]
    assert [place for own in owned for place in own] == list(range(count))
    assert [len(own) for own in owned] == shares[0].sizes(count)
    assert all(own[0] % 2 == 0 for own in owned)
    assert max(map(len, owned)) - min(map(len, owned)) <= 3


def test_a_batch_of_fewer_pairs_than_ranks_is_not_cut() -> None:
    assert [Share(0, 4).is_cut(count) for count in (7, 8)] == [False, True]
    assert Share(3, 4).sizes(3) == [3, 3, 3, 3]


def test_one_process_has_everything() -> None:
    assert (ALONE.own(9), ALONE.largest(9), ALONE.is_cut(9)) == (slice(0, 9), 9, False)
