"""Where images come from: takes the `data` part of a spec, gives a listing of RGB uint8 images, whatever the files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.core.data.decode import Pixels, decode_image, name_mode
from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.content import (
    SOURCES,
    Progress,
    content_digest,
    data_images,
    digits_file,
    file_digest,
    image_digests,
    resolve_root,
)
from engine.inputs.folders import ImageFile, name_place
from engine.inputs.forms.containers import open_container
from engine.inputs.origins import Origin
from engine.spec import Data
from engine.spec.own_code import names_code


@dataclass(frozen=True)
class Sample:
    """One image: its file or archive (None for a built-in set), label, sha256 of its content, member of the archive.

    `part` is train, val or test where it came in a folder called so, `origin` the part of ImageNet that its name tells;
    else empty.
    """

    path: Path | None
    label: int
    key: str
    member: str = ""
    part: str = ""
    origin: Origin = ""

    @property
    def place(self) -> str:
        """Where a person finds it."""
        if self.path is None:
            return "a built-in image"
        return name_place(self.path, self.member)


class ChangedImage(DataError):
    """A file is not the one that was listed: it is never left out as a broken one would be."""


@dataclass(frozen=True)
class Listing:
    """The samples by label and key, so that order follows from content; `read(i)` gives image i, H x W x 3 uint8.

    It raises DataError naming the file when that is broken, ChangedImage when it is not the file that was listed.
    `mode(i)` says how its file keeps it, such as `RGB` or `CMYK turned`. `digest` is over classes, parts and keys.
    """

    samples: tuple[Sample, ...]
    class_names: tuple[str, ...]
    digest: str
    read: Callable[[int], Pixels]
    mode: Callable[[int], str]


def list_images(
    data: Data, root: Path | None = None, cache: Path | None = None, progress: Progress = lambda done, count: None
) -> Listing:
    """Return what `data` names, read from `root` where given, else from data.root.

    `cache` (JSON) knows the digests of files that have not changed; each is compared with the bytes that are read
    later. `progress(done, all)` counts the files whose digest is taken. Raises DataError as
    `engine.inputs.content.data_images` does, or when a file cannot be read.
    """
    source = "folder" if names_code(data.source) else data.source
    return LISTINGS[source](data, root, cache, progress)


def _list_folder(data: Data, root: Path | None, cache: Path | None, progress: Progress) -> Listing:
    place = root or resolve_root(data.root)
    images, names = data_images(data, place)
    digests = image_digests(images, cache, progress)
    labels = {name: label for label, name in enumerate(names)}
    keyed = sorted(zip(images, digests, strict=True), key=lambda pair: (labels[pair[0].class_name], pair[1]))
    samples = tuple(_sample(image, labels[image.class_name], key) for image, key in keyed)
    # Opened once, for all images and threads.
    held = {path: open_container(path) for path in sorted({image.path for image in images if image.member})}

    def content_of(image: ImageFile) -> bytes:
        return held[image.path].read(image.member) if image.member else read_bytes(image.path)

    def read(index: int) -> Pixels:
        image, key = keyed[index]
        content = content_of(image)
        if hashlib.sha256(content).hexdigest() != key:
            fix = "wait until nothing changes it, then submit again, which plans with the images that are there"
            raise ChangedImage("this image was changed after it was listed", where=image.place, fix=fix)
        return decode_image(content, image.place)

    digest = content_digest(images, digests)
    return Listing(samples, names, digest, read, lambda index: name_mode(content_of(keyed[index][0])))


def _sample(image: ImageFile, label: int, key: str) -> Sample:
    return Sample(image.path, label, key, image.member, image.part, image.origin)


def read_bytes(path: Path) -> bytes:
    """Return what a file holds. Raises DataError naming it when it cannot be read or has too many bytes."""
    most = limits().image_bytes
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            # One more than it may have: what is still being written may have grown.
            content = file.read(most + 1) if size <= most else b""
    except OSError as error:
        fix = "make it readable or remove it"
        raise DataError(f"cannot read this image: {error.strerror}", where=name_place(path), fix=fix) from error
    if max(size, len(content)) > most:
        raise DataError(f"this file has {size:,} bytes", where=name_place(path), fix=raise_limit("image_bytes"))
    return content


def _list_digits(data: Data, root: Path | None, cache: Path | None, progress: Progress) -> Listing:
    """Scikit-learn's 1797 digits, 8 x 8, 17 grey levels spread over 0..255; the key is of the pixels."""
    # By itself: scikit-learn's own reader costs a second of imports. A row is 64 grey levels and the class.
    rows = np.loadtxt(digits_file(), dtype=np.uint8, delimiter=",")
    levels = np.rint(rows[:, :-1].reshape(-1, 8, 8) * (255.0 / 16.0)).astype(np.uint8)
    labels = rows[:, -1].tolist()
    keys = [hashlib.sha256(image.tobytes()).hexdigest() for image in levels]
    order = sorted(range(len(keys)), key=lambda index: (labels[index], keys[index]))
    samples = tuple(Sample(None, labels[index], keys[index]) for index in order)
    digest = file_digest(digits_file())

    def read(index: int) -> Pixels:
        return np.repeat(levels[order[index]][:, :, None], 3, axis=2)

    return Listing(samples, SOURCES[data.source].class_names, digest, read, lambda index: "L")


# for each of SOURCES in engine/inputs/content.py, from which the words of a spec follow
LISTINGS: dict[str, Callable[[Data, Path | None, Path | None, Progress], Listing]] = {
    "folder": _list_folder,
    "digits": _list_digits,
}
