"""Words about images that no job could follow are refused while the spec is read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.spec import Augment, Data, RandAugment, parse_rand_augment

NOT_UNDERSTOOD = (
    "rand-m9", "rand-m9-inc0", "augmix-m5", "rand", "rand-m9-inc1-x3", "rand-m9-n2.5-inc1", "", "rand-inc1",
    "rand-n2-inc1", "rand-m9-m8-inc1", "rand-m99-inc1", "rand-m9-n0-inc1", "rand-m9-p2-inc1",
)  # fmt: skip


def test_timms_notation_is_read() -> None:
    assert parse_rand_augment("rand-m9-mstd0.5-inc1") == RandAugment(9.0, 0.5)
    assert parse_rand_augment("rand-m7-n3-p0.8-inc1") == RandAugment(7.0, 0.0, 3, 0.8)
    assert parse_rand_augment("rand-n1-m10-inc1") == RandAugment(10.0, 0.0, 1)


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_any_other_notation_is_refused_before_anything_runs(text: str) -> None:
    with pytest.raises(ValidationError, match="is not understood"):
        Augment(rand_augment=text)


@pytest.mark.parametrize(("names", "what"), [([], "names no class"), (["a", "b", "a"], "class 'a' is named twice")])
def test_a_class_list_names_some_class_and_each_once(names: list[str], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Data(source="folder", root="/set", classes=names)


def test_digits_take_no_class_list_that_would_be_passed_over() -> None:
    with pytest.raises(ValidationError, match="has its ten classes"):
        Data(source="digits", classes=["0", "1"])
