"""Which images lie in a folder or an archive: takes its path, gives files with their class and part. Reads no image.

Classes are folders. Folders called train, val, test (train.X1, valid, testing too) that hold class folders are parts.
"""

from __future__ import annotations

import bisect
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from engine.errors import DataError, closest_hint
from engine.home.limits import limits, raise_limit
from engine.inputs.archive import is_archive, list_archive
from engine.inputs.member_names import has_control, written_name
from engine.inputs.origins import Origin, name_origin

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"))
# train.X1 and its like are how a much used ImageNet-100 comes.
PART_FOLDER = re.compile(r"(train|val|test)(?:idation|id|ing)?(?:[._-]?X?\d*)", re.IGNORECASE)

MOST_VISITS = 64
"""Ways to one folder: a set may hold the same folder under several classes, and n levels of two links make 2^n ways."""

Steps = tuple[str, ...]
Mark = tuple[int, int]


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
        return name_place(self.path, self.member)

    @property
    def origin(self) -> Origin:
        """The part of ImageNet that its name tells."""
        return name_origin(self.member.rpartition("/")[2] or self.path.name)


def name_place(path: Path, member: str = "") -> str:
    """Return where an image lies in words that can be written anywhere."""
    return written_name(f"{path}!{member}" if member else str(path))


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
    if not found:
        raise _without_classes(root, tree)
    names = choose_classes(root, sorted(found), classes)
    for name in names:
        if not found[name]:
            others = _suffix_counts(path for path in tree.others if name in path[:-1])
            what = f"class folder {name!r} has no images" + (f" that xp reads, only {others}" if others else "")
            fix = f"remove it, list the classes you mean in data.classes, or add images ({_suffix_list()})"
            raise DataError(what, where=str(root / name), fix=fix)
    images = [image for name in names for image in found[name]]
    _check_places(images)
    return images, names


def _check_places(images: list[ImageFile]) -> None:
    r"""Raise DataError for two images that are written alike, as one called \xe9.png and one by that byte."""
    twice = [place for place, count in Counter(image.place for image in images).items() if count > 1]
    if twice:
        fix = "rename one of them: only letters that can be written tell them apart"
        raise DataError("the names of two images are written alike", where=twice[0], fix=fix)


def _check_names(root: Path, names: list[str]) -> None:
    """Raise DataError for a class whose name cannot be told from another, or not be written everywhere."""
    forms: dict[str, str] = {}
    for name in names:
        what = _name_problem(name)
        first = forms.setdefault(unicodedata.normalize("NFC", name), name)
        if first != name:
            what = f"class folders {first!a} and {name!a} have one name in two forms of Unicode"
        if what:
            fix = "rename the folder, or list the classes you mean in data.classes"
            raise DataError(what, where=name_place(root), fix=fix)


def _name_problem(name: str) -> str:
    if has_control(name):
        return f"the name of class folder '{written_name(name)}' has control characters"
    if written_name(name) != name:
        return f"the name of class folder '{written_name(name)}' is no UTF-8"
    return "" if name.strip() else f"the name of class folder {name!r} is blank"


def passed_over(root: Path, images: int) -> dict[str, int]:
    """Return what lies under `root` beside the `images` that were found: files by suffix, images without a class."""
    tree = _read_tree(root)
    counts = Counter(map(_suffix, tree.others))
    counts.update(tree.kinds)
    outside = len(tree.files) - images
    return dict(sorted(counts.items())) | ({"image outside of class folders": outside} if outside > 0 else {})


def _suffix_counts(paths: Iterable[Steps]) -> str:
    counts = Counter(map(_suffix, paths))
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))


def _suffix(path: Steps) -> str:
    return written_name(os.path.splitext(path[-1])[1].lower() or path[-1])


def _image_file(root: Path, path: Steps, class_name: str, part: str) -> ImageFile:
    if root.is_dir():
        return ImageFile(root.joinpath(*path), class_name, "", part)
    return ImageFile(root, class_name, "/".join(path), part)


def choose_classes(
    root: Path, names: list[str], classes: list[str] | None, kind: str = "class folder"
) -> tuple[str, ...]:
    """Return the classes that count, of those called `names`: all, or the `classes` of a spec in their order.

    Raises DataError for a class that is not there, for one alone, and for names that cannot be told apart or written.
    """
    for name in classes or ():
        if name not in names:
            raise DataError(f"there is no {kind} {name!r}", where=str(root), fix=closest_hint(name, names))
    chosen = names if classes is None else list(dict.fromkeys(classes))
    if len(chosen) < 2:
        mend = f"name the folder that holds the {kind}s" if classes is None else "list more in data.classes"
        fix = f"a classifier needs two classes or more: {mend}"
        raise DataError(f"there is one class only, {', '.join(chosen)!r}", where=str(root), fix=fix)
    _check_names(root, chosen)
    return tuple(chosen)


def _without_classes(root: Path, tree: _Tree) -> DataError:
    found = "images but no class folders" if tree.files else "no class folders"
    inner = [path[-1] for path in tree.others if is_archive(Path(path[-1]))]
    tables = [path[-1] for path in tree.others if path[-1].lower().endswith((".csv", ".tsv"))]
    fix = "put each class's images in a sub-folder of its own"
    if inner:
        fix = f"unpack {inner[0]}, or name it itself: an archive inside of another is not looked into"
    elif tables and tree.files:
        fix = f"{fix}, or name {tables[0]} itself where it lists images and their classes"
    return DataError(f"there are {found} here", where=str(root), fix=fix)


