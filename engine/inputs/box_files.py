"""Where objects lie, as files say it: takes .xml, .csv or mask .png files, gives boxes in pixels, each with its place.

The files are not trusted: XML with a DOCTYPE is refused, so that no entity is ever expanded, and sizes have limits
(engine/home/limits.py). A box reaches from its upper left to its lower right edge, counted from the upper left corner
of the original image. PASCAL VOC counts pixels from 1 and includes the last one; its numbers are taken as edges too,
which is off by a pixel at most. Loads neither torch nor PIL: of a mask the header is read.
"""

from __future__ import annotations

import csv
import io
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.folders import name_place

COLUMNS = ("image", "xmin", "ymin", "xmax", "ymax")
CORNERS = COLUMNS[1:]
PNG_START = b"\x89PNG\r\n\x1a\n"
MEND = "correct it, or remove it"
Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Box:
    """Edges in pixels of the original image; `place` is the file and line that say so."""

    left: float
    top: float
    right: float
    bottom: float
    place: str

    @property
    def edges(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True)
class Annotation:
    """Where the objects of one image lie: boxes, or a mask file; `size` of the image, None where it is not told."""

    place: str
    boxes: tuple[Box, ...] = ()
    mask: Path | None = None
    size: Size | None = None


def make_box(texts: Sequence[str], place: str) -> Box:
    """Return the box of xmin, ymin, xmax, ymax. Raises DataError for what is no number, or no box."""
    numbers = [_read_number(name, text, place) for name, text in zip(CORNERS, texts, strict=True)]
    left, top, right, bottom = numbers
    for low, high, start, end in (("xmin", "xmax", left, right), ("ymin", "ymax", top, bottom)):
        if end <= start:
            raise DataError(f"{high} {end:g} is not above {low} {start:g}", where=place, fix=MEND)
    box = Box(left, top, right, bottom, place)
    if left < 0 or top < 0:
        _refuse_outside(box, "its image")
    return box


def check_inside(annotation: Annotation, size: Size) -> None:
    """Refuse a box that reaches beyond an image of `size` (height, width). Raises DataError with its place."""
    height, width = size
    for box in annotation.boxes:
        if box.right > width or box.bottom > height:
            _refuse_outside(box, f"its image of {width} x {height} pixels")


def _refuse_outside(box: Box, image: str) -> NoReturn:
    edges = ", ".join(f"{name} {value:g}" for name, value in zip(CORNERS, box.edges, strict=True))
    fix = f"boxes are in pixels of the original image, from its upper left corner: {MEND}"
    raise DataError(f"the box {edges} lies beyond {image}", where=box.place, fix=fix)


