"""W&B's offline runs: takes a wandb folder or a .wandb file, gives runs. Read without W&B.

A .wandb file is LevelDB's log behind seven bytes (`:W&B`, a magic number, a version), a message in each record. Fields
by number (wandb_internal.proto): Record 2 history, 3 summary, 5 config, 17 run, 18 exit; RunRecord 1 run_id, 2 entity,
3 project, 4 config, 6 group, 7 job_type, 8 display_name, 9 notes, 10 tags, 11 sweep, 17 start_time; an item 1 key,
2 nested_key, 16 value_json; history 1 item, 2.1 step; config and summary 1 update, 2 remove; exit 1 exit_code.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.exchange.foreign import OURS, BrokenRun, ForeignRun, Found, Values, unmarked_tags
from engine.exchange.wire import BadFrame, read_fields, read_log

HEAD = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
OWN = "_"  # how W&B's own names begin: _step, _timestamp, _runtime, _wandb
STEP, TIME = "_step", "_timestamp"
Path_ = tuple[str, ...]


def wandb_files(path: Path) -> list[Path]:
    """Return the .wandb files at a path: itself, of one run, of a wandb folder, or of a folder that has one."""
    if path.is_file():
        return [path] if path.suffix == ".wandb" else []
    patterns = ("*.wandb", "*run-*/*.wandb", "wandb/*run-*/*.wandb")
    # Beside the runs lies `latest-run`, a link to one of them.
    found = (file for pattern in patterns for file in path.glob(pattern) if not file.parent.is_symlink())
    return sorted(dict.fromkeys(found))


def read_wandb(path: Path) -> Found:
    """Return the runs of a wandb folder. Raises DataError where there is none."""
    files = wandb_files(path)
    if not files:
        fix = "name the `wandb` folder, one of its offline-run-* folders, or a .wandb file"
        raise DataError("there are no runs of W&B (*.wandb) here", where=str(path), fix=fix)
    runs, left = [], []
    for file in files:
        try:
            runs.append(_make_run(file))
        except BrokenRun as error:
            left.append(f"{file}: {error.what}")
    return Found(runs, left)


def _make_run(file: Path) -> ForeignRun:
    told = _Told(file)
    for _ in told.read(with_history=False):
        pass
    if not told.run:
        raise BrokenRun("it names no run: it was cut off at its very beginning", where=str(file))
    text = {number: _text(told.run.get(number)) for number in (1, 2, 3, 6, 7, 8, 9, 11)}
    tags: dict[str, Any] = {"tags": told.tags} if told.tags else {}
    tags |= {word: text[at] for word, at in (("entity", 2), ("group", 6), ("job_type", 7), ("sweep", 11)) if text[at]}
    exported = told.config.get(OURS.rstrip("."))
    if isinstance(exported, dict):
        tags |= unmarked_tags({f"{OURS}{key}": value for key, value in exported.items()})
    return ForeignRun(
        group=text[3] or file.parent.parent.name,
        id=text[1],
        name=text[8] or text[1],
        source=file,
        read_values=partial(_read_values, file),
        status=told.status,
        started=told.started,
        ended=told.last_time,
        params={key: value for key, value in told.config.items() if f"{key}." != OURS and not key.startswith(OWN)},
        tags=tags,
        artifacts=str((file.parent / "files").resolve()),
        note=text[9],
    )


def _read_values(file: Path) -> Values:
    values, told = Values(), _Told(file)
    for row in told.read(with_history=True):
        _take_row(values, row)
    _take_summary(values, told.summary)
    values.notes += told.notes
    return values


def _take_row(values: Values, row: dict[Path_, str]) -> None:
    step = int(float(row.get((STEP,), "0")))
    time = float(row[(TIME,)]) if (TIME,) in row else None
    # What a picture or a histogram is made of has nested keys too; its kind stands among them.
    objects = {path[:-1]: _value(text) for path, text in row.items() if path[-1] == "_type"}
    for kind in objects.values():
        values.leave(f"{kind} objects")
    for path, text in row.items():
        if not path[0].startswith(OWN) and not any(path[: len(one)] == one for one in objects):
            _take(values, path, _value(text), step, time)


def _take(values: Values, path: Path_, value: Any, step: int, time: float | None) -> None:
    """Take a number under its dotted name, and those in a mapping; all else is counted."""
    if isinstance(value, bool):
        values.leave("truth values")
    elif isinstance(value, int | float):
        values.of(".".join(path)).add(step, time, float(value))
    elif isinstance(value, dict) and "_type" not in value:
        for key, one in value.items():
            _take(values, (*path, str(key)), one, step, time)
    else:
        kind = value.get("_type") if isinstance(value, dict) else None
        values.leave(f"{kind} objects" if kind else "texts" if isinstance(value, str) else "other things")


def _take_summary(values: Values, summary: dict[Path_, str]) -> None:
    """Add what the summary alone says, at the last step; of what the history has, the history counts."""
    last = max((series.steps[-1] for series in values.series.values()), default=0)
    time = max((one for series in values.series.values() for one in series.times if one is not None), default=None)
    known, extra = set(values.series), Values()
    for path, text in summary.items():
        if not path[0].startswith(OWN):
            _take(extra, path, _value(text), last, time)
    values.series |= {name: series for name, series in extra.series.items() if name not in known}


def _value(text: str) -> Any:
    """Return what JSON says; numbers, which most are, without a parser."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text


