"""The journal of one attempt: takes figures as they come, gives JSON lines that survive a kill.

One attempt writes one file, and each line is written in one append, so a line is there whole or is the torn last one,
which readers leave alone. Lines are numbered from 1. A number that JSON has no word for is written as text
("NaN", "Infinity", "-Infinity").
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

JOURNAL_VERSION = 1
# Kinds whose `value` is a number; that of a fact may be any JSON.
WITH_VALUE = frozenset({"metric", "measurement", "teacher"})


class JournalWriter:
    """Appends the lines of one attempt. A killed process loses nothing it wrote; `sync` also outlives the machine."""

    def __init__(self, path: Path | str) -> None:
        # Readable too, as the lines that are there are counted.
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        self.seq = self._count_lines()

    def _count_lines(self) -> int:
        """Number on after the lines that are there, and close a torn last line so that it stays by itself."""
        size, lines, last = os.fstat(self._handle).st_size, 0, b"\n"
        # By blocks, so that a long journal takes no memory.
        for start in range(0, size, 1 << 20):
            block = os.pread(self._handle, 1 << 20, start)
            lines, last = lines + block.count(b"\n"), block[-1:]
        if last != b"\n":
            os.write(self._handle, b"\n")
            lines += 1
        return lines

    def _append(self, kind: str, **fields: Any) -> None:
        line = {"v": JOURNAL_VERSION, "seq": self.seq + 1, "type": kind, "at": round(time.time(), 6), **fields}
        # NaN as Python writes it is no JSON, and DuckDB would leave the line out.
        self._write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n", 1)

    def _write(self, text: str, lines: int) -> None:
        data = text.encode()
        if os.write(self._handle, data) != len(data):  # a full disk: the torn line is closed on the next opening
            raise OSError(f"the journal took only part of {len(data)} bytes; is the disk full?")
        self.seq += lines

    def metric(self, name: str, value: float, *, step: int, epoch: int) -> None:
        """Log one value of a series; `step` counts optimizer steps from 0 over all attempts of the job."""
        self._append("metric", name=name, value=_plain(value), step=int(step), epoch=int(epoch))

    def metrics(self, values: Sequence[tuple[str, float]], *, step: int, epoch: int) -> None:
        """Log several values of one step in one append: a few times as fast as one by one."""
        head, at = f'{{"v":{JOURNAL_VERSION},"seq":', round(time.time(), 6)
        tail = f',"step":{int(step)},"epoch":{int(epoch)}}}\n'
        lines = [
            f'{head}{seq},"type":"metric","at":{at},"name":{_json_text(name)},"value":{_json_number(value)}{tail}'
            for seq, (name, value) in enumerate(values, self.seq + 1)
        ]
        self._write("".join(lines), len(lines))

    def measurement(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        device: str,
        precision: str,
        batch_size: int,
        threads: int,
        p5: float | None = None,
        p95: float | None = None,
        n: int = 1,
    ) -> None:
        """Log one measured figure with what it was measured on; it is made of n rounds.

        p5 and p95 are percentiles of the single values in them: of batches, or of calls of a network.
        """
        low, high = (None if edge is None else _plain(edge) for edge in (p5, p95))
        where = {"device": device, "precision": precision, "batch_size": int(batch_size), "threads": int(threads)}
        self._append("measurement", name=name, value=_plain(value), unit=unit, **where, p5=low, p95=high, n=int(n))

    def predictions(
        self,
        part: str,
        sample: Sequence[str],
        label: Sequence[int],
        predicted: Sequence[int],
        confidence: Sequence[float],
    ) -> None:
        """Log one evaluation of a part (train, val, test): equally long lists, one entry for each image."""
        sizes = {len(sample), len(label), len(predicted), len(confidence)}
        if len(sizes) != 1:
            raise ValueError(f"predictions are lists of one length, not of {sorted(sizes)}")
        self._append(
            "predictions",
            part=part,
            sample=[str(key) for key in sample],
            label=[int(number) for number in label],
            predicted=[int(number) for number in predicted],
            confidence=[_plain(number) for number in confidence],
        )

    def teacher(self, part: str, name: str, value: float) -> None:
        """Log a teacher's figure on a part of the data: top1, nll, confidence, entropy."""
        self._append("teacher", part=part, name=name, value=_plain(value))

    def resumed(self, attempt: int, step: int, seq: int | None = None) -> None:
        """Say where this attempt goes on: from that attempt's checkpoint, taken after its line `seq`.

        Lines of `attempt` past `seq` (past `step`, where seq is not known) no longer count.
        """
        self._append("from", attempt=int(attempt), step=int(step), upto=None if seq is None else int(seq))

    def fact(self, name: str, value: Any) -> None:
        """Log any other thing that is known of the job, as JSON: sizes of the split, effective settings."""
        self._append("fact", name=name, value=value)

    def sync(self) -> None:
        """Return when every line so far is on the disk (about 4 ms): before a checkpoint and before a commit."""
        os.fsync(self._handle)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_json_text = lru_cache(maxsize=1024)(json.dumps)  # the names of a job's metrics are few


def _json_number(value: float) -> str:
    plain = _plain(value)
    return repr(plain) if isinstance(plain, float) else f'"{plain}"'


def _plain(value: float) -> float | str:
    """Return a Python float, or the text that JSON and DuckDB both read as that number."""
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def read_bytes(path: Path | str, offset: int = 0, most: int = -1) -> bytes:
    """Return whole lines from byte `offset` on, about `most` bytes of them (at least one line); b"" when none."""
    try:
        with open(path, "rb") as handle:
            handle.seek(offset)
            data = handle.read(most)
            if 0 < most <= len(data) and not data.endswith(b"\n"):
                data += handle.readline()
    except FileNotFoundError:
        return b""
    return data[: data.rfind(b"\n") + 1]


def read_journal(path: Path | str, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines from byte `offset` on, and the offset to go on from. A damaged line is left out."""
    data = read_bytes(path, offset)
    return parse_lines(data), offset + len(data)


def parse_lines(data: bytes) -> list[dict[str, Any]]:
    """Return the lines as they were logged. A damaged line is left out."""
    return [line for line in (_parse_line(raw) for raw in data.splitlines()) if line is not None]


@dataclass(frozen=True)
class Span:
    """The first lines of a journal: their bytes and sha256, and which lines of which attempt they go on from."""

    bytes: int
    sha256: str
    origin: int | None = None
    upto: int | None = None


def read_span(path: Path | str, upto: int | None = None) -> Span:
    """Return the span of the whole lines up to line `upto`, by default of all. Raises OSError without a journal."""
    total, size, source = hashlib.sha256(), 0, None
    with open(path, "rb") as handle:
        for number, line in enumerate(handle, 1):
            if not line.endswith(b"\n") or (upto is not None and number > upto):
                break
            total.update(line)
            size += len(line)
            # To parse each of a million lines would take longer than all else.
            if source is None and b'"from"' in line:
                source = _source_of(line)
    return Span(size, total.hexdigest(), *(source or ()))


def _source_of(raw: bytes) -> tuple[int, int | None] | None:
    line = _parse_line(raw) or {}
    return (line["attempt"], line.get("upto")) if line.get("type") == "from" else None


def _parse_line(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(line, dict):
        return None
    # "NaN" and "Infinity" come as text.
    if line.get("type") in WITH_VALUE:
        line["value"] = float(line["value"])
    return line
