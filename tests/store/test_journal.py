"""The journal: whole lines or none, numbered, and read back as they were written."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from store.journal import JournalWriter, read_bytes, read_journal

WHERE = {"device": "cpu", "precision": "fp32", "batch_size": 4, "threads": 1}


def _fill(path: Path) -> None:
    with JournalWriter(path) as journal:
        journal.resumed(1, 20, 7)
        journal.metric("train_loss", math.nan, step=1, epoch=0)
        journal.measurement("params", 12.0, "1", device="cpu", precision="fp32", batch_size=4, threads=1, p5=-math.inf)
        journal.predictions("test", ["a", "b"], [1, 2], [1, 3], [0.5, 0.25])
        journal.teacher("val", "top1", 0.5)
        journal.fact("split", {"train": 3})


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    _fill(tmp_path / "j")
    lines, offset = read_journal(tmp_path / "j")
    assert [line["type"] for line in lines] == ["from", "metric", "measurement", "predictions", "teacher", "fact"]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert offset == (tmp_path / "j").stat().st_size
    assert math.isnan(lines[1]["value"])
    assert lines[2]["p5"] == "-Infinity"
    assert lines[0] | {"at": 0} == {"v": 1, "seq": 1, "type": "from", "at": 0, "attempt": 1, "step": 20, "upto": 7}


def test_every_line_is_strict_json(tmp_path: Path) -> None:
    _fill(tmp_path / "j")

    def refuse(word: str) -> None:
        raise AssertionError(word)

    for raw in (tmp_path / "j").read_text().splitlines():
        json.loads(raw, parse_constant=refuse)


def test_torn_last_line_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "j"
    _fill(path)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        lines, offset = read_journal(path)
        assert len(lines) == whole[:cut].count(b"\n")
        assert whole[:offset].endswith(b"\n") or offset == 0
        path.write_bytes(whole)
        assert len(lines) + len(read_journal(path, offset)[0]) == 6


def test_reopened_journal_goes_on_numbering_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "j"
    _fill(path)
    with open(path, "ab") as handle:
        handle.write(b'{"v":1,"seq":7,"ty')
    with JournalWriter(path) as journal:
        assert journal.seq == 7
        journal.metric("lr", 1.0, step=1, epoch=0)
    lines, _ = read_journal(path)
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6, 8]


def test_long_journal_is_read_in_parts_of_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "j"
    _fill(path)
    parts, offset = [], 0
    while data := read_bytes(path, offset, 50):
        parts.append(data)
        offset += len(data)
    assert b"".join(parts) == path.read_bytes()
    assert all(part.endswith(b"\n") for part in parts)


def test_missing_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") == ([], 0)


def test_values_of_one_step_are_the_same_lines_as_one_by_one(tmp_path: Path) -> None:
    values = [("train_loss", 1.25), ('odd "name"\\', math.inf), ("lr", 1e-30), ("count", 7)]
    with JournalWriter(tmp_path / "a") as one, JournalWriter(tmp_path / "b") as many:
        for name, value in values:
            one.metric(name, value, step=3, epoch=1)
        many.metrics(values, step=3, epoch=1)
        assert one.seq == many.seq == 4
    first, second = (read_journal(tmp_path / name)[0] for name in "ab")
    assert [line | {"at": 0} for line in first] == [line | {"at": 0} for line in second]


def test_uneven_predictions_are_refused(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j") as journal, pytest.raises(ValueError, match="one length"):
        journal.predictions("test", ["a"], [1, 2], [1], [0.5])


def test_killed_writer_leaves_every_line_that_it_said_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "j"
    code = (
        "import sys; from store.journal import JournalWriter; j = JournalWriter(sys.argv[1])\n"
        "while True:\n j.metric('a', 1.0, step=j.seq, epoch=0); print(j.seq, flush=True)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    said = [int(writer.stdout.readline()) for _ in range(200)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    lines, _ = read_journal(path)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) >= int(rest[-1] if rest else said)
