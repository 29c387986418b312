"""A digest stands for contents and classes; what is missing is told from what is broken."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from engine.errors import DataError, MissingData
from engine.home.files import write_atomic
from engine.inputs import content
from engine.inputs.content import content_digest, data_content, digits_file, image_digests, resolve_root
from engine.inputs.folders import ImageFile, find_images, passed_over
from engine.spec import Data


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "digests.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name in ("ant", "bee"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            (folder / name / f"{number}.JPG").write_bytes(f"{name} {number}".encode())
    return folder


def folder_data(root: Path | str, classes: list[str] | None = None) -> Data:
    return Data(source="folder", root=str(root), classes=classes)


def test_the_digest_is_of_contents_and_classes_not_of_names(root: Path, cache: Path) -> None:
    first = data_content(folder_data(root), cache)
    assert (first.num_classes, first.count, first.bytes) == (2, 6, 30)
    assert first.class_names == ("ant", "bee")
    (root / "ant" / "0.JPG").rename(root / "ant" / "renamed.png")
    (root / "bee" / ".hidden.jpg").write_bytes(b"x")
    (root / "bee" / "notes.txt").write_bytes(b"x")
    assert data_content(folder_data(root), cache).digest == first.digest
    (root / "ant" / "renamed.png").rename(root / "bee" / "renamed.png")
    assert data_content(folder_data(root), cache).digest != first.digest


def test_an_unchanged_file_is_read_once(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = data_content(folder_data(root), cache)
    read: list[Path] = []
    honest = content.file_digest

    def note_and_read(path: Path) -> str:
        read.append(path)
        return honest(path)

    monkeypatch.setattr(content, "file_digest", note_and_read)
    assert data_content(folder_data(root), cache) == first
    assert read == []
    (root / "ant" / "0.JPG").write_bytes(b"changed")
    assert data_content(folder_data(root), cache).digest != first.digest
    assert read == [root / "ant" / "0.JPG"]


def test_a_damaged_cache_of_digests_is_made_anew(root: Path, cache: Path) -> None:
    first = data_content(folder_data(root), cache)
    for damage in ("", "[1, 2]", '{"a": 3}', '{"a"'):
        cache.write_text(damage)
        assert data_content(folder_data(root), cache) == first


def test_absent_data_is_told_from_broken_data(
    root: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XP_NOWHERE", raising=False)
    with pytest.raises(MissingData, match="XP_NOWHERE is not set"):
        data_content(folder_data("${XP_NOWHERE}/set"), cache)
    with pytest.raises(MissingData, match="there is no"):
        data_content(folder_data(tmp_path / "nothing"), cache)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no class folders") as broken:
        data_content(folder_data(tmp_path / "empty"), cache)
    assert not isinstance(broken.value, MissingData)
    monkeypatch.setenv("XP_SOMEWHERE", str(tmp_path))
    assert resolve_root("${XP_SOMEWHERE}/images") == root


def test_a_folder_that_cannot_be_split_into_classes_is_refused(root: Path, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images but no class folders"):
        data_content(folder_data(root / "ant"), cache)
    with pytest.raises(DataError, match="one class only"):
        data_content(folder_data(root, ["ant"]), cache)
    with pytest.raises(DataError, match="'bee'"):
        data_content(folder_data(root, ["ant", "bea"]), cache)
    (root / "cow").mkdir()
    with pytest.raises(DataError, match="'cow' has no images"):
        data_content(folder_data(root), cache)


def test_links_in_a_loop_end(root: Path) -> None:
    (root / "ant" / "again").symlink_to(root / "ant", target_is_directory=True)
    (root / "ant" / "self.jpg").symlink_to(root / "ant" / "self.jpg")
    (root / "ant" / "up").symlink_to(root, target_is_directory=True)
    images, names = find_images(root, ["ant", "bee"])
    assert names == ("ant", "bee")
    assert len(images) == len({image.path for image in images})
    with pytest.raises(DataError, match=r"self\.jpg"):
        data_content(folder_data(root), root / "digests.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(root: Path, cache: Path) -> None:
    (root / "ant" / "0.JPG").chmod(0)
    with pytest.raises(DataError, match=r"0\.JPG"):
        data_content(folder_data(root), cache)


def test_digits_need_no_import_of_sklearn(cache: Path) -> None:
    found = data_content(Data(source="digits"), cache)
    assert (found.num_classes, found.count) == (10, 1797)
    code = (
        "import sys; from engine.inputs.content import data_content; from engine.spec import Data; "
        "from pathlib import Path; "
        "data_content(Data(source='digits'), Path('unused')); "
        "print([name for name in ('torch', 'sklearn', 'PIL', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def write_tree(root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def test_train_and_val_folders_are_merged_and_remembered(tmp_path: Path) -> None:
    write_tree(tmp_path, [f"{part}/{name}/1.png" for part in ("train.X1", "train.X2", "val.X") for name in ("a", "b")])
    (tmp_path / "Labels.json").write_text("{}")
    images, names = find_images(tmp_path)
    assert names == ("a", "b")
    assert [image.part for image in images] == ["train", "train", "val"] * 2


def test_an_unlabelled_test_folder_is_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, ["train/a/1.png", "train/b/1.png", "test/1.png", "test/2.png"])
    assert len(find_images(tmp_path)[0]) == 2


def test_folders_without_images_are_no_classes_beside_parts(tmp_path: Path) -> None:
    write_tree(tmp_path, ["train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/2.png", "labels/a.csv"])
    assert [image.part for image in find_images(tmp_path)[0]] == ["train", "val"] * 2


def test_moving_an_image_to_another_part_changes_the_digest(tmp_path: Path, cache: Path) -> None:
    names = [f"set/{part}/{name}/{number}.png" for part in ("train", "val") for name in "ab" for number in range(2)]
    write_tree(tmp_path, names)
    first = data_content(folder_data(tmp_path / "set"), cache).digest
    (tmp_path / "set/train/a/1.png").rename(tmp_path / "set/val/a/7.png")
    assert data_content(folder_data(tmp_path / "set"), cache).digest != first


def given_data(root: Path) -> Data:
    return Data(source="folder", root=str(root), given="test")


def test_a_given_test_folder_is_counted_by_class(tmp_path: Path, cache: Path) -> None:
    folders = [f"{part}/{name}" for part in ("train.X1", "train.X2", "val.X") for name in ("a", "b")]
    write_tree(tmp_path, [f"{folder}/{number}.png" for folder in folders for number in range(2)] + ["val.X/b/9.png"])
    found = data_content(given_data(tmp_path), cache)
    assert (found.counts, found.held) == ((6, 7), (2, 3))
    assert data_content(folder_data(tmp_path), cache).held is None
    write_tree(tmp_path, ["test/a/1.png", "test/b/1.png"])
    assert data_content(given_data(tmp_path), cache).held == (1, 1)


def test_a_test_folder_that_is_not_given_or_lacks_a_class_is_refused(tmp_path: Path, cache: Path) -> None:
    write_tree(tmp_path / "flat", ["a/1.png", "b/1.png"])
    with pytest.raises(DataError, match=r"no val or test folder.*\nfix: set data\.given: merge"):
        data_content(given_data(tmp_path / "flat"), cache)
    write_tree(tmp_path / "gap", ["train/a/1.png", "train/b/1.png", "val/a/1.png"])
    with pytest.raises(DataError, match="class 'b' has no images in the val folder"):
        data_content(given_data(tmp_path / "gap"), cache)
    write_tree(tmp_path / "only", ["train/a/1.png", "val/b/1.png", "val/a/1.png"])
    with pytest.raises(DataError, match="class 'b' has no images in the train folder"):
        data_content(given_data(tmp_path / "only"), cache)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    write_tree(tmp_path, ["train/1.png", "car/1.png"])
    assert find_images(tmp_path)[1] == ("car", "train")


def test_wrapping_folders_are_stepped_into(tmp_path: Path) -> None:
    write_tree(tmp_path, ["outer/inner/a/1.png", "outer/inner/b/deep/1.png", "outer/inner/b/x.txt"])
    images, names = find_images(tmp_path)
    assert names == ("a", "b")
    assert [image.path.name for image in images] == ["1.png", "1.png"]


def test_archives_have_the_digest_of_their_folder(root: Path, cache: Path, tmp_path: Path) -> None:
    plain = data_content(folder_data(root), cache)
    archives = [shutil.make_archive(str(tmp_path / "held"), kind, root) for kind in ("zip", "tar", "gztar")]
    for archive in archives:
        for _ in range(2):
            held = data_content(folder_data(archive), cache)
            assert (held.digest, held.count) == (plain.digest, plain.count)


@pytest.mark.parametrize("name", ["bad.zip", "bad.tar", "bad.tar.gz", "bad.txt"])
def test_a_damaged_archive_is_named(tmp_path: Path, cache: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is no archive at all" * 100)
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        data_content(folder_data(tmp_path / name), cache)


def test_a_truncated_archive_is_named(root: Path, cache: Path, tmp_path: Path) -> None:
    for kind in ("zip", "tar", "gztar"):
        archive = Path(shutil.make_archive(str(tmp_path / "held"), kind, root))
        archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 3])
        with pytest.raises(DataError, match="held"):
            data_content(folder_data(archive), cache)


CLUTTER = ["Thumbs.db", "a/IMG 1.JPG", "a/more/2.png", "b/1.jpg", "b/clip.mp4", "stray.jpg", ".hid/x.jpg", "b/._1.jpg"]


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_clutter_is_passed_over_and_told(tmp_path: Path, kind: str) -> None:
    write_tree(tmp_path / "my set", CLUTTER)
    place = tmp_path / "my set"
    if kind == "zip":
        place = Path(shutil.make_archive(str(tmp_path / "held"), "zip", tmp_path, "my set"))
    images, names = find_images(place)
    assert (len(images), names) == (3, ("a", "b"))
    assert passed_over(place, len(images)) == {".db": 1, ".mp4": 1, "image outside of class folders": 1}


def test_a_class_of_files_that_are_not_read_says_which(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a/1.png", "b/1.png", "c/1.HEIC", "c/2.HEIC", "c/x.mov"])
    with pytest.raises(DataError, match=r"class folder 'c' has no images that xp reads, only 2 \.heic, 1 \.mov"):
        find_images(tmp_path)


def test_an_archive_of_archives_says_what_to_do(tmp_path: Path) -> None:
    write_tree(tmp_path / "outer", ["images.zip", "notes.txt"])
    archive = shutil.make_archive(str(tmp_path / "outer"), "zip", tmp_path / "outer")
    with pytest.raises(DataError, match=r"no class folders here\nfix: unpack images\.zip"):
        find_images(Path(archive))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_digest_is_over_sorted_lines_and_counts_repeated_images() -> None:
    words = [("b", "train", "2"), ("a", "val", "9"), ("a", "train", "9"), ("a", "train", "9")]
    images = [ImageFile(Path(f"/{number}"), name, part=part) for number, (name, part, _) in enumerate(words)]
    lines = "9\0a\0train\n9\0a\0train\n9\0a\0val\n2\0b\0train\n"
    assert content_digest(images, [digest for *_, digest in words]) == sha256(lines.encode())


def test_digits_are_what_scikit_learn_ships(cache: Path) -> None:
    from sklearn.datasets import load_digits

    found, file = data_content(Data(source="digits"), cache), digits_file()
    assert list(found.counts) == [int((load_digits().target == digit).sum()) for digit in range(10)]
    assert (found.digest, found.bytes) == (sha256(file.read_bytes()), file.stat().st_size)
    assert found.class_names == tuple("0123456789")


def test_digits_without_scikit_learn_are_missing_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingData, match=r"not installed\nfix: pip install scikit-learn"):
        digits_file()


def test_counts_follow_the_class_list_and_an_archives_bytes_count_once(root: Path, cache: Path, tmp_path: Path) -> None:
    (root / "bee" / "0.JPG").unlink()
    found = data_content(folder_data(root, ["bee", "ant"]), cache)
    assert (found.class_names, found.counts) == (("bee", "ant"), (2, 3))
    archive = Path(shutil.make_archive(str(tmp_path / "held"), "zip", root))
    assert data_content(folder_data(archive), cache).bytes == archive.stat().st_size


def test_a_root_may_be_written_with_variables_home_and_relative(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_SET", "images")
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.chdir(root.parent)
    for text in ("~/$XP_SET", "~/images", "images", "${XP_SET}"):
        assert resolve_root(text) == root
    with pytest.raises(MissingData, match=r"data\.root is \$XP_GONE/x, and the variable XP_GONE is not set"):
        resolve_root("$XP_GONE/x")


def test_only_files_whose_size_or_time_changed_are_read_again(root: Path, cache: Path) -> None:
    images = [ImageFile(root / "ant" / f"{number}.JPG", "ant") for number in range(3)]
    first, seen = image_digests(images, cache), list[tuple[int, int]]()
    status = images[1].path.stat()
    images[0].path.write_bytes(b"ANT 0")  # as long as before
    os.utime(images[0].path, ns=(status.st_atime_ns, images[2].path.stat().st_mtime_ns + 1))
    images[1].path.write_bytes(b"longer than before")
    os.utime(images[1].path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = image_digests(images, cache, lambda done, count: seen.append((done, count)))
    assert again == [sha256(b"ANT 0"), sha256(b"longer than before"), first[2]]
    assert seen == [(1, 2), (2, 2)]
    assert image_digests(images, cache, lambda done, count: pytest.fail("nothing has changed")) == again


def test_a_cache_is_written_whole_under_a_lock_and_keeps_what_others_added(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, held = [ImageFile(root / "ant" / "0.JPG", "ant")], list[bool]()
    honest_write, honest_take = write_atomic, content._take_digests

    def take(some: Sequence[ImageFile], progress: content.Progress) -> dict[str, str]:
        cache.parent.mkdir(exist_ok=True)
        cache.write_text('{"/other.png": ["1 2", "3"]}')  # by another process, meanwhile
        return honest_take(some, progress)

    def write(path: Path, text: str) -> None:
        try:
            FileLock(cache.with_name(cache.name + ".lock")).acquire(timeout=0)
        except Timeout:
            held.append(path == cache)
        honest_write(path, text)

    monkeypatch.setattr(content, "_take_digests", take)
    monkeypatch.setattr(content, "write_atomic", write)
    image_digests(images, cache)
    assert held == [True]
    assert sorted(json.loads(cache.read_text())) == ["/other.png", str(images[0].path)]
    monkeypatch.setattr(content, "_take_digests", lambda some, progress: {})
    image_digests(images, cache)
    assert held == [True]  # what is known already is not written again


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 3}', '{"a": [1, 2, 3]}', '{"a"', "null"])
def test_a_cache_that_cannot_be_read_is_an_empty_one(root: Path, cache: Path, text: str) -> None:
    cache.parent.mkdir()
    cache.write_text(text)
    image = ImageFile(root / "ant" / "0.JPG", "ant")
    assert image_digests([image], cache) == [sha256(b"ant 0")]
    cache.unlink()
    cache.mkdir()
    assert content.read_digests(cache) == {}


def test_files_are_hashed_some_at_a_time_and_members_by_archive(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "HASH_CHUNK", 2)
    files = [ImageFile(root / name / f"{number}.JPG", name) for name in ("ant", "bee") for number in range(3)][:5]
    archives = [Path(shutil.make_archive(str(tmp_path / name), "zip", root / name)) for name in ("ant", "bee")]
    members = [ImageFile(path, "x", f"{number}.JPG") for path in archives for number in (2, 0)]
    contents = ["ant 0", "ant 1", "ant 2", "bee 0", "bee 1", "ant 2", "ant 0", "bee 2", "bee 0"]
    assert image_digests([*files, *members]) == [sha256(text.encode()) for text in contents]


def test_what_is_no_readable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    for name, what in (("lost.png", r"No such file .*\nfix: repair the link"), ("pipe.png", r"it is no regular file")):
        with pytest.raises(DataError, match=rf"{name}: cannot read this image: {what}"):
            image_digests([ImageFile(tmp_path / name, "a")])
    with pytest.raises(DataError, match=r"gone\.png: cannot read this image: No such file .*\nfix: make it readable"):
        content.file_digest(tmp_path / "gone.png")
