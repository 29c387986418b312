"""WebDataset: what shares a name is one sample; its class stands in .cls or .json."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.inputs.forms import find_form
from engine.inputs.forms.shards import is_shards, list_shards
from tests.inputs.forms.making import add_member


def write(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as shard:
        for name, content in members.items():
            add_member(shard, name, content)
    return path


@pytest.mark.parametrize("name", ["one.tar", "one.tar.gz"])
def test_a_single_file_is_a_set(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, {"a/1.cls": b"ant\n", "a/1.jpg": b"1", "b/1.jpg": b"2", "b/1.cls": b"bee"})
    assert is_shards(path)
    assert find_form(path) == "shards"
    assert [(image.member, image.class_name, image.part) for image in list_shards(path, None)] == [
        ("a/1.jpg", "ant", ""), ("b/1.jpg", "bee", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "part"),
    [("train-000000.tar", "train"), ("val_1.tar", "val"), ("testing.tar", "test"), ("trainer.tar", "")],
)
def test_a_shard_is_of_the_part_it_is_called_after(tmp_path: Path, name: str, part: str) -> None:
    path = write(tmp_path / name, {"1.jpg": b"1", "1.cls": b"0"})
    assert [image.part for image in list_shards(path, None)] == [part]


def test_an_archive_of_class_folders_is_no_shard(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", {"ant/1.jpg": b"1", "bee/1.jpg": b"2"})
    assert not is_shards(path)
    assert not is_shards(tmp_path)


def test_label_names_an_ending_or_a_word(tmp_path: Path) -> None:
    members = {"1.jpg": b"1", "1.cls": b"0", "1.json": b'{"family": "insect"}', "1.txt": b"red ant"}
    path = write(tmp_path / "x.tar", members)
    found = [list_shards(path, label)[0].class_name for label in (None, "family", "txt")]
    assert found == ["0", "insect", "red ant"]


@pytest.mark.parametrize(
    ("members", "label", "said"),
    [
        ({"1.jpg": b"", "1.cls": b"0", "2.jpg": b""}, None, r"x\.tar!2: this image has no class beside it"),
        ({"1.jpg": b"", "1.json": b'{"sort": 1}'}, None, r"no class beside it\nfix: .*there is json, sort"),
        ({"1.jpg": b"", "1.json": b'{"sort": 1}'}, "kind", r"no 'kind' beside it\nfix: .*there is json, sort"),
        ({"1.jpg": b"", "1.left.png": b"", "1.cls": b"0"}, None, r"this sample has 2 images: 1\.jpg, 1\.left\.png"),
        ({"1.jpg": b"", "1.json": b"{"}, None, r"its \.json cannot be read"),
        ({"1.jpg": b"", "1.json": b'{"label": [0, 1]}'}, None, "multi-label"),
    ],
)
def test_a_sample_without_one_class_is_named(
    tmp_path: Path, members: dict[str, bytes], label: str | None, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        list_shards(write(tmp_path / "x.tar", members), label)


def test_a_label_larger_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_LIMITS", "annotation_bytes=3")
    with pytest.raises(DataError, match=r"x\.tar!1\.cls: a label of 4 bytes"):
        list_shards(write(tmp_path / "x.tar", {"1.jpg": b"", "1.cls": b"1234"}), None)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.tar", {"1.jpg": b"x" * 2000, "1.cls": b"0"})
    (tmp_path / "b.tar").write_bytes(whole.read_bytes()[:1500])
    with pytest.raises(DataError, match=r"b\.tar: cannot read this archive: it is cut short"):
        list_shards(tmp_path, None)
