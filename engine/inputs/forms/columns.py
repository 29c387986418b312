"""Which columns of a table are an image, its class and its part: takes their names, gives those three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import DataError, closest_hint
from engine.inputs.folders import PART_FOLDER

PATHS = ("path", "image", "file", "filename", "file_name", "filepath", "file_path", "image_path", "img", "img_path")
LABELS = ("label", "class", "category", "target", "class_name", "label_name", "fine_label", "species", "y", "labels")
PARTS = ("split", "part", "subset", "set", "partition", "phase")


@dataclass(frozen=True)
class Columns:
    """Names of columns as the table writes them; `part` is empty where it has none."""

    image: str
    label: str
    part: str = ""


def choose_columns(names: Sequence[str], label: str | None, where: str, images: Sequence[str] | None = None) -> Columns:
    """Return the columns that count; `label` is data.label, `images` are those that could hold an image.

    Raises DataError where one cannot be told, naming the columns that there are.
    """
    image = _first(names if images is None else images, PATHS) or (images[0] if images and len(images) == 1 else "")
    if not image:
        fix = f"call it {PATHS[0]}, one of: {_listed(names)}" if images is None else "keep each image's bytes in one"
        raise DataError("no column is known to hold the images", where=where, fix=fix)
    others = [name for name in names if name != image]
    return Columns(image, _label_column(others, label, where), _first(others, PARTS))


def name_part(value: object, where: str) -> str:
    """Return train, val or test for what a row says of its part, '' where it says none. DataError for other words."""
    text = "" if value is None else str(value).strip()
    if not text:
        return ""
    found = PART_FOLDER.fullmatch(text)
    if found is None:
        what = f"the part {text[:60]!r} is none of train, val and test"
        raise DataError(what, where=where, fix="write one of them, or call the column otherwise")
    return found[1].lower()


def _label_column(names: Sequence[str], label: str | None, where: str) -> str:
    if label is not None:
        if label not in names:
            raise DataError(f"there is no column {label!r}", where=where, fix=closest_hint(label, names))
        return label
    found = _first(names, LABELS)
    if not found:
        fix = f"name it with data.label, one of: {_listed(names)}"
        raise DataError("no column is known to hold the classes", where=where, fix=fix)
    return found


def _first(names: Sequence[str], known: Sequence[str]) -> str:
    """Return the name that comes first among the `known`, upper and lower case alike; '' for none."""
    by_word = {name.strip().lower(): name for name in reversed(names)}
    return next((by_word[word] for word in known if word in by_word), "")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
