"""What images a spec names: takes its `data` part, gives their digest, classes, count and size. Loads no torch or PIL.

A file's sha256 is kept by absolute path, size and mtime, so that planning the same folder again reads no image. Names
do not enter the digest, contents and classes do: a renamed file changes nothing, but for the names by which ImageNet's
own images are known.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from filelock import FileLock

from engine.errors import DataError, MissingData, near_words
from engine.home.files import read_object, write_atomic
from engine.inputs.folders import ImageFile, name_place
from engine.inputs.forms import list_form
from engine.inputs.forms.containers import member_digests
from engine.inputs.quotas import Counts, held_part
from engine.inputs.remote import find_copy, is_remote
from engine.spec.data import Data, SourceWords
from engine.spec.own_code import names_code

DIGIT_COUNTS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
DIGIT_COUNT = sum(DIGIT_COUNTS)
HASH_THREADS, HASH_CHUNK = 4, 256

Progress = Callable[[int, int], None]
NamedImage = tuple[str, str, str]  # class, part, sha256


@dataclass(frozen=True)
class Content:
    """The images of a spec: `digest` over (class, part, content), `bytes` as they lie on disk.

    `counts` are the images of each class, `held` those of them that the set comes with as test images; `origins` says
    of how many images the name tells the part of ImageNet.
    """

    digest: str
    num_classes: int
    count: int
    bytes: int
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    held: tuple[int, ...] | None = None
    origins: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Source(SourceWords):
    """A source of images: what its words in a spec say, and what is there (how they are read: core/data/sources.py).

    `names` gives class, part and sha256 of every image, in no order that counts; `counts` reads no image.
    """

    counts: Callable[[Data], Counts]
    content: Callable[[Data, Path], Content]
    names: Callable[[Data, Path], list[NamedImage]]


def data_content(data: Data, home_cache_file: Path) -> Content:
    """Return what `data` names, each file's digest taken once and kept in `home_cache_file` (JSON).

    Raises MissingData when it is not on this machine, DataError when it is there and cannot be used.
    """
    return _source_of(data).content(data, home_cache_file)


def data_counts(data: Data) -> Counts:
    """Return how many images of each class `data` names. Raises as `data_content` does, but reads no image."""
    return _source_of(data).counts(data)


def named_images(data: Data, home_cache_file: Path) -> list[NamedImage]:
    """Return class, part and sha256 of every image that `data` names. Raises as `data_content` does."""
    return _source_of(data).names(data, home_cache_file)


def _source_of(data: Data) -> Source:
    """Return the source that `data` names; what one of somebody's own gave lies in a folder (own_images.py)."""
    return SOURCES["folder" if names_code(data.source) else data.source]


def _folder_content(data: Data, home_cache_file: Path) -> Content:
    images, class_names = data_images(data)
    digests = image_digests(images, home_cache_file)
    # An archive counts once, however many images are in it.
    size = sum(path.stat().st_size for path in {image.path for image in images})
    found = _count_images(images, class_names, data)
    digest = content_digest(images, digests)
    origins = Counter[str](image.origin for image in images if image.origin)
    return Content(digest, len(class_names), len(images), size, class_names, found.counts, found.held, origins)


def _folder_counts(data: Data) -> Counts:
    return _count_images(*data_images(data), data)


def _folder_names(data: Data, home_cache_file: Path) -> list[NamedImage]:
    images, _ = data_images(data)
    digests = image_digests(images, home_cache_file)
    return [(image.class_name, image.part, digest) for image, digest in zip(images, digests, strict=True)]


def _count_images(images: Sequence[ImageFile], class_names: Sequence[str], data: Data) -> Counts:
    all_of = Counter(image.class_name for image in images)
    counts = tuple(all_of[name] for name in class_names)
    if data.given == "merge":
        return Counts(counts)
    part = held_part([image.part for image in images])
    held_of = Counter(image.class_name for image in images if image.part == part)
    return Counts(counts, tuple(held_of[name] for name in class_names))


