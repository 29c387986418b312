"""Images that a table lists: takes a .csv or .tsv, gives the files of its rows with class and part.

Paths are told from the folder of the table. A row is an image; columns that are none of path, class and part count not.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.folders import IMAGE_SUFFIXES, ImageFile
from engine.inputs.forms.columns import Columns, choose_columns, name_part
from engine.inputs.forms.labels import name_class, read_names

SUFFIXES = (".csv", ".tsv")
SIGNS = ",;\t|"
MOST_COLUMNS = 1000


@dataclass(frozen=True)
class _Row:
    where: str
    cells: dict[str, str]


def is_table(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def list_table(path: Path, label: str | None) -> list[ImageFile]:
    """Return the images of the rows. Raises DataError naming the line where one is wrong, absent, or there twice."""
    rows = _read_rows(path)
    head = next(rows)
    columns = choose_columns(list(head.cells), label, str(path))
    names, images, met = read_names(path.parent), list[ImageFile](), dict[Path, str]()
    for row in rows:
        image = _row_image(path.parent, row, columns, names)
        if image.path in met:
            what = f"this image stands in two rows, also in {met[image.path]}"
            raise DataError(what, where=row.where, fix="leave one of the rows away")
        met[image.path] = row.where
        images.append(image)
    if not images:
        raise DataError("this table has no rows", where=str(path), fix="give it a row for each image below its head")
    return images


def _row_image(folder: Path, row: _Row, columns: Columns, names: tuple[str, ...] | None) -> ImageFile:
    text = row.cells[columns.image].strip()
    file = (folder / Path(text)).absolute() if text else folder
    if file.suffix.lower() not in IMAGE_SUFFIXES:
        raise DataError(
            f"{text[:120]!r} names no image", where=row.where, fix=f"{columns.image}: PATH of an image file"
        )
    if not file.is_file():
        what = f"there is no {file}"
        raise DataError(what, where=row.where, fix="paths are told from the folder of the table: mend it, or the row")
    part = name_part(row.cells[columns.part], row.where) if columns.part else ""
    return ImageFile(file, name_class(row.cells[columns.label], row.where, names), "", part)


def _read_rows(path: Path) -> Iterator[_Row]:
    """Yield the head (its cells are the names of the columns), then each row; blank ones are left out."""
    size = path.stat().st_size
    if size > limits().box_table_bytes:
        raise DataError(f"this table has {size:,} bytes", where=str(path), fix=raise_limit("box_table_bytes"))
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=_find_sign(path, file.readline()), strict=True)
            file.seek(0)
            head = [cell.strip() for cell in next(reader, [])]
            _check_head(path, head)
            yield _Row(f"{path}:1", dict(zip(head, head, strict=True)))
            for cells in reader:
                where = f"{path}:{reader.line_num}"
                if any(cell.strip() for cell in cells):
                    yield _Row(where, _zip_cells(head, cells, where))
    except UnicodeDecodeError as error:
        raise DataError("this table is no UTF-8", where=str(path), fix="save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"cannot read this table: {error}", where=str(path), fix="save it as CSV again") from error


def _find_sign(path: Path, head: str) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else max(SIGNS, key=head.count)


def _check_head(path: Path, head: list[str]) -> None:
    twice = next((name for name in head if head.count(name) > 1), None) if len(head) <= MOST_COLUMNS else "..."
    if not head or twice is not None:
        what = "this table is empty" if not head else f"two columns of this table are called {twice!r}"
        raise DataError(what, where=f"{path}:1", fix="name each column once in the first line, as in path,label")


def _zip_cells(head: list[str], cells: list[str], where: str) -> dict[str, str]:
    if len(cells) != len(head):
        what = f"this row has {len(cells)} cells, and the head has {len(head)}"
        raise DataError(what, where=where, fix='write a cell for each column, in "quotes" where it holds a comma')
    return dict(zip(head, cells, strict=True))
