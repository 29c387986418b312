"""Class folders find their place in ImageNet's heads."""

from __future__ import annotations

import pytest
import torch

from engine.core.data.wordnet import class_title, slice_mass, slice_places
from engine.errors import DataError
from engine.names import IMAGENET_HEADS

NAMES = ["n02102040", "n01440764", "n03888257"]


def test_places_follow_the_class_list() -> None:
    assert slice_places(NAMES, 1000).tolist() == [217, 0, 701]


@pytest.mark.parametrize("outputs", sorted(IMAGENET_HEADS))
def test_every_head_has_a_table_of_its_size(outputs: int) -> None:
    places = slice_places(["n02102040"], outputs)
    assert 0 <= int(places) < outputs


def test_unknown_heads_and_classes_are_refused_by_name() -> None:
    with pytest.raises(DataError, match="head of 37"):
        slice_places(NAMES, 37)
    with pytest.raises(DataError, match=r"2 of 3 classes .* 'cat', 'dog'"):
        slice_places(["cat", "n02102040", "dog"], 1000)


def test_the_sliced_mass_is_the_share_of_probability() -> None:
    logits = torch.randn(5, 1000, generator=torch.Generator().manual_seed(0)) * 4
    places = slice_places(NAMES, 1000)
    torch.testing.assert_close(slice_mass(logits, places), logits.softmax(1)[:, places].sum(1))
    assert slice_mass(logits, torch.arange(1000)).tolist() == pytest.approx([1.0] * 5, abs=1e-6)


def test_ids_get_their_meaning() -> None:
    assert class_title("n01440764") == "n01440764 tench"
    assert class_title("n99999999") == "n99999999"
    assert class_title("roses") == "roses"
