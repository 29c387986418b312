"""Parquet with the bytes of images: takes files as data sets are kept on the hub, gives the images of their rows.

An image is a column of bytes, or of {bytes, path}; the names of the classes stand in the metadata that the library
`datasets` writes, or in the column itself. train-00000-of-00017.parquet is of the part train.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import weakref
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.folders import PART_FOLDER, ImageFile
from engine.inputs.forms.columns import Columns, choose_columns, name_part
from engine.inputs.forms.labels import name_class, read_names

SUFFIX = ".parquet"
FIX = "fetch the file again, or write it again with its own tool"
LISTS = ("[]", "LIST", "MAP")


def is_parquet(path: Path) -> bool:
    return bool(_parquet_files(path))


def list_parquet(path: Path, label: str | None) -> list[ImageFile]:
    """Return the images of the rows of all files. Raises DataError for a file that is damaged or has no images."""
    files = _parquet_files(path)
    types = _column_types(files[0])
    columns = choose_columns(list(types), label, str(files[0]), images=_image_columns(types))
    if any(word in types[columns.label] for word in LISTS):
        name_class([], f"{files[0]}: column {columns.label}")
    names = _class_names(files[0], columns.label) or read_names(path if path.is_dir() else path.parent)
    return [image for file in files for image in _list_rows(file, columns, types, names)]


def parquet_digests(path: Path, names: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield name and sha256 of the images called so, in the order of the rows."""
    for name, content in _stream_rows(path):
        if name in names:
            yield name, hashlib.sha256(content).hexdigest()


class ParquetImages:
    """The images of a file for reading one at a time: they are written once into a temporary file without a name.

    A Parquet file has no way to one row but through all of its group.
    """

    def __init__(self, path: Path) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this
        weakref.finalize(self, self._file.close)
        self._places: dict[str, tuple[int, int]] = {}
        for name, content in _stream_rows(path):
            self._places[name] = self._file.tell(), len(content)
            self._file.write(content)
        self._file.flush()
        self._path = path

    def read(self, name: str) -> bytes:
        if name not in self._places:
            fix = "wait until nothing changes it, then submit again"
            raise DataError("this file was changed after it was listed", where=f"{self._path}!{name}", fix=fix)
        start, size = self._places[name]
        # By place, so that threads share the file.
        return os.pread(self._file.fileno(), size, start)


def _parquet_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted([*path.glob(f"*{SUFFIX}"), *path.glob(f"*/*{SUFFIX}")])
    return [path] if path.suffix.lower() == SUFFIX and path.is_file() else []


def _image_columns(types: Mapping[str, str]) -> list[str]:
    return [name for name, kind in types.items() if kind == "BLOB" or re.match(r"STRUCT\(.*\bbytes BLOB", kind)]


def _column_types(file: Path) -> dict[str, str]:
    from store.parquet import parquet_columns

    with _named(file):
        return parquet_columns([file])


def _list_rows(
    file: Path, columns: Columns, types: Mapping[str, str], names: tuple[str, ...] | None
) -> Iterator[ImageFile]:
    from store.parquet import stream_parquet

    part = f'"{_quoted(columns.part)}"' if columns.part else "null"
    told = f'{_path_of(columns.image, types)}, "{_quoted(columns.label)}", {part}'
    with _named(file):
        rows = list(stream_parquet(file, f"select file_row_number, {told} from rows"))
    own = _file_part(file)
    for number, name, label, said in rows:
        where = f"{file}!{number}"
        yield ImageFile(file, name_class(label, where, names), _member(number, name), name_part(said, where) or own)


def _stream_rows(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each image of a file."""
    from store.parquet import stream_parquet

    types = _column_types(path)
    image = choose_columns(list(types), None, str(path), images=_image_columns(types)).image if types else ""
    column = f'"{_quoted(image)}"'
    content = column if types[image] == "BLOB" else f"{column}.bytes"
    most = limits().image_bytes
    query = f"select file_row_number, {_path_of(image, types)}, {content} from rows"
    with _named(path):
        for number, name, held in stream_parquet(path, query):
            where = f"{path}!{number}"
            if held is None:
                fix = "write it again with the images in it; data sets that only name files are no copy of them"
                raise DataError("this row holds no image", where=where, fix=fix)
            if len(held) > most:
                raise DataError(f"this image has more than {most:,} bytes", where=where, fix=raise_limit("image_bytes"))
            yield _member(number, name), held


def _path_of(image: str, types: Mapping[str, str]) -> str:
    return f'"{_quoted(image)}".path' if "path VARCHAR" in types[image] else "null"


def _member(number: int, name: str | None) -> str:
    return f"{number}/{name.rpartition('/')[2]}" if name else str(number)


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _file_part(file: Path) -> str:
    """Return the part that the name of the file says, or that of its folder."""
    for name in (file.name.split("-")[0].removesuffix(SUFFIX), file.parent.name):
        found = PART_FOLDER.fullmatch(name)
        if found:
            return found[1].lower()
    return ""


def _class_names(file: Path, label: str) -> tuple[str, ...] | None:
    """Return what the library `datasets` wrote of the names of the classes, None where it wrote nothing."""
    from store.parquet import parquet_metadata

    with _named(file):
        told = parquet_metadata(file).get("huggingface")
    try:
        names: Any = json.loads(told)["info"]["features"][label]["names"] if told else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) and names else None


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what the reader raises on damage into an error that names the file."""
    from store.parquet import ParquetError

    try:
        yield
    except ParquetError as error:
        raise DataError(f"cannot read this file: {error}", where=str(path), fix=FIX) from error
