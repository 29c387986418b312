"""A folder and an archive of it give the same images, classes and parts; what cannot be understood is refused."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.inputs.folders import ImageFile, find_images, name_place, passed_over


def write_tree(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def shown(root: Path, classes: list[str] | None = None) -> list[tuple[str, str, str]]:
    """Path below the root, class and part of every image that is found."""
    images, _ = find_images(root, classes)
    return [(image.member or str(image.path.relative_to(root)), image.class_name, image.part) for image in images]


TREE = ["b/2.png", "b/10.JPG", "b/deep/er/1.webp", "a/1.bmp", "a b/1.gif", "a/2.jpeg", "b/x.tif", "b/y.TIFF"]
FOUND = [
    ("a/1.bmp", "a", ""), ("a/2.jpeg", "a", ""), ("a b/1.gif", "a b", ""),
    ("b/10.JPG", "b", ""), ("b/2.png", "b", ""), ("b/deep/er/1.webp", "b", ""), ("b/x.tif", "b", ""),
    ("b/y.TIFF", "b", ""),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_images_come_by_class_and_then_by_path(tmp_path: Path, kind: str) -> None:
    place = root = write_tree(tmp_path / "set", TREE)
    if kind != "folder":
        place = Path(shutil.make_archive(str(tmp_path / "held"), kind, root))
    assert shown(place) == FOUND
    images, names = find_images(place)
    assert names == ("a", "a b", "b")
    if kind == "folder":
        assert images[0] == ImageFile(root / "a" / "1.bmp", "a")
    else:
        assert images[0] == ImageFile(place, "a", "a/1.bmp")


def test_other_files_are_no_images(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a/1.png", "b/1.png", "a/2.heic", "a/png", "a/3.svg", "b/4.jpg.txt", "b/.jpg", "NOTES"])
    assert shown(tmp_path) == [("a/1.png", "a", ""), ("b/1.png", "b", "")]
    counted = {".heic": 1, ".svg": 1, ".txt": 1, "notes": 0, "NOTES": 1, "png": 1}
    assert passed_over(tmp_path, 2) == {name: count for name, count in sorted(counted.items()) if count}


def test_images_outside_of_classes_are_counted_last(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a/1.png", "b/1.png", "z.jpg", "a/x.MOV", "a/y.avi"])
    assert list(passed_over(tmp_path, 2).items()) == [(".avi", 1), (".mov", 1), ("image outside of class folders", 1)]
    assert passed_over(tmp_path, 3) == {".avi": 1, ".mov": 1}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_hidden_files_and_folders_are_not_seen(tmp_path: Path, kind: str) -> None:
    hidden = ["__MACOSX/a/._1.png", ".git/a/1.png", "a/.cache/2.png", "a/__MACOSX/3.png", "b/.hidden.png", ".DS_Store"]
    place = root = write_tree(tmp_path / "set", ["a/1.png", "b/1.png", *hidden])
    if kind == "zip":
        place = Path(shutil.make_archive(str(tmp_path / "held"), kind, root))
    assert shown(place) == [("a/1.png", "a", ""), ("b/1.png", "b", "")]
    assert passed_over(place, 2) == {}


PART_NAMES = {
    "train": "train", "Train": "train", "TRAINING": "train", "train.X1": "train", "train_2": "train",
    "train-X": "train", "train3": "train", "val": "val", "valid": "val", "Validation": "val", "val.X": "val",
    "test": "test", "testing": "test", "test-10": "test",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PART_NAMES))
def test_a_folder_called_after_a_part_holds_one(tmp_path: Path, name: str) -> None:
    other = "val" if PART_NAMES[name] == "train" else "train"
    write_tree(tmp_path, [f"{folder}/{kind}/1.png" for folder in (name, other) for kind in "ab"])
    parts = [part for part, _ in sorted([(PART_NAMES[name], name), (other, other)], key=lambda pair: pair[1])]
    assert [(kind, part) for _, kind, part in shown(tmp_path)] == [(kind, part) for kind in "ab" for part in parts]


@pytest.mark.parametrize("name", ["trainer", "vale", "testbed", "train.Y1", "test 1", "untrain"])
def test_a_folder_that_is_called_nearly_so_is_a_class(tmp_path: Path, name: str) -> None:
    write_tree(tmp_path, [f"{folder}/{kind}/1.png" for folder in (name, "val") for kind in "ab"])
    assert find_images(tmp_path)[1] == tuple(sorted((name, "val")))


def test_folders_called_train_and_val_without_folders_are_classes(tmp_path: Path) -> None:
    write_tree(tmp_path, ["train/1.png", "val/1.png"])
    assert shown(tmp_path) == [("train/1.png", "train", ""), ("val/1.png", "val", "")]


def test_a_part_of_loose_images_or_of_no_images_is_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, ["train/a/1.png", "train/b/1.png", "test/1.png", "labels/a/1.csv", "val/a/1.png"])
    assert shown(tmp_path) == [
        ("train/a/1.png", "a", "train"), ("val/a/1.png", "a", "val"), ("train/b/1.png", "b", "train"),
    ]  # fmt: skip


def test_an_archive_keeps_the_parts_of_its_folder(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "set", [f"top/{part}/{kind}/1.png" for part in ("train", "val") for kind in "ab"])
    place = Path(shutil.make_archive(str(tmp_path / "held"), "zip", root))
    assert shown(place) == shown(root)
    assert [part for *_, part in shown(root)] == ["train", "val"] * 2


def test_wrapping_folders_are_stepped_into_but_no_class_is(tmp_path: Path) -> None:
    write_tree(tmp_path / "wrapped", ["x/y/a/1.png", "x/y/b/only/1.png", "x/y/readme.txt"])
    assert [kind for _, kind, _ in shown(tmp_path / "wrapped")] == ["a", "b"]
    write_tree(tmp_path / "beside", ["x/a/1.png", "x/b/1.png", "cover.jpg"])
    with pytest.raises(DataError, match="one class only, 'x'"):
        find_images(tmp_path / "beside")
    write_tree(tmp_path / "class", ["only/1.png"])
    with pytest.raises(DataError, match="one class only, 'only'"):
        find_images(tmp_path / "class")
    write_tree(tmp_path / "more", ["only/1.png", "only/more/2.png"])
    with pytest.raises(
        DataError, match=r"one class only, 'only'.*\nfix: .*name the folder that holds the class folders"
    ):
        find_images(tmp_path / "more")


def test_chosen_classes_keep_their_order_once_each(tmp_path: Path) -> None:
    write_tree(tmp_path, ["ant/1.png", "bee/1.png", "cow/1.txt"])
    images, names = find_images(tmp_path, ["bee", "ant", "bee"])
    assert names == ("bee", "ant")
    assert [image.class_name for image in images] == ["bee", "ant"]
    with pytest.raises(DataError, match=r"there is no class folder 'aunt'\nfix: .*ant"):
        find_images(tmp_path, ["bee", "aunt"])
    with pytest.raises(DataError, match=r"one class only, 'ant'\nfix: .*list more in data\.classes"):
        find_images(tmp_path, ["ant", "ant"])


def test_a_class_without_images_says_what_it_holds(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a/1.png", "b/1.png", "b/x.mov", "c/1.HEIC", "c/in/2.heic", "c/a.csv", "c/README"])
    with pytest.raises(
        DataError, match=r"c: class folder 'c' has no images that xp reads, only 1 \.csv, 2 \.heic, 1 README\n"
    ):
        find_images(tmp_path)
    write_tree(tmp_path / "bare", ["a/1.png", "b/1.png"])
    (tmp_path / "bare" / "c").mkdir()
    with pytest.raises(DataError, match=r"class folder 'c' has no images\nfix: remove it.*\.bmp \.gif \.jpeg .*\.webp"):
        find_images(tmp_path / "bare")


def test_a_set_without_class_folders_says_what_is_there(tmp_path: Path) -> None:
    write_tree(tmp_path / "loose", ["1.png"])
    with pytest.raises(DataError, match=r"there are images but no class folders here\nfix: put each class's images"):
        find_images(tmp_path / "loose")
    write_tree(tmp_path / "packed", ["inner.tar.gz", "notes.txt"])
    with pytest.raises(DataError, match=r"there are no class folders here\nfix: unpack inner\.tar\.gz"):
        find_images(tmp_path / "packed")
    write_tree(tmp_path / "file", ["set.rar"])
    with pytest.raises(DataError, match=r"set\.rar: data\.root is a file, and no archive"):
        find_images(tmp_path / "file" / "set.rar")


def test_places_can_be_written_anywhere(tmp_path: Path) -> None:
    assert name_place(Path("/x/set.zip"), "a/1.png") == "/x/set.zip!a/1.png"
    assert name_place(Path("/x") / os.fsdecode(b"caf\xe9.png")) == r"/x/caf\xe9.png"
    assert name_place(Path("/x/gr\u00fcn.png")) == "/x/gr\u00fcn.png"
    assert ImageFile(Path("/x/set.zip"), "a", "a/1.png").place == "/x/set.zip!a/1.png"


def test_a_class_whose_name_is_no_utf8_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a/1.png", os.fsdecode(b"caf\xe9/1.png")])
    with pytest.raises(DataError, match=r"class folder 'caf\\xe9' is no UTF-8"):
        find_images(tmp_path)
    write_tree(tmp_path, ["b/1.png"])
    assert find_images(tmp_path, ["a", "b"])[1] == ("a", "b")


def test_links_are_followed_but_not_up(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "set", ["a/1.png", "b/in/2.png"])
    write_tree(tmp_path / "far", ["3.png"])
    (root / "a" / "far").symlink_to(tmp_path / "far")
    (root / "b" / "in" / "up").symlink_to(root / "b")
    (root / "b" / "in" / "top").symlink_to(root)
    (root / "b" / "self").symlink_to(root / "b" / "self")
    assert [name for name, *_ in shown(root)] == ["a/1.png", "a/far/3.png", "b/in/2.png"]
    assert passed_over(root, 3) == {"self": 1}


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, ["a/1.png", "b/1.png"])

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot list this folder: Permission denied\nfix: make it readable"):
        find_images(tmp_path)


def test_an_archives_folders_need_no_entries_of_their_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for name in ("top/a/1.png", "top/b/in/1.png", "top/.x/c/1.png", "top/read.txt"):
            packed.writestr(name, b"")
    assert shown(tmp_path / "x.zip") == [("top/a/1.png", "a", ""), ("top/b/in/1.png", "b", "")]


@pytest.mark.parametrize(
    ("name", "words"),
    [("  ", "is blank"), ("a\nb", "has control characters"), (os.fsdecode(b"a\xe9"), "is no UTF-8")],
)
def test_a_class_whose_name_cannot_be_written_is_refused(tmp_path: Path, name: str, words: str) -> None:
    write_tree(tmp_path, ["a/1.png", f"{name}/1.png"])
    with pytest.raises(DataError, match=rf"{words}\nfix: rename"):
        find_images(tmp_path)
    assert shown(write_tree(tmp_path, ["b/1.png"]), ["a", "b"]) == [("a/1.png", "a", ""), ("b/1.png", "b", "")]


def test_classes_that_differ_in_their_form_of_unicode_only_are_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, ["caf\u00e9/1.png", "cafe\u0301/1.png"])
    with pytest.raises(DataError, match="in two forms of Unicode"):
        find_images(tmp_path)


def test_two_images_that_are_written_alike_are_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a/\\xe9.png", os.fsdecode(b"a/\xe9.png"), "b/1.png"])
    with pytest.raises(DataError, match="written alike"):
        find_images(tmp_path)


def test_folders_are_followed_to_a_depth(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a/" + "d/" * 63 + "1.png", "b/1.png"])
    assert len(shown(tmp_path)) == 2
    write_tree(tmp_path, ["a/" + "d/" * 64 + "1.png"])
    with pytest.raises(DataError, match=r"more than 64 folders deep\nfix: .*folder_depth"):
        find_images(tmp_path)


def test_the_same_folder_may_be_linked_to_often_but_not_without_end(tmp_path: Path) -> None:
    write_tree(tmp_path, ["same/1.png", "set/a/1.png", "set/b/1.png"])
    for number in range(65):
        if number == 64:
            assert len(shown(tmp_path / "set")) == 66
        (tmp_path / "set" / "a" / f"{number}").symlink_to(tmp_path / "same")
    with pytest.raises(DataError, match="more than 64 ways lead to this folder"):
        find_images(tmp_path / "set")


def test_a_link_to_a_folder_that_holds_the_set_is_not_followed(tmp_path: Path) -> None:
    write_tree(tmp_path, ["set/a/1.png", "set/b/1.png", "elsewhere/1.png"])
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path)
    assert len(shown(tmp_path / "set")) == 2
    (tmp_path / "link").symlink_to(tmp_path / "set")
    assert len(find_images(tmp_path / "link")[0]) == 2


def test_pipes_and_devices_of_a_tar_are_counted(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name, kind in (("a/1.png", tarfile.REGTYPE), ("b/1.png", tarfile.REGTYPE), ("a/p.png", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type = kind
            tar.addfile(member)
    assert passed_over(tmp_path / "x.tar", 2) == {"pipe or device": 1}