def content_digest(images: Iterable[ImageFile], digests: Iterable[str]) -> str:
    """Return the sha256 over the sorted (class, part and origin, content sha256) of images; repeated ones count."""
    total = hashlib.sha256()
    lines = ((image.class_name, _words(image), digest) for image, digest in zip(images, digests, strict=True))
    for class_name, part, digest in sorted(lines):
        # No name holds a zero byte, so different lists cannot give the same text.
        total.update(f"{digest}\0{class_name}\0{part}\n".encode())
    return total.hexdigest()


def _words(image: ImageFile) -> str:
    return f"{image.part}\0{image.origin}" if image.origin else image.part


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's content. Raises DataError when it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"cannot read this image: {error.strerror}", where=name_place(path), fix="make it readable or remove it"
        ) from error


def resolve_root(root: str | None) -> Path:
    """Return `data.root` with ~ and ${VARIABLES} filled in. Raises MissingData when one is unset or it is absent."""
    return resolve_path(root or "", "data.root", "FOLDER", "name the folder that has one sub-folder for each class")


def resolve_path(text: str, word: str, what: str, fix: str) -> Path:
    """Return the path that `word` of a spec names, with ~ and ${VARIABLES} filled in.

    Raises MissingData, which asks for `what`, when a variable is unset, and with `fix` when there is no such path.
    """
    for name in re.findall(r"\$\{(\w+)\}|\$(\w+)", text):
        variable = name[0] or name[1]
        if variable not in os.environ:
            near = near_words(variable, tuple(sorted(os.environ)))
            is_slip = f"did you mean ${{{near[0]}}}? Else " if near else ""
            raise MissingData(
                f"{word} is {text}, and the variable {variable} is not set",
                where=word,
                fix=f"{is_slip}export {variable}={what}, or write the {what.lower()} into {word} (--set {word}={what})",
            )
    if is_remote(os.path.expandvars(text)):
        return find_copy(os.path.expandvars(text))
    path = Path(os.path.expandvars(text)).expanduser().absolute()
    if not path.exists():
        raise MissingData(f"there is no {os.path.normpath(path)}", where=word, fix=fix)
    return path


def data_images(data: Data, root: Path | None = None) -> tuple[list[ImageFile], tuple[str, ...]]:
    """Return the images and classes that `data` names, under `root` where given, as `list_form` does.

    Raises DataError also when data.given asks for a test folder that the set does not come with.
    """
    place = root or resolve_root(data.root)
    images, class_names = list_form(place, data.classes, data.label)
    if data.given == "test":
        _check_given(place, images, class_names)
    return images, class_names


def _check_given(root: Path, images: Sequence[ImageFile], class_names: Sequence[str]) -> None:
    """Every class must have images in the folder that is to be the test part, and others to learn from."""
    fix = "set data.given: merge, so that data.split makes the parts"
    part = held_part([image.part for image in images])
    if part is None:
        what = "data.given is test, and there is no val or test folder with class folders in it, nor a column of parts"
        raise DataError(what, where=str(root), fix=fix)
    for word, held in ((part, True), ("train", False)):
        known = {image.class_name for image in images if (image.part == part) == held}
        absent = next((name for name in class_names if name not in known), None)
        if absent is not None:
            what = f"data.given is test, and class {absent!r} has no images in the {word} folder"
            raise DataError(what, where=str(root), fix=f"add some, leave the class out with data.classes, or {fix}")


def image_digests(
    images: Sequence[ImageFile], cache: Path | None = None, progress: Progress = lambda done, count: None
) -> list[str]:
    """Return each image's sha256, from `cache` (JSON) where path, size and mtime are as they were.

    `progress(done, all)` is called after each image that has to be read.
    """
    # Before they are read: a file that changes meanwhile has another mark next time.
    marks = {path: file_mark(path) for path in {image.path for image in images}}
    known = read_digests(cache) if cache else {}
    stale = [image for image in images if known.get(image.place, ("",))[0] != marks[image.path]]
    fresh = _take_digests(stale, progress)
    if fresh and cache:
        keep_digests(cache, {image.place: (marks[image.path], fresh[image.place]) for image in stale})
    return [fresh.get(image.place) or known[image.place][1] for image in images]


