"""Class folders find their place in ImageNet's heads."""

from __future__ import annotations

import pytest
import torch

from engine.core.data.wordnet import _read_table, class_name, class_title, slice_mass, slice_places
from engine.errors import DataError
from engine.spec.architectures import IMAGENET_HEADS

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


def test_a_name_is_the_meaning_alone() -> None:
    assert [class_name(one) for one in ("n01440764", "n99999999", "roses")] == ["tench", "n99999999", "roses"]


def test_mass_is_worked_out_in_full_precision() -> None:
    logits = torch.linspace(-3, 3, 1000, dtype=torch.float64).half()
    expected = logits.double().softmax(0)[:10].sum()
    assert float(slice_mass(logits[None], torch.arange(10))) == pytest.approx(float(expected), rel=1e-5)


def test_places_are_those_of_each_heads_own_table() -> None:
    for outputs, table in IMAGENET_HEADS.items():
        names = _read_table(table)
        assert len(names) == outputs
        wanted = [names[outputs - 1], names[0], names[outputs // 2]]
        assert slice_places(wanted, outputs).tolist() == [outputs - 1, 0, outputs // 2]


def test_five_absent_classes_are_named_and_the_rest_counted() -> None:
    absent = [f"x{number}" for number in range(7)]
    with pytest.raises(DataError, match=r"7 of 8 classes are not in the teacher's head of 1000: 'x0', .*'x4'\n"):
        slice_places(["n01440764", *absent], 1000)


def test_the_first_word_of_a_meaning_is_enough() -> None:
    assert class_title("n02102040") == "n02102040 English springer"
