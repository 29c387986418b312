"""Partners are neighbours in the order, the same in any even batch, and labels follow the pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import beta
from torch import Tensor

from engine.core.data import mixing
from engine.core.data.draws import draw_uniform
from engine.core.data.loader import Batch, TrainLoader
from engine.core.data.mixing import Mix, is_mixing, mix_pairs
from engine.core.data.pack import Pack
from engine.errors import DataError
from engine.spec import Augment, Data

BOTH = Augment(mixup=0.8, cutmix=1.0)


def batches_of(pack: Pack, batch_size: int, *, count: int = 30, seed: int = 0, workers: int = 0) -> list[Batch]:
    data = Data(source="digits", image_size=32, augment=BOTH, workers=workers)
    return list(TrainLoader(pack, np.arange(count), data, 32, batch_size, seed, None).epoch(1))


def pairs_of(batches: list[Batch]) -> dict[int, tuple[int, float, Tensor]]:
    found = {}
    for batch in batches:
        assert batch.mix is not None
        for place, row in enumerate(batch.rows.tolist()):
            partner = int(batch.rows[batch.mix.partner[place]])
            found[row] = (partner, float(batch.mix.share[place]), batch.images[place])
    return found


def test_mixed_views_are_bit_equal_across_even_batch_sizes(photo_pack: Pack) -> None:
    base = pairs_of(batches_of(photo_pack, 64))
    for batch_size, workers in ((2, 0), (8, 2), (30, 1)):
        other = pairs_of(batches_of(photo_pack, batch_size, workers=workers))
        assert other.keys() == base.keys()
        for row, (partner, share, image) in other.items():
            assert (partner, share) == base[row][:2]
            assert torch.equal(image, base[row][2])


def test_partners_are_a_perfect_matching(photo_pack: Pack) -> None:
    pairs = pairs_of(batches_of(photo_pack, 8))
    assert all(pairs[pairs[row][0]][0] == row != pairs[row][0] for row in pairs)
    assert pairs_of(batches_of(photo_pack, 8, seed=1))[0][0] != pairs[0][0]


def test_an_odd_last_image_stays_unmixed(photo_pack: Pack) -> None:
    last = batches_of(photo_pack, 4, count=7)[-1]
    assert last.mix is not None
    assert last.mix.partner.tolist() == [1, 0, 2]
    assert last.mix.share[2] == 1.0


def test_an_odd_batch_size_is_refused(photo_pack: Pack) -> None:
    with pytest.raises(DataError, match="batch size is 7"):
        batches_of(photo_pack, 7)


@pytest.mark.parametrize("augment", [Augment(mixup=0.8), Augment(cutmix=1.0), BOTH])
def test_shares_are_those_of_the_pixels(augment: Augment) -> None:
    images = torch.zeros((200, 3, 40, 40), dtype=torch.uint8)
    images[::2] = 200
    mixed, mix = mix_pairs(images, [str(number) for number in range(200)], 0, 0, augment)
    measured = mixed.float().mean(dim=(1, 2, 3)) / 200
    expected = torch.where(torch.arange(200) % 2 == 0, mix.share, 1 - mix.share)
    torch.testing.assert_close(measured, expected, atol=0.003, rtol=0)
    assert 0.4 < mix.share.mean() < 0.75
    assert images[::2].min() == 200


def test_labels_and_targets_are_mixed_by_the_same_shares() -> None:
    mix = Mix(torch.tensor([1, 0, 2]), torch.tensor([0.7, 0.7, 1.0]))
    labels = mix.labels(torch.tensor([0, 2, 1]), 3)
    torch.testing.assert_close(labels, torch.tensor([[0.7, 0, 0.3], [0.3, 0, 0.7], [0, 1, 0]]))
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    plain = logits.softmax(1)
    expected = torch.stack([0.7 * plain[0] + 0.3 * plain[1], 0.7 * plain[1] + 0.3 * plain[0], plain[2]])
    torch.testing.assert_close(mix.targets(logits).softmax(1), expected)
    assert torch.isfinite(mix.targets(logits)).all()


KEYS = [f"{number:064x}" for number in range(200)]


def two_tones(count: int, size: int = 20) -> Tensor:
    """Images that are 200 and 0 in turn."""
    images = torch.zeros((count, 3, size, size), dtype=torch.uint8)
    images[::2] = 200
    return images


@pytest.mark.parametrize("strength", [0.4, 1.0, 3.0])
def test_mixup_blends_by_a_share_from_beta(strength: float) -> None:
    mixed, mix = mix_pairs(two_tones(40), KEYS, 3, 5, Augment(mixup=strength))
    for first in range(0, 40, 2):
        draw = draw_uniform(3, 5, KEYS[first] + KEYS[first + 1], "mix", 0)[1]
        share = float(beta.ppf(draw, strength, strength))
        assert mix.share[first : first + 2].tolist() == pytest.approx([share, share], abs=1e-6)
        assert mix.partner[first : first + 2].tolist() == [first + 1, first]
        for image, level in ((mixed[first], 200 * share), (mixed[first + 1], 200 * (1 - share))):
            assert bool((image == image[0, 0, 0]).all())
            assert abs(int(image[0, 0, 0]) - level) <= 0.5001


def test_cutmix_swaps_the_box_that_the_draws_say() -> None:
    plain = two_tones(40)
    mixed, mix = mix_pairs(plain, KEYS, 3, 5, Augment(cutmix=1.0))
    for first in range(0, 40, 2):
        draws = draw_uniform(3, 5, KEYS[first] + KEYS[first + 1], "mix", 0)
        half = 20 * math.sqrt(1 - draws[1]) / 2  # Beta(1, 1) is uniform
        rows, columns = (
            slice(max(0, round(20 * draw - half)), min(20, round(20 * draw + half))) for draw in (draws[2], draws[3])
        )
        expected = plain[first : first + 2].clone()
        expected[:, :, rows, columns] = plain[first : first + 2].flip(0)[:, :, rows, columns]
        assert torch.equal(mixed[first : first + 2], expected)
        share = float((expected[0] == 200).float().mean())
        assert mix.share[first : first + 2].tolist() == pytest.approx([share, share], abs=1e-6)


def test_each_pair_draws_which_of_both_it_goes_through() -> None:
    mixed, _ = mix_pairs(two_tones(200), KEYS, 3, 5, Augment(mixup=0.8, cutmix=0.5))
    blended, pasted = (
        mix_pairs(two_tones(200), KEYS, 3, 5, one)[0] for one in (Augment(mixup=0.8), Augment(cutmix=0.5))
    )
    assert not torch.equal(blended, pasted)
    for first in range(0, 200, 2):
        draw = draw_uniform(3, 5, KEYS[first] + KEYS[first + 1], "mix", 0)[0]
        assert torch.equal(mixed[first : first + 2], (pasted if draw < 0.5 else blended)[first : first + 2])


def test_the_last_two_of_an_even_batch_are_a_pair_too() -> None:
    assert mix_pairs(two_tones(2), KEYS[:2], 0, 0, Augment(mixup=1.0))[1].partner.tolist() == [1, 0]


def test_mixing_is_asked_for_by_either_word() -> None:
    words = [Augment(), Augment(mixup=0.1), Augment(cutmix=0.1), BOTH]
    assert [is_mixing(augment) for augment in words] == [False, True, True, True]


@pytest.mark.parametrize("augment", [Augment(mixup=0.8), Augment(cutmix=1.0), BOTH])
@pytest.mark.parametrize("count", [1, 2, 39, 40])
def test_how_many_pairs_are_blended_together_changes_no_bit(
    monkeypatch: pytest.MonkeyPatch, augment: Augment, count: int
) -> None:
    noise = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 3, 20, 20), dtype=torch.uint8, generator=noise)
    alone, mix = mix_pairs(images, KEYS[:count], 3, 5, augment)
    for together in (3, 32):
        monkeypatch.setattr(mixing, "HOST_PAIRS", together)
        mixed, other = mix_pairs(images, KEYS[:count], 3, 5, augment)
        assert torch.equal(mixed, alone)
        assert torch.equal(other.share, mix.share)