def _read_number(name: str, text: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{name} is {text.strip()[:40]!r}, no number", where=place, fix=MEND)
    return number


# PASCAL VOC, one .xml an image ----------------------------------------------------------------------------------------


def read_voc(path: Path) -> Annotation:
    """Return what an annotation of PASCAL VOC says. Raises DataError with file and line for what cannot be meant."""
    reader = _VocReader(path)
    size = reader.size
    annotation = Annotation(name_place(path), tuple(reader.boxes), size=size)
    if size is not None:
        check_inside(annotation, size)
    return annotation


class _VocReader:
    """Follows the elements of one file: <size>, and in each <object> its <bndbox>; those of parts are others."""

    def __init__(self, path: Path) -> None:
        self._where = name_place(path)
        self._steps: list[str] = []
        self._text = ""
        self._corners: dict[str, str] = {}
        self._sides: dict[str, str] = {}
        self.boxes: list[Box] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._enter
        self._parser.EndElementHandler = self._leave
        self._parser.CharacterDataHandler = self._hear
        self._read(read_limited(path, "annotation_bytes"))

    @property
    def size(self) -> Size | None:
        """Height and width; None where they are not told, or told as 0, as some of ImageNet's are."""
        sides = [_read_number(side, self._sides.get(side, "0"), self._where) for side in ("height", "width")]
        return (int(sides[0]), int(sides[1])) if min(sides) >= 1 else None

    def _read(self, content: bytes) -> None:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            what = f"this is no XML: {expat.ErrorString(error.code)}"
            fix = "make it again or copy it again"
            raise DataError(what, where=f"{self._where}:{error.lineno}", fix=fix) from error
        except (ValueError, LookupError) as error:  # an encoding that Python does not know
            raise DataError(f"this is no XML: {error}", where=self._where, fix="save it in UTF-8") from error

    def _refuse_doctype(self, *_: object) -> NoReturn:
        fix = "take the DOCTYPE out: annotations need none, and what it may define is never expanded"
        raise DataError("this XML has a DOCTYPE, and is not read", where=self._place, fix=fix)

    @property
    def _place(self) -> str:
        return f"{self._where}:{self._parser.CurrentLineNumber}"

    def _enter(self, name: str, _: Mapping[str, str]) -> None:
        self._steps.append(name)
        self._text = ""
        if self._steps[1:] == ["object"]:
            self._corners = {}

    def _hear(self, text: str) -> None:
        self._text += text

    def _leave(self, name: str) -> None:
        steps, self._text, text = self._steps[1:], "", self._text
        self._steps.pop()
        if len(steps) == 2 and steps[0] == "size":
            self._sides[name] = text
        elif len(steps) == 3 and steps[:2] == ["object", "bndbox"]:
            self._corners[name] = text
        elif steps == ["object"]:
            self._add_box()

    def _add_box(self) -> None:
        absent = [name for name in CORNERS if name not in self._corners]
        if absent:
            what = f"this object's bndbox has no {', '.join(absent)}"
            raise DataError(what, where=self._place, fix="give each object a bndbox with xmin, ymin, xmax and ymax")
        self.boxes.append(make_box([self._corners[name] for name in CORNERS], self._place))


# A table, several rows an image ---------------------------------------------------------------------------------------


def read_table(path: Path) -> dict[str, Annotation]:
    """Return the boxes of each image that a .csv names. Raises DataError with file and line."""
    boxes: dict[str, list[Box]] = {}
    for name, box in _table_rows(path):
        boxes.setdefault(name, []).append(box)
    return {name: Annotation(held[0].place, tuple(held)) for name, held in boxes.items()}


def _table_rows(path: Path) -> Iterator[tuple[str, Box]]:
    text = _decode_table(path)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        places = _find_columns(path, next(rows, []))
        for row in rows:
            where = f"{name_place(path)}:{rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(places):
                raise DataError(f"this row has {len(row)} columns only", where=where, fix=MEND)
            name, *corners = (row[place].strip() for place in places)
            if not name:
                raise DataError("this row names no image", where=where, fix=MEND)
            yield name, make_box(corners, where)
    except csv.Error as error:
        fix = "write it as plain CSV, with commas"
        raise DataError(f"this is no CSV: {error}", where=f"{name_place(path)}:{rows.line_num}", fix=fix) from error


def _decode_table(path: Path) -> str:
    try:
        return read_limited(path, "box_table_bytes").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("this table is not in UTF-8", where=name_place(path), fix="save it in UTF-8") from error


def _find_columns(path: Path, header: Sequence[str]) -> list[int]:
    known = [name.strip().lower() for name in header]
    absent = [name for name in COLUMNS if name not in known]
    if absent:
        what = f"the first line names no column {', '.join(absent)}"
        raise DataError(what, where=f"{name_place(path)}:1", fix=f"begin it with {','.join(COLUMNS)}")
    return [known.index(name) for name in COLUMNS]


# Masks, one .png an image ---------------------------------------------------------------------------------------------


def read_mask(path: Path) -> Annotation:
    """Return what the header of a mask tells. Raises DataError when it is no PNG, or too large to be decoded."""
    try:
        with path.open("rb") as file:
            head, size = file.read(24), path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(head) < 24 or not head.startswith(PNG_START):
        raise DataError(
            "this mask is no PNG", where=name_place(path), fix="save masks as PNG: 0 is ground, all else object"
        )
    width, height = struct.unpack(">II", head[16:24])
    for name, value in (("image_bytes", size), ("image_pixels", width * height)):
        if value > getattr(limits(), name):
            raise DataError(
                f"this mask has {value:,} {name.split('_')[1]}", where=name_place(path), fix=raise_limit(name)
            )
    return Annotation(name_place(path), mask=path, size=(height, width))


def read_limited(path: Path, limit: str) -> bytes:
    """Return what a file holds, at most as many bytes as the limit of that name says. Raises DataError."""
    most: int = getattr(limits(), limit)
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(content) > most:
        raise DataError(f"this file has more than {most:,} bytes", where=name_place(path), fix=raise_limit(limit))
    return content


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot read this file: {error.strerror}", where=name_place(path), fix="make it readable or remove it"
    )


@dataclass(frozen=True)
class BoxFiles:
    """What `data.boxes` holds, by the name that says which image it is of: files yet to be read, or rows of a table."""

    files: Mapping[str, Path] = field(default_factory=dict)
    rows: Mapping[str, Annotation] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [*self.files, *self.rows]

    def read(self, name: str) -> Annotation:
        """Return where the objects lie by this name. Raises DataError, with file and line, for what is wrong there."""
        if name in self.rows:
            return self.rows[name]
        path = self.files[name]
        return READERS[path.suffix.lower()](path)


READERS = {".xml": read_voc, ".png": read_mask}
