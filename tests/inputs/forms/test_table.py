"""A table is read row by row, and what is wrong is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import DataError
from engine.inputs.forms.table import is_table, list_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def write(folder: Path, text: str, name: str = "images.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8-sig"))
    return path


def test_rows_are_images_with_class_and_part(folder: Path) -> None:
    path = write(folder, 'path,label,split\n"a.png","ant, red",train\n\nb.jpg,bee,\n')
    assert is_table(path)
    first, second = list_table(path, None)
    assert (first.path, first.class_name, first.part, first.member) == (folder / "a.png", "ant, red", "train", "")
    assert (second.path, second.class_name, second.part) == (folder / "b.jpg", "bee", "")


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_columns_are_apart_by_the_sign_of_the_head(folder: Path, sign: str) -> None:
    path = write(folder, f"path{sign}label\na.png{sign}ant\n", "x.tsv" if sign == "\t" else "x.csv")
    assert [image.class_name for image in list_table(path, None)] == ["ant"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na.png,ant\nc.png,bee\n", r"images\.csv:3: there is no \S*c\.png"),
        ("path,label\na.png,ant\na.png,bee\n", r":3: this image stands in two rows, also in \S*:2"),
        ("path,label\na.txt,ant\n", r":2: 'a\.txt' names no image"),
        ("path,label\n,ant\n", r":2: '' names no image"),
        ("path,label\na.png\n", r":2: this row has 1 cells, and the head has 2"),
        ("path,label\na.png,\n", r":2: this image has no label"),
        ("path,label\na.png,0.25\n", r":2: the label 0\.25 is a measure \(regression\)"),
        ("path,label,label\n", r":1: two columns of this table are called 'label'"),
        ("path,label\n", "this table has no rows"),
        ("", ":1: this table is empty"),
        ("path,label,split\na.png,ant,fold 3\n", r":2: the part 'fold 3' is none"),
        ('path,label\n"a.png,ant\n', "cannot read this table"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(folder: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        list_table(write(folder, text), None)


def test_a_table_in_another_code_is_refused(folder: Path) -> None:
    path = folder / "images.csv"
    path.write_bytes(b"path,label\na.png,\xe9\n")
    with pytest.raises(DataError, match="no UTF-8"):
        list_table(path, None)


def test_a_table_larger_than_the_limit_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_LIMITS", "box_table_bytes=20")
    with pytest.raises(DataError, match=r"this table has .* bytes\nfix: .*box_table_bytes"):
        list_table(write(folder, "path,label\na.png,ant\nb.jpg,bee\n"), None)