def _take_digests(images: Sequence[ImageFile], progress: Progress) -> dict[str, str]:
    """Read every image once: files on threads (hashing releases the GIL), an archive from front to back."""
    taken: dict[str, str] = {}
    for place, digest in chain(_file_digests(images), _member_digests(images)):
        taken[place] = digest
        progress(len(taken), len(images))
    return taken


def _file_digests(images: Sequence[ImageFile]) -> Iterator[tuple[str, str]]:
    files = [image for image in images if not image.member]
    with ThreadPoolExecutor(max_workers=HASH_THREADS) as pool:
        # By chunks, because pool.map starts all that it is given.
        for first in range(0, len(files), HASH_CHUNK):
            some = files[first : first + HASH_CHUNK]
            digests = pool.map(file_digest, [image.path for image in some])
            yield from zip([image.place for image in some], digests, strict=True)


def _member_digests(images: Sequence[ImageFile]) -> Iterator[tuple[str, str]]:
    for path in sorted({image.path for image in images if image.member}):
        names = {image.member for image in images if image.path == path}
        for member, digest in member_digests(path, names):
            yield name_place(path, member), digest


def file_mark(path: Path) -> str:
    """Return the size and mtime by which a file counts as unchanged. Raises DataError when it is no regular file."""
    try:
        status = path.stat()
    except OSError as error:
        fix = "repair the link, or remove it"
        raise DataError(f"cannot read this image: {error.strerror}", where=str(path), fix=fix) from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError("cannot read this image: it is no regular file", where=str(path), fix="remove it")
    # In nanoseconds: a file may be written twice within a second.
    return f"{status.st_size} {status.st_mtime_ns}"


def read_digests(cache: Path) -> dict[str, tuple[str, str]]:
    """Return place -> (mark, digest). A cache that is absent or damaged is an empty one: it only saves time."""
    try:
        return {str(path): (str(mark), str(digest)) for path, (mark, digest) in (read_object(cache) or {}).items()}
    except (ValueError, TypeError):
        return {}


def keep_digests(cache: Path, added: Mapping[str, tuple[str, str]]) -> None:
    """Add place -> (mark, digest) to the cache."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    # Read again under the lock: another process may have added to it.
    with FileLock(cache.with_name(cache.name + ".lock")):
        write_atomic(cache, json.dumps(read_digests(cache) | dict(added), sort_keys=True))


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


def _digits_content(data: Data, home_cache_file: Path) -> Content:
    path = digits_file()
    names = SOURCES[data.source].class_names
    return Content(file_digest(path), len(names), DIGIT_COUNT, path.stat().st_size, names, DIGIT_COUNTS)


def _digits_names(data: Data, home_cache_file: Path) -> list[NamedImage]:
    """The keys that core/data/sources.py gives the digits, without scikit-learn; a test compares the two."""
    named: list[NamedImage] = []
    with gzip.open(digits_file(), "rt") as rows:
        for row in rows:
            *levels, label = (float(value) for value in row.split(","))
            pixels = bytes(round(level * (255.0 / 16.0)) for level in levels)
            named.append((str(int(label)), "", hashlib.sha256(pixels).hexdigest()))
    return named


SOURCES: dict[str, Source] = {
    "folder": Source(counts=_folder_counts, content=_folder_content, names=_folder_names, has_root=True),
    "digits": Source(
        counts=lambda data: Counts(DIGIT_COUNTS),
        content=_digits_content,
        names=_digits_names,
        class_names=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
        package="scikit-learn",
    ),
}
