"""Event files of TensorBoard: takes a folder, gives a run for each in it that has some. Read without TensorBoard.

Scalars come in, also those that are written as tensors of one number; texts, pictures and histograms stay where they
are. What `add_hparams` wrote becomes the params.

Fields by number (event.proto, summary.proto, tensor.proto, the hparams plugin's api): Event 1 wall_time, 2 step,
5 summary; Summary 1 value; Value 1 tag, 2 simple_value, 8 tensor, 9 metadata; Tensor 1 dtype, 4 content, 5 float_val,
6 double_val, 7 int_val, 10 int64_val; metadata 1.1 the plugin's name, 1.2 its content.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.exchange.foreign import OURS, BrokenRun, ForeignRun, Found, Values, unmarked_tags
from engine.exchange.wire import BadFrame, read_events, read_fields, signed

PATTERN = "*tfevents*"
KINDS = {3: "old histograms", 4: "images", 5: "histograms", 6: "sounds"}
NUMBERS = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}  # dtype of a tensor -> how its content is laid out
HPARAMS = "hparams"
ENDED = {1: "SUCCESS", 2: "FAILURE", 3: "RUNNING"}


def is_event_folder(path: Path) -> bool:
    return path.is_dir() and next(path.rglob(PATTERN), None) is not None


def read_tensorboard(path: Path) -> Found:
    """Return a run for each folder with event files; `path` may be such a file. Raises DataError without any."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob(PATTERN) if one.is_file())
    if not files:
        fix = "name the folder that `tensorboard --logdir` takes, or an event file"
        raise DataError(f"there are no event files ({PATTERN}) here", where=str(path), fix=fix)
    root = path.parent if path.is_file() else path
    runs, left = [], []
    for folder in sorted({file.parent for file in files}):
        own = [file for file in files if file.parent == folder]
        try:
            runs.append(_make_run(root, folder, own))
        except BrokenRun as error:
            left.append(f"{folder}: {error.what}")
    return Found(runs, left)


def _make_run(root: Path, folder: Path, files: list[Path]) -> ForeignRun:
    reading = _Reading(files)
    name = folder.relative_to(root).as_posix()
    name = root.name if name == "." else name
    return ForeignRun(
        group=root.resolve().name,
        id=name,
        name=name,
        source=folder,
        read_values=partial(_values_of, reading),
        status=reading.status,
        started=reading.first,
        ended=reading.last,
        params={key: value for key, value in reading.params.items() if not key.startswith(OURS)},
        tags=unmarked_tags(reading.params),
        artifacts=str(folder.resolve()),
    )


def _values_of(reading: _Reading) -> Values:
    return reading.values


class _Reading:
    """All that the event files of one folder say, in their order."""

    def __init__(self, files: list[Path]) -> None:
        self.values = Values()
        self.params: dict[str, Any] = {}
        self.status = ""
        self.first: float | None = None
        self.last: float | None = None
        for file in files:
            self._read(file)

    def _read(self, file: Path) -> None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise BrokenRun(f"cannot read {file.name}: {error.strerror}", where=str(file)) from error
        try:
            for record in read_events(data):
                self._take_event(record)
        except BadFrame as error:
            if not error.what.startswith("the last") or not error.at:
                raise BrokenRun(f"{file.name} at byte {error.at:,}: {error.what}", where=str(file)) from error
            self.values.notes.append(f"{file.name}: {error.what}, as a kill leaves it; all before it came in")
        except (ValueError, OverflowError, struct.error) as error:
            raise BrokenRun(f"{file.name} holds no events: {error}", where=str(file)) from error

    def _take_event(self, record: bytes) -> None:
        time, step = 0.0, 0
        for number, value in read_fields(record):
            if number == 1 and isinstance(value, bytes):
                (time,) = struct.unpack("<d", value)
            elif number == 2 and isinstance(value, int):
                step = signed(value)
            elif number == 5 and isinstance(value, bytes):
                self._take_summary(value, step, time)
        self.first = time if self.first is None else min(self.first, time)
        self.last = time if self.last is None else max(self.last, time)

    def _take_summary(self, summary: bytes, step: int, time: float) -> None:
        for number, value in read_fields(summary):
            if number == 1 and isinstance(value, bytes):
                self._take_value(value, step, time)

    def _take_value(self, data: bytes, step: int, time: float) -> None:
        tag, found, kind = "", None, "other things"
        for number, value in read_fields(data):
            if number == 1 and isinstance(value, bytes):
                tag = value.decode("utf-8", "replace")
            elif number == 2 and isinstance(value, bytes):
                (found,) = struct.unpack("<f", value)
            elif number == 8 and isinstance(value, bytes):
                found, kind = _tensor_number(value), "tensors and texts"
            elif number == 9 and isinstance(value, bytes) and self._take_metadata(value):
                return
            elif number in KINDS:
                kind = KINDS[number]
        if found is None:
            self.values.leave(kind)
        else:
            self.values.of(tag).add(step, time, found)

    def _take_metadata(self, data: bytes) -> bool:
        """Take what add_hparams wrote; False for all else."""
        plugin = _message(data, 1)
        if _message(plugin, 1) != HPARAMS.encode():
            return False
        content = _message(plugin, 2)
        for number, entry in read_fields(_message(content, 3)):
            if number == 1 and isinstance(entry, bytes):
                self.params[_message(entry, 1).decode("utf-8", "replace")] = _plain(_message(entry, 2))
        ended = dict(read_fields(_message(content, 4))).get(1)
        self.status = ENDED.get(ended, self.status) if isinstance(ended, int) else self.status
        return True


def _message(data: bytes, wanted: int) -> bytes:
    found = next((value for number, value in read_fields(data) if number == wanted), b"")
    return found if isinstance(found, bytes) else b""


def _plain(value: bytes) -> Any:
    """Return what a google.protobuf.Value is: 2 a number, 3 a text, 4 whether."""
    for number, one in read_fields(value):
        if number == 2 and isinstance(one, bytes):
            (found,) = struct.unpack("<d", one)
            return found
        if number == 3 and isinstance(one, bytes):
            return one.decode("utf-8", "replace")
        if number == 4:
            return bool(one)
    return None


def _tensor_number(data: bytes) -> float | None:
    """Return the number of a tensor that holds one; None for all others."""
    dtype, content, lists = 0, b"", list[tuple[int, int | bytes]]()
    for number, value in read_fields(data):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6, 7, 10):
            lists.append((number, value))
    layout = NUMBERS.get(dtype)
    if layout is None:
        return None
    numbers = list(_unpack(layout, content)) if content else [one for item in lists for one in _listed(layout, *item)]
    return float(numbers[0]) if len(numbers) == 1 else None


def _unpack(layout: str, data: bytes) -> Iterator[float]:
    yield from (one for (one,) in struct.iter_unpack(layout, data))


def _listed(layout: str, number: int, value: int | bytes) -> Iterator[float]:
    """Yield the numbers of a `*_val` field: fixed ones as they lie, whole ones as varints."""
    if isinstance(value, int):
        yield signed(value)
    elif number in (5, 6):
        yield from _unpack(layout, value)
    else:
        # Packed varints read as fields would: each by itself with an invented key.
        rest = value
        while rest:
            size = next(at for at, byte in enumerate(rest) if byte < 128) + 1
            (one,) = (found for _, found in read_fields(b"\x08" + rest[:size]))
            yield signed(one) if isinstance(one, int) else 0
            rest = rest[size:]