@dataclass(frozen=True)
class _Tree:
    """Image files, folders and other files as relative steps, sorted; the same for a folder and an archive of it."""

    files: list[Steps]
    folders: list[Steps]
    others: list[Steps]
    kinds: Mapping[str, int] = field(default_factory=dict)  # what is neither file nor folder

    def children(self, base: Steps) -> list[str]:
        return self._names_below.get(base, [])

    @cached_property
    def _names_below(self) -> Mapping[Steps, list[str]]:
        below: dict[Steps, list[str]] = {}
        for folder in self.folders:
            below.setdefault(folder[:-1], []).append(folder[-1])
        return below

    def has_files(self, base: Steps) -> bool:
        return any(file[:-1] == base for file in self.files)

    def files_under(self, base: Steps) -> list[Steps]:
        first = bisect.bisect_left(self.files, base)
        # The first name that sorts behind everything under `base`.
        last = bisect.bisect_left(self.files, (*base[:-1], base[-1] + "\0"))
        return self.files[first:last]

    def step_in(self) -> Steps:
        """Return the folder whose sub-folders count: a chain of single folders above it is only wrapping."""
        base: Steps = ()
        while len(names := self.children(base)) == 1 and not self.has_files(base):
            inner = (*base, names[0])
            folders = len(self.children(inner))
            if not folders or (folders == 1 and self.has_files(inner)):
                break
            base = inner
        return base

    def part_folders(self, base: Steps) -> dict[Steps, str] | None:
        """Return the part of each folder when all are called after one; folders without classes are left out."""
        names = [name for name in self.children(base) if self.files_under((*base, name))]
        matches = [PART_FOLDER.fullmatch(name) for name in names]
        if not names or not all(matches):
            return None
        held = {(*base, name): match[1].lower() for name, match in zip(names, matches, strict=True) if match}
        return {folder: part for folder, part in held.items() if self.children(folder)} or None


def _read_tree(root: Path) -> _Tree:
    if root.is_dir():
        tree = _Tree([], [], [])
        # A link to a folder that holds this one would lead to it again.
        _Walk(tree, Counter()).into(root, (), tuple(map(_mark, root.resolve().parents)))
        return _Tree(sorted(tree.files), sorted(tree.folders), sorted(tree.others))
    if not is_archive(root):
        fix = "name the folder that holds the class folders, or a .zip or .tar of it"
        raise DataError("data.root is a file, and no archive", where=str(root), fix=fix)
    held = list_archive(root)
    named = {tuple(name.split("/")) for name in held.names}
    paths = sorted(path for path in named if not any(_is_hidden(step) for step in path))
    files = [path for path in paths if _is_image(path[-1])]
    # Many archives have no entries for folders: they follow from the files.
    above = {path[:depth] for path in paths for depth in range(1, len(path))}
    return _Tree(files, sorted(above), [path for path in paths if not _is_image(path[-1])], held.others)


@dataclass(frozen=True)
class _Walk:
    """Collects in `tree` what lies under a folder; `visits` counts how often each folder was come to."""

    tree: _Tree
    visits: Counter[Mark]

    def into(self, folder: Path, steps: Steps, above: tuple[Mark, ...]) -> None:
        """Go into `folder`; a link back to a folder above ends there."""
        mark, entries = _list_folder(folder)
        self._check(folder, steps, mark)
        for entry in entries:
            if _is_hidden(entry.name):
                continue
            if not _is_folder(entry):
                (self.tree.files if _is_image(entry.name) else self.tree.others).append((*steps, entry.name))
            elif _mark(Path(entry.path)) not in (*above, mark):
                self.tree.folders.append((*steps, entry.name))
                self.into(Path(entry.path), (*steps, entry.name), (*above, mark))

    def _check(self, folder: Path, steps: Steps, mark: Mark) -> None:
        """Raise DataError where folders or links never seem to end."""
        self.visits[mark] += 1
        if self.visits[mark] > MOST_VISITS:
            what = f"more than {MOST_VISITS} ways lead to this folder, through links to folders above it"
            raise DataError(what, where=name_place(folder), fix="remove links that lead to the same folder")
        if len(steps) > limits().folder_depth:
            what = f"this folder lies more than {limits().folder_depth} folders deep"
            raise DataError(what, where=name_place(folder), fix=raise_limit("folder_depth"))


def _list_folder(folder: Path) -> tuple[Mark, list[os.DirEntry[str]]]:
    try:
        return _mark(folder), list(os.scandir(folder))
    except OSError as error:
        fix = "make it readable or remove it"
        raise DataError(f"cannot list this folder: {error.strerror}", where=name_place(folder), fix=fix) from error


def _mark(folder: Path) -> Mark:
    """Return device and inode: they tell whether a link leads back to a folder that we are in."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _is_hidden(name: str) -> bool:
    # __MACOSX is what macOS adds to the archives it makes.
    return name.startswith(".") or name == "__MACOSX"


def _suffix_list() -> str:
    return " ".join(sorted(IMAGE_SUFFIXES))
