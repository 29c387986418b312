"""Parquet with images: known by its columns, read row by row, damage named by file and row."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from engine.errors import DataError
from engine.inputs.forms.parquet import ParquetImages, is_parquet, list_parquet, parquet_digests
from tests.inputs.forms.making import draw_photos, hub_table, write_parquet


def write(path: Path, **columns: Any) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def test_members_are_rows_with_the_names_of_their_files(tmp_path: Path) -> None:
    photos = draw_photos()
    root = write_parquet(photos, tmp_path / "set")
    images = list_parquet(root, None)
    assert is_parquet(root)
    assert len(images) == len(photos)
    assert (images[0].member, images[0].part, images[-1].part) == (f"0/{photos[0].name}", "train", "val")
    file = images[0].path
    names = {image.member for image in images if image.path == file}
    digests, opened = dict(parquet_digests(file, names)), ParquetImages(file)
    assert digests == {name: hashlib.sha256(opened.read(name)).hexdigest() for name in names}
    assert opened.read(images[0].member) == photos[0].content


def test_a_column_of_bytes_and_one_of_names_will_do(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", img=[b"one", b"two"], label=["ant", "bee"], split=["train", "test"])
    images = list_parquet(path, None)
    assert [(image.member, image.class_name, image.part) for image in images] == [
        ("0", "ant", "train"),
        ("1", "bee", "test"),
    ]
    assert ParquetImages(path).read("1") == b"two"


def test_label_chooses_among_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", img=[b"one"], fine_label=["ant"], coarse=["insect"])
    assert [image.class_name for image in list_parquet(path, "coarse")] == ["insect"]
    assert [image.class_name for image in list_parquet(path, None)] == ["ant"]


def test_a_name_with_quotes_is_a_column(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", **{"img": [b"one"], 'a "b"': ["ant"]})
    assert [image.class_name for image in list_parquet(path, 'a "b"')] == ["ant"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"img": [b"one"], "label": [[0, 1]]}, "multi-label"),
        ({"img": [b"one"], "label": [0.5]}, r"!0: the label 0\.5 is a measure \(regression\)"),
        ({"img": [b"one"], "label": pa.array([None], pa.int64())}, "!0: this image has no label"),
        ({"img": ["a.png"], "label": ["ant"]}, "no column is known to hold the images"),
        ({"img": [b"one"], "kind": ["ant"]}, r"hold the classes\nfix: name it with data\.label, one of: kind"),
    ],
)
def test_rows_without_a_class_are_refused(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "x.parquet", **columns)
    with pytest.raises(DataError, match=said):
        list_parquet(path, None)


def test_rows_that_only_name_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    parquet.write_table(hub_table([None], ["a.png"], [0]), path)
    with pytest.raises(DataError, match=r"x\.parquet!0: this row holds no image"):
        ParquetImages(path)


def test_an_image_larger_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.parquet", img=[b"x" * 100], label=["ant"])
    monkeypatch.setenv("XP_LIMITS", "image_bytes=99")
    with pytest.raises(DataError, match=r"x\.parquet!0: this image has more than 99 bytes"):
        dict(parquet_digests(path, ["0"]))


def test_a_row_that_is_gone_is_named(tmp_path: Path) -> None:
    opened = ParquetImages(write(tmp_path / "x.parquet", img=[b"one"], label=["ant"]))
    with pytest.raises(DataError, match=r"x\.parquet!1: this file was changed after it was listed"):
        opened.read("1")


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match=r"x\.parquet: cannot read this file.*\nfix: fetch the file again"):
        list_parquet(path, None)
