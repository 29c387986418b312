"""Labels as others write them: takes the values of a column, gives class names, or a refusal that says why.

xp trains classifiers of one class an image. What is something else is refused by its name, never taken for classes.
"""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.errors import DataError

SEPARATORS = "|;,"
NAME_FILES = ("classes.txt", "classnames.txt", "class_names.txt", "labels.txt")
ONE = "xp trains one class for each image: name a column that has one with data.label, or make such a set"
MOST_CLASSES = 100_000


def read_names(folder: Path) -> tuple[str, ...] | None:
    """Return the names of classes that a folder keeps in a text file, one in each line by number; None without one."""
    for file in (folder / name for name in NAME_FILES):
        if file.is_file():
            lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
    return None


def name_class(value: object, where: str, names: Sequence[str] | None = None) -> str:
    """Return the class that a label names; with `names` a number is a place among them.

    Raises DataError for a label that is none, for several of one image, and for a measure.
    """
    if (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    ):
        raise DataError("this image has no label", where=where, fix="give it one, or leave its row away")
    if isinstance(value, str):
        return _named(value.strip(), where, names)
    if isinstance(value, numbers.Integral):  # numpy's too, and a boolean
        return _numbered(int(value), where, names)
    if isinstance(value, numbers.Real):
        if float(value).is_integer():
            return _numbered(int(float(value)), where, names)
        raise _measure(value, where)
    raise _several(value, where)


def refuse_several(columns: Iterable[str], where: str) -> DataError:
    """Return the refusal of a set whose rows have a column of 0 and 1 for each class."""
    some = ", ".join(list(columns)[:5])
    return DataError(f"the labels are several for one image (multi-label): {some}", where=where, fix=ONE)


def _named(text: str, where: str, names: Sequence[str] | None) -> str:
    if text.startswith(("[", "{")) and _is_json(text):
        raise _several(text, where)
    if text.isascii() and text.lstrip("-").isdigit():
        return _numbered(int(text), where, names)
    if _is_measure(text):
        raise _measure(text, where)
    return text


def _numbered(number: int, where: str, names: Sequence[str] | None) -> str:
    if number < 0:
        what = f"the label is {number}: images without a class are often marked so"
        raise DataError(what, where=where, fix="leave these rows away")
    if names is None:
        return str(number)
    if number >= len(names):
        what = f"the label is {number}, and there are names for 0 to {len(names) - 1}"
        raise DataError(what, where=where, fix="add the names that are missing, in the order of their numbers")
    return names[number]


def _is_measure(text: str) -> bool:
    try:
        return not float(text).is_integer()
    except (ValueError, OverflowError):
        return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text.replace("'", '"'))
    except ValueError:
        return False
    return True


def _several(value: object, where: str) -> DataError:
    shown = str(value)[:60]
    return DataError(f"the label {shown} is several for one image (multi-label)", where=where, fix=ONE)


def _measure(value: object, where: str) -> DataError:
    what = f"the label {value} is a measure (regression), no class"
    return DataError(what, where=where, fix="xp trains classifiers: name a column of classes with data.label")
