"""The index of a set of images is what its pack says, and by the files alone all but the near-duplicates."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.data.pack import open_pack
from engine.core.data.sources import list_images
from engine.home.paths import Home
from engine.inputs.content import named_images
from engine.inputs.image_index import listed_index, name_groups, packed_index
from engine.spec import Data
from tests.inputs.packing import make_pack


def test_the_index_of_a_pack_is_what_the_pack_says(home: Home, data: Data) -> None:
    make_pack(home, data)
    pack, index = open_pack(home.pack("pack-1")), packed_index(home.pack("pack-1"))
    assert index is not None
    assert (index.keys, index.parts, index.class_names) == (pack.keys, pack.parts, pack.class_names)
    assert index.group_names == pack.group_names != {}
    assert np.array_equal(index.labels, pack.labels)
    assert index.is_exact


@pytest.mark.parametrize("name", ["index.npz", "manifest.json"])
def test_a_pack_that_is_not_whole_has_no_index(name: str, home: Home, data: Data) -> None:
    make_pack(home, data)
    (home.pack("pack-1") / name).write_bytes(b"{}")
    assert packed_index(home.pack("pack-1")) is None


def test_digits_are_named_without_scikit_learn(home: Home) -> None:
    data = Data(source="digits")
    listing = list_images(data)
    expected = {(listing.class_names[one.label], "", one.key) for one in listing.samples}
    named = named_images(data, home.digests)
    assert set(named) == expected
    assert len(named) == len(listing.samples)
    assert listed_index(data, named, listing.class_names).is_exact


def test_groups_are_named_by_their_first_image() -> None:
    assert name_groups(["a", "b", "c", "d"], np.array([0, 1, 0, 3])) == {"a": "a", "c": "a"}
