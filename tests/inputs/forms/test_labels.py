"""A label is a class, or it is refused by the name of what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.inputs.forms.labels import name_class, read_names, refuse_several


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (3, "3"),
        ("3", "3"),
        (3.0, "3"),
        (np.int64(3), "3"),
        (np.float32(3.0), "3"),
        (True, "1"),
        (" ant ", "ant"),
        ("1e", "1e"),
    ],
)
def test_a_label_is_a_class_by_name_or_number(value: object, name: str) -> None:
    assert name_class(value, "here") == name


def test_a_number_is_a_place_among_names() -> None:
    assert [name_class(value, "here", ("ant", "bee")) for value in (1, "0", "wasp")] == ["bee", "ant", "wasp"]
    with pytest.raises(DataError, match=r"here: the label is 2, and there are names for 0 to 1\nfix: add"):
        name_class(2, "here", ("ant", "bee"))


@pytest.mark.parametrize("value", [[1, 2], (0, 1), {"a": 1}, "[1, 2]", "['a', 'b']", '{"a": 1}', np.array([1, 0])])
def test_several_labels_are_refused_as_multi_label(value: object) -> None:
    with pytest.raises(DataError, match=r"here: .*multi-label.*\nfix: xp trains one class"):
        name_class(value, "here")


def test_a_column_for_each_class_is_multi_label() -> None:
    assert "multi-label): sunny, cloudy" in str(refuse_several(["sunny", "cloudy"], "here"))


@pytest.mark.parametrize("value", [0.5, "0.5", "1e-3", np.float64(2.25)])
def test_a_measure_is_refused_as_regression(value: object) -> None:
    with pytest.raises(DataError, match=r"here: .*is a measure \(regression\)"):
        name_class(value, "here")


@pytest.mark.parametrize("value", [None, "", float("nan")])
def test_an_image_without_a_label_is_named(value: object) -> None:
    with pytest.raises(DataError, match="here: this image has no label"):
        name_class(value, "here")


def test_a_mark_for_no_class_is_no_class() -> None:
    with pytest.raises(DataError, match="the label is -1"):
        name_class("-1", "here")


def test_names_stand_in_a_text_beside_the_set(tmp_path: Path) -> None:
    assert read_names(tmp_path) is None
    (tmp_path / "classnames.txt").write_text("ant\n\n bee \n")
    assert read_names(tmp_path) == ("ant", "bee")
