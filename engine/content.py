"""What images a spec names: takes its `data` part, gives their digest, classes, count and size. Loads no torch or PIL.

A file's sha256 is kept by absolute path, size and mtime, so that planning the same folder again reads no image. Names
do not enter the digest, contents and classes do: a renamed file changes nothing.
"""

from __future__ import annotations

import bisect
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from engine.archive import archive_names, is_archive, stream_files
from engine.errors import DataError, MissingData, closest_hint
from engine.home import write_atomic
from engine.spec import Data

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"))
PART_FOLDER = re.compile(r"(train|val|test)(?:idation|ing)?(?:[._-]?X?\d*)", re.IGNORECASE)
DIGIT_CLASSES = tuple(str(digit) for digit in range(10))
DIGIT_COUNT = 1797

Steps = tuple[str, ...]
Mark = tuple[int, int]


@dataclass(frozen=True)
class Content:
    """The images of a spec: `digest` over (class, content) pairs, `bytes` as they lie on disk."""

    digest: str
    num_classes: int
    count: int
    bytes: int
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class ImageFile:
    """One image: its file (or archive and member), its class, and `part` where the tree has train, val, test."""

    path: Path
    class_name: str
    member: str = ""
    part: str = ""

    @property
    def place(self) -> str:
        """Where a person finds it: the path, or `archive!member`."""
        return f"{self.path}!{self.member}" if self.member else str(self.path)


def data_content(data: Data, home_cache_file: Path) -> Content:
    """Return what `data` names, each file's digest taken once and kept in `home_cache_file` (JSON).

    Raises MissingData when it is not on this machine, DataError when it is there and cannot be used.
    """
    if data.source == "digits":
        return _digits_content()
    images, class_names = find_images(resolve_root(data.root), data.classes)
    digests = image_digests(images, home_cache_file)
    pairs = ((image.class_name, digest) for image, digest in zip(images, digests, strict=True))
    size = sum(path.stat().st_size for path in {image.path for image in images})
    return Content(pairs_digest(pairs), len(class_names), len(images), size, class_names)


