"""Columns are known by what people call them; else a spec says which, and is told what there is."""

from __future__ import annotations

import pytest

from engine.errors import DataError
from engine.inputs.forms.columns import Columns, choose_columns, name_part


@pytest.mark.parametrize(
    ("names", "label", "chosen"),
    [
        (["Path", "Label"], None, Columns("Path", "Label")),
        (["label", "split", "filename"], None, Columns("filename", "label", "split")),
        (["path", "species", "kind"], "kind", Columns("path", "kind")),
        (["image", "class", "set"], None, Columns("image", "class", "set")),
    ],
)
def test_usual_names_are_known(names: list[str], label: str | None, chosen: Columns) -> None:
    assert choose_columns(names, label, "here") == chosen


def test_a_column_of_images_alone_needs_no_usual_name() -> None:
    assert choose_columns(["picture", "label"], None, "here", images=["picture"]).image == "picture"


@pytest.mark.parametrize(
    ("names", "label", "said"),
    [
        (["a", "label"], None, r"no column is known to hold the images\nfix: call it path, one of: a, label"),
        (["path", "sort"], None, r"hold the classes\nfix: name it with data\.label, one of: sort"),
        (["path", "label"], "lable", r"no column 'lable'\nfix: .*label"),
    ],
)
def test_what_is_not_known_is_asked_for(names: list[str], label: str | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        choose_columns(names, label, "here")


def test_parts_are_train_val_and_test() -> None:
    assert [name_part(word, "here") for word in ("train", "Valid", "testing", "", None)] == [
        "train",
        "val",
        "test",
        "",
        "",
    ]
    with pytest.raises(DataError, match=r"here: the part '3' is none of train, val and test"):
        name_part(3, "here")