class _Told:
    """What the records of one file say beside the history, which is yielded row by row."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.run: dict[int, int | bytes] = {}
        self.tags: list[str] = []
        self.config: dict[str, Any] = {}
        self.summary: dict[Path_, str] = {}
        self.status = "running"  # as long as no record says that it ended
        self.started: float | None = None
        self.last_time: float | None = None
        self.notes: list[str] = []

    def read(self, *, with_history: bool) -> Iterator[dict[Path_, str]]:
        try:
            data = self.file.read_bytes()
        except OSError as error:
            raise BrokenRun(f"cannot read it: {error.strerror}", where=str(self.file)) from error
        if data[: len(HEAD)] != HEAD:
            raise BrokenRun("it does not begin as a .wandb file of a version that xp knows", where=str(self.file))
        try:
            for record in read_log(data, len(HEAD)):
                yield from self._take_record(record, with_history)
        except BadFrame as error:
            if not error.what.startswith("the last"):
                raise BrokenRun(f"at byte {error.at:,}: {error.what}", where=str(self.file)) from error
            self.notes.append(f"{self.file.name}: {error.what}, as a kill leaves it; all before it came in")
        except (ValueError, OverflowError, RecursionError) as error:
            raise BrokenRun(f"a record cannot be read: {error}", where=str(self.file)) from error

    def _take_record(self, record: bytes, with_history: bool) -> Iterator[dict[Path_, str]]:
        for number, value in read_fields(record):
            if not isinstance(value, bytes):
                continue
            if number == 2:
                row = _row(value)
                if (TIME,) in row:
                    self.last_time = max(self.last_time or 0.0, float(row[(TIME,)]))
                if with_history:
                    yield row
            elif number in TAKERS:
                TAKERS[number](self, value)

    def take_run(self, data: bytes) -> None:
        for number, value in read_fields(data):
            if number == 10 and isinstance(value, bytes):
                self.tags.append(_text(value))
            elif number == 4 and isinstance(value, bytes):
                self.take_config(value)
            elif number == 17 and isinstance(value, bytes):
                seconds = dict(read_fields(value))
                whole, rest = seconds.get(1, 0), seconds.get(2, 0)
                self.started = (whole if isinstance(whole, int) else 0) + (rest if isinstance(rest, int) else 0) / 1e9
            else:
                self.run[number] = value
        self.tags = list(dict.fromkeys(self.tags))

    def take_config(self, data: bytes) -> None:
        for number, item in read_fields(data):
            if number == 1 and isinstance(item, bytes):
                path, text = _item(item)
                _put(self.config, path, json.loads(text))

    def take_summary(self, data: bytes) -> None:
        for number, item in read_fields(data):
            if isinstance(item, bytes) and number in (1, 2):
                path, text = _item(item)
                self.summary.pop(path, None)
                if number == 1:
                    self.summary[path] = text

    def take_exit(self, data: bytes) -> None:
        code = dict(read_fields(data)).get(1, 0)
        self.status = "finished" if code == 0 else "failed"


TAKERS = {3: _Told.take_summary, 5: _Told.take_config, 17: _Told.take_run, 18: _Told.take_exit}


def _row(data: bytes) -> dict[Path_, str]:
    row: dict[Path_, str] = {}
    for number, value in read_fields(data):
        if number == 1 and isinstance(value, bytes):
            path, text = _item(value)
            row[path] = text
        elif number == 2 and isinstance(value, bytes):
            step = dict(read_fields(value)).get(1, 0)
            row.setdefault((STEP,), str(step))
    return row


def _item(data: bytes) -> tuple[Path_, str]:
    path: list[str] = []
    text = "null"
    for number, value in read_fields(data):
        if number in (1, 2) and isinstance(value, bytes):
            path.append(value.decode("utf-8", "replace"))
        elif number == 16 and isinstance(value, bytes):
            text = value.decode("utf-8", "replace")
    return tuple(path) or ("",), text


def _put(tree: dict[str, Any], path: Path_, value: Any) -> None:
    for key in path[:-1]:
        inner = tree.get(key)
        tree[key] = tree = inner if isinstance(inner, dict) else {}
    tree[path[-1]] = value


def _text(value: int | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
