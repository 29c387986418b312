"""Which image each box is of: takes `data.boxes` and the images of data.root, gives annotations by image, and a digest.

A name of boxes (a file's path below the folder, or the column `image`; without its suffix) is matched with the path of
an image below data.root: by the whole of it, then by folder and name, then by the name alone. What is taken at one step
is left out of the next, and where a step leaves several, they are refused by name. Boxes of images that are not there
are passed over, because a set is often a part of what was annotated.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.errors import DataError
from engine.inputs.box_files import READERS, Annotation, BoxFiles, Size, check_inside, read_table
from engine.inputs.content import data_images, image_digests, resolve_path, resolve_root
from engine.inputs.folders import IMAGE_SUFFIXES, ImageFile, name_place
from engine.spec import Data

T = TypeVar("T")
WORD = "data.boxes"
ORIENTATION, ON_SIDE = 0x0112, frozenset({5, 6, 7, 8})  # EXIF's tag, and the ways in which width is height
DEPTHS = (0, 2, 1)  # how many steps of a path count, from its end; 0 for all


@dataclass(frozen=True)
class BoxIndex:
    """Where objects lie, by the sha256 of the image; `digest` over both: names and `path` are no part of it."""

    path: Path
    annotations: Mapping[str, Annotation]
    digest: str


def resolve_boxes(data: Data) -> Path:
    """Return the path that `data.boxes` names. Raises MissingData when it, or a variable in it, is not there."""
    fix = "name the folder of .xml or mask .png files, or the .csv, or write data.boxes: null"
    return resolve_path(data.boxes or "", WORD, "PATH", fix)


def index_boxes(data: Data, cache: Path) -> BoxIndex:
    """Return where the objects of the images of `data` lie; digests of files are kept in `cache` (JSON).

    Raises MissingData when boxes or images are not on this machine, DataError for boxes that cannot be used.
    """
    boxes, root = resolve_boxes(data), resolve_root(data.root)
    images, _ = data_images(data, root)
    found = match_images(boxes, root, images)
    check_edges(found, images)
    return index_found(boxes, found, image_digests(images, cache), cache)


def index_found(path: Path, found: Mapping[int, Annotation], digests: Sequence[str], cache: Path) -> BoxIndex:
    """Return the index of annotations that were matched with images, whose sha256 are `digests`; `path` held them."""
    masks = [one.mask for one in found.values() if one.mask is not None]
    taken = dict(zip(masks, image_digests([ImageFile(mask, "") for mask in masks], cache), strict=True))
    # By content: an image that lies there twice has the boxes of whichever copy comes first in that order.
    lines = sorted((digests[at], _content_text(one, taken), one.place) for at, one in found.items())
    places = {one.place: one for one in found.values()}
    annotations = {key: places[place] for key, _, place in reversed(lines)}
    text = "".join(f"{key} {said}\n" for key, said, _ in lines)
    return BoxIndex(path, annotations, hashlib.sha256(text.encode()).hexdigest())


def _content_text(one: Annotation, masks: Mapping[Path, str]) -> str:
    if one.mask is not None:
        return f"mask {masks[one.mask]}"
    return f"{one.size} {sorted(box.edges for box in one.boxes)}"


def match_boxes(data: Data) -> dict[int, Annotation]:
    """Return the annotation of each image of `data` that has one, by its place among `data_images`. Raises as above."""
    boxes, root = resolve_boxes(data), resolve_root(data.root)
    images, _ = data_images(data, root)
    found = match_images(boxes, root, images)
    check_edges(found, images)
    return found


def check_edges(found: Mapping[int, Annotation], images: Sequence[ImageFile]) -> None:
    """Refuse boxes beyond their image where they do not tell its size: its header does. Raises DataError.

    Of images in archives, which are slow to look into, it is asked when they are explained.
    """
    for at, annotation in found.items():
        if annotation.size is None and not images[at].member:
            size = _header_size(images[at].path)
            if size is not None:
                check_inside(annotation, size)


def _header_size(path: Path) -> Size | None:
    """Return height and width of an image as it is seen, upright; None for one that is broken, which the pack tells."""
    from PIL import Image, UnidentifiedImageError  # here: most plans have no boxes

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd EXIF and large images: nothing is decoded
            with Image.open(path) as image:
                is_turned = image.getexif().get(ORIENTATION, 1) in ON_SIDE
                return (image.width, image.height) if is_turned else (image.height, image.width)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def match_images(boxes: Path, root: Path, images: Sequence[ImageFile]) -> dict[int, Annotation]:
    """Return the annotation of each of `images` that has one, by its place among them."""
    files = open_boxes(boxes)
    names = [image.member or image.path.relative_to(root).as_posix() for image in images]
    matched = match_names(names, files.names, boxes)
    if not matched:
        such = name_place(Path(names[0]))
        what = f"none of the {len(files.names)} names here is that of an image of data.root, such as {such}"
        fix = "name boxes as their images: by the path below data.root, or by the file's name"
        raise DataError(what, where=name_place(boxes), fix=fix)
    read = {at: files.read(name) for at, name in sorted(matched.items())}
    return {at: one for at, one in read.items() if one.boxes or one.mask is not None}


def open_boxes(path: Path) -> BoxFiles:
    """Return the boxes that lie at `path`, files unread. Raises DataError where there are none, or of two kinds."""
    if not path.is_dir():
        if path.suffix.lower() != ".csv":
            fix = "name a .csv, or the folder of .xml or mask .png files; an archive has to be unpacked"
            raise DataError("data.boxes is a file, and no .csv", where=name_place(path), fix=fix)
        return BoxFiles(rows=read_table(path))
    found = _list_files(path)
    kinds = sorted({file.suffix.lower() for file in found.values()})
    if len(kinds) != 1:
        what = "there are both .xml and .png files here" if kinds else "there are no .xml or .png files here"
        fix = "name the folder of one kind: PASCAL VOC .xml files, or masks as .png"
        raise DataError(what, where=name_place(path), fix=fix)
    return BoxFiles(files=found)


def _list_files(folder: Path) -> dict[str, Path]:
    """Return the files of boxes under a folder by their path below it. Links to folders are not followed."""

    def refuse(error: OSError) -> None:
        fix = "make it readable or remove it"
        raise DataError(
            f"cannot list this folder: {error.strerror}", where=name_place(Path(str(error.filename))), fix=fix
        ) from error

    found = {}
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in READERS and not name.startswith("."):
                path = Path(place, name)
                found[path.relative_to(folder).as_posix()] = path
    return found


def match_names(images: Sequence[str], boxes: Sequence[str], where: Path) -> dict[int, str]:
    """Return the name among `boxes` of each image that has one, by its place. Raises DataError for two that fit."""
    matched: dict[int, str] = {}
    left_images, left_boxes = list(range(len(images))), list(boxes)
    for depth in DEPTHS:
        folders = {_above(images[at], depth) for at in left_images} - {""}
        # One that names a folder as images have it means that very image, which is not there.
        asked = [name for name in left_boxes if _above(name, depth) not in folders]
        wanted = _by_tail(asked, [_tail(name, depth) for name in asked])
        there = _by_tail(left_images, [_tail(images[at], depth) for at in left_images])
        for tail in sorted(wanted.keys() & there.keys()):
            _check_single(wanted[tail], [images[at] for at in there[tail]], where)
            matched[there[tail][0]] = wanted[tail][0]
        taken = set(matched.values())
        left_images = [at for at in left_images if at not in matched]
        left_boxes = [name for name in left_boxes if name not in taken]
    return matched


def _tail(name: str, depth: int) -> str:
    """Return the last `depth` steps of a path, all for 0, without suffix."""
    stem, suffix = os.path.splitext(name)
    plain = stem if suffix.lower() in IMAGE_SUFFIXES or suffix.lower() in READERS else name
    return "/".join(plain.removeprefix("./").split("/")[-depth:])


def _above(name: str, depth: int) -> str:
    """Return the folder above the last `depth` steps of a path, empty where there is none or all steps count."""
    steps = name.removeprefix("./").split("/")
    return steps[-depth - 1] if 0 < depth < len(steps) else ""


def _by_tail(things: Iterable[T], tails: Iterable[str]) -> dict[str, list[T]]:
    held: dict[str, list[T]] = {}
    for thing, tail in zip(things, tails, strict=True):
        held.setdefault(tail, []).append(thing)
    return held


def _check_single(boxes: Sequence[str], images: Sequence[str], where: Path) -> None:
    for what, names, fitting in (("boxes", boxes, images[0]), ("images", images, boxes[0])):
        if len(names) > 1:
            one, other = (name_place(Path(name)) for name in sorted(names)[:2])
            fix = "name boxes by the path of their image below data.root"
            raise DataError(
                f"{name_place(Path(fitting))} fits two {what}: {one} and {other}", where=name_place(where), fix=fix
            )