def pairs_digest(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the sha256 over sorted (class name, content sha256) pairs; repeated pairs count."""
    total = hashlib.sha256()
    for class_name, digest in sorted(pairs):
        total.update(f"{digest} {class_name}\n".encode())
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's content. Raises DataError when it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"cannot read this image: {error.strerror}", where=str(path), fix="make it readable or remove it"
        ) from error


def resolve_root(root: str | None) -> Path:
    """Return `data.root` with ~ and ${VARIABLES} filled in. Raises MissingData when one is unset or it is absent."""
    text = root or ""
    for name in re.findall(r"\$\{(\w+)\}|\$(\w+)", text):
        variable = name[0] or name[1]
        if variable not in os.environ:
            raise MissingData(
                f"data.root is {text}, and the variable {variable} is not set",
                where="data.root",
                fix=f"export {variable}=FOLDER, or write the folder into data.root (--set data.root=FOLDER)",
            )
    path = Path(os.path.expandvars(text)).expanduser().absolute()
    if not path.exists():
        raise MissingData(
            f"there is no {path}", where="data.root", fix="name the folder that has one sub-folder for each class"
        )
    return path


def find_images(root: Path, classes: list[str] | None = None) -> tuple[list[ImageFile], tuple[str, ...]]:
    """Return the images under `root` (a folder or an archive), and the class names in the order of their labels.

    Classes are the sub-folders (or only `classes`, in that order). A folder that holds nothing but the real root is
    stepped into; folders called train, val, test (train.X1 ... too) are merged, each image keeping its `part`. Raises
    DataError when there are no class folders, no images in one, or a single class.
    """
    tree = _read_tree(root)
    base = tree.step_in()
    parts = tree.part_folders(base) or {base: ""}
    found: dict[str, list[ImageFile]] = {}
    for folder, part in parts.items():
        for name in tree.children(folder):
            images = [_image_file(root, path, name, part) for path in tree.files_under((*folder, name))]
            found.setdefault(name, []).extend(images)
    names = _chosen_classes(root, sorted(found), classes, tree)
    for name in names:
        if not found[name]:
            fix = f"remove it, list the classes you mean in data.classes, or add images ({_suffix_list()})"
            raise DataError(f"class folder {name!r} has no images", where=str(root / name), fix=fix)
    return [image for name in names for image in found[name]], tuple(names)


def _image_file(root: Path, path: Steps, class_name: str, part: str) -> ImageFile:
    if root.is_dir():
        return ImageFile(root.joinpath(*path), class_name, "", part)
    return ImageFile(root, class_name, "/".join(path), part)


def _chosen_classes(root: Path, names: list[str], classes: list[str] | None, tree: _Tree) -> list[str]:
    if not names:
        found = "images but no class folders" if tree.files else "no class folders"
        fix = "put each class's images in a sub-folder of its own"
        raise DataError(f"there are {found} here", where=str(root), fix=fix)
    for name in classes or ():
        if name not in names:
            raise DataError(f"there is no class folder {name!r}", where=str(root), fix=closest_hint(name, names))
    chosen = names if classes is None else list(dict.fromkeys(classes))
    if len(chosen) < 2:
        fix = "a classifier needs two classes or more"
        raise DataError(f"there is one class only, {', '.join(chosen)!r}", where=str(root), fix=fix)
    return chosen


@dataclass(frozen=True)
class _Tree:
    """Image files and folders as relative steps, sorted; the same for a folder and for an archive of it."""

    files: list[Steps]
    folders: list[Steps]

    def children(self, base: Steps) -> list[str]:
        return [folder[-1] for folder in self.folders if folder[:-1] == base]

    def has_files(self, base: Steps) -> bool:
        return any(file[:-1] == base for file in self.files)

    def files_under(self, base: Steps) -> list[Steps]:
        first = bisect.bisect_left(self.files, base)
        last = bisect.bisect_left(self.files, (*base[:-1], base[-1] + "\0"))
        return self.files[first:last]

    def step_in(self) -> Steps:
        """Return the folder whose sub-folders count: a chain of single folders above it is only wrapping."""
        base: Steps = ()
        while len(names := self.children(base)) == 1 and not self.has_files(base):
            inner = (*base, names[0])
            if self.has_files(inner) or not self.children(inner):
                break
            base = inner
        return base

    def part_folders(self, base: Steps) -> dict[Steps, str] | None:
        """Return the part of each folder when all are called after one; folders without classes are left out."""
        names = self.children(base)
        matches = [PART_FOLDER.fullmatch(name) for name in names]
        if not names or not all(matches):
            return None
        held = {(*base, name): match[1].lower() for name, match in zip(names, matches, strict=True) if match}
        return {folder: part for folder, part in held.items() if self.children(folder)} or None


def _read_tree(root: Path) -> _Tree:
    if root.is_dir():
        files: list[Steps] = []
        folders: list[Steps] = []
        _walk(root, (), (), files, folders)
        return _Tree(sorted(files), sorted(folders))
    if not is_archive(root):
        fix = "name the folder that holds the class folders, or a .zip or .tar of it"
        raise DataError("data.root is a file, and no archive", where=str(root), fix=fix)
    paths = [tuple(name.split("/")) for name in archive_names(root)]
    files = [path for path in paths if _is_image(path[-1]) and not any(_is_hidden(step) for step in path)]
    above = {path[:depth] for path in files for depth in range(1, len(path))}
    return _Tree(sorted(set(files)), sorted(above))


def _walk(folder: Path, steps: Steps, above: tuple[Mark, ...], files: list[Steps], folders: list[Steps]) -> None:
    """Collect what lies under `folder`; a link back to a folder above ends there."""
    try:
        status = folder.stat()
        entries = list(os.scandir(folder))
    except OSError as error:
        fix = "make it readable or remove it"
        raise DataError(f"cannot list this folder: {error.strerror}", where=str(folder), fix=fix) from error
    mark = (status.st_dev, status.st_ino)
    for entry in entries:
        if _is_hidden(entry.name):
            continue
        if not _is_folder(entry):
            if _is_image(entry.name):
                files.append((*steps, entry.name))
        elif not _is_above(entry, (*above, mark)):
            folders.append((*steps, entry.name))
            _walk(Path(entry.path), (*steps, entry.name), (*above, mark), files, folders)


def _is_above(entry: os.DirEntry[str], above: tuple[Mark, ...]) -> bool:
    status = entry.stat()
    return (status.st_dev, status.st_ino) in above


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _suffix_list() -> str:
    return " ".join(sorted(IMAGE_SUFFIXES))


def image_digests(images: Sequence[ImageFile], cache: Path | None = None) -> list[str]:
    """Return each image's sha256, from `cache` (JSON) where path, size and mtime are as they were."""
    marks = {path: _file_mark(path) for path in {image.path for image in images}}
    known = _read_cache(cache) if cache else {}
    stale = [image for image in images if known.get(image.place, ("",))[0] != marks[image.path]]
    fresh = _take_digests(stale)
    if fresh and cache:
        cache.parent.mkdir(parents=True, exist_ok=True)
        added = {image.place: (marks[image.path], fresh[image.place]) for image in stale}
        with FileLock(cache.with_name(cache.name + ".lock")):
            write_atomic(cache, json.dumps(_read_cache(cache) | added, sort_keys=True))
    return [fresh.get(image.place) or known[image.place][1] for image in images]


def _take_digests(images: Sequence[ImageFile]) -> dict[str, str]:
    """Read every image once, an archive from front to back."""
    taken = {image.place: file_digest(image.path) for image in images if not image.member}
    wanted = {image.place for image in images if image.member}
    for path in sorted({image.path for image in images if image.member}):
        for member, content in stream_files(path):
            if (place := f"{path}!{member}") in wanted:
                taken[place] = hashlib.sha256(content).hexdigest()
    return taken


def _file_mark(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        fix = "mend the link, or remove it"
        raise DataError(f"cannot read this image: {error.strerror}", where=str(path), fix=fix) from error
    return f"{status.st_size} {status.st_mtime_ns}"


def _read_cache(cache: Path) -> dict[str, tuple[str, str]]:
    """A cache that is absent or damaged is an empty one: it only saves time."""
    try:
        held = json.loads(cache.read_text())
        return {str(path): (str(mark), str(digest)) for path, (mark, digest) in held.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def digits_file() -> Path:
    """Return scikit-learn's file of digits, found without importing scikit-learn. Raises MissingData when absent."""
    package = importlib.util.find_spec("sklearn")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise MissingData(
        "source 'digits' is read from scikit-learn, which is not installed",
        where="data.source",
        fix="pip install scikit-learn",
    )


def _digits_content() -> Content:
    path = digits_file()
    return Content(file_digest(path), len(DIGIT_CLASSES), DIGIT_COUNT, path.stat().st_size, DIGIT_CLASSES)
