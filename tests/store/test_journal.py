"""The journal: whole lines or none, numbered, and read back as they were written."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from store.journal import JournalWriter, Span, read_bytes, read_journal, read_span
from tests.helpers.recording import DiskRecord

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


def test_every_field_of_each_kind_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 12.34567891)
    where: dict[str, Any] = {"device": "cuda", "precision": "bf16", "batch_size": 64, "threads": 2}
    spread = {"p5": 1.5, "p95": 3.5, "n": 30}
    plain = {"p5": None, "p95": None, "n": 1}
    with JournalWriter(tmp_path / "j") as journal:
        journal.metric("lr", 0.5, step=3, epoch=1)
        journal.measurement("speed", 2.5, "images/s", **where, p5=1.5, p95=3.5, n=30)
        journal.measurement("params", 7, "1", **where)
        journal.predictions("val", ["a", "b"], [4, 5], [6, 7], [0.25, math.inf])
        journal.teacher("test", "nll", 1.25)
        journal.resumed(2, 30)
        journal.fact("split", {"a": [1]})
    lines, _ = read_journal(tmp_path / "j")
    assert [line.pop("at") for line in lines] == [12.345679] * 7
    assert [line.pop("v") for line in lines] == [1] * 7
    assert [line.pop("seq") for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert lines == [
        {"type": "metric", "name": "lr", "value": 0.5, "step": 3, "epoch": 1},
        {"type": "measurement", "name": "speed", "value": 2.5, "unit": "images/s", **where, **spread},
        {"type": "measurement", "name": "params", "value": 7.0, "unit": "1", **where, **plain},
        {
            "type": "predictions", "part": "val", "sample": ["a", "b"], "label": [4, 5], "predicted": [6, 7],
            "confidence": [0.25, "Infinity"],
        },
        {"type": "teacher", "part": "test", "name": "nll", "value": 1.25},
        {"type": "from", "attempt": 2, "step": 30, "upto": None},
        {"type": "fact", "name": "split", "value": {"a": [1]}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sample", "label", "predicted", "confidence"),
    [
        (["a", "b"], [1], [1], [0.5]),
        (["a"], [1, 2], [1], [0.5]),
        (["a"], [1], [1, 2], [0.5]),
        (["a"], [1], [1], [0.5, 0.5]),
    ],
)
def test_each_uneven_list_of_predictions_is_refused(
    tmp_path: Path, sample: list[str], label: list[int], predicted: list[int], confidence: list[float]
) -> None:
    with JournalWriter(tmp_path / "j") as journal, pytest.raises(ValueError, match="one length"):
        journal.predictions("test", sample, label, predicted, confidence)
    assert (tmp_path / "j").read_bytes() == b""


def test_sync_makes_the_written_lines_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = DiskRecord(tmp_path, monkeypatch)
    sizes: list[int] = []
    fsync = os.fsync

    def note_size(handle: int) -> None:
        sizes.append(os.fstat(handle).st_size)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note_size)
    with JournalWriter(tmp_path / "j") as journal:
        journal.metric("a", 1.0, step=0, epoch=0)
        assert disk.events == [], "a line alone does not wait for the disk"
        journal.sync()
        assert disk.events == ["sync j"]
        assert sizes == [(tmp_path / "j").stat().st_size] != [0]


def test_line_that_a_full_disk_took_in_part_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with JournalWriter(tmp_path / "j") as journal:
        journal.metric("a", 1.0, step=0, epoch=0)
        monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:-1]))
        with pytest.raises(OSError, match="is the disk full"):
            journal.metric("a", 2.0, step=1, epoch=0)
        with pytest.raises(OSError, match="is the disk full"):
            journal.metrics([("a", 2.0)], step=1, epoch=0)
        assert journal.seq == 1, "what is not whole has no number"
    monkeypatch.undo()
    with JournalWriter(tmp_path / "j") as journal:
        journal.metric("a", 3.0, step=2, epoch=0)
    assert [(line["seq"], line["value"]) for line in read_journal(tmp_path / "j")[0]] == [(1, 1.0), (3, 3.0)]


def test_each_step_leaves_in_one_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader or a kill between two writes would see half a step."""
    sizes: list[int] = []
    write = os.write

    def note_size(handle: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(handle, data)

    monkeypatch.setattr(os, "write", note_size)
    with JournalWriter(tmp_path / "j") as journal:
        journal.metrics([("a", 1.0), ("b", 2.0)], step=0, epoch=0)
        journal.metric("c", 1.0, step=0, epoch=0)
    assert len(sizes) == 2
    assert sum(sizes) == (tmp_path / "j").stat().st_size


def test_two_writers_of_one_file_never_overwrite_each_other(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j") as one, JournalWriter(tmp_path / "j") as other:
        one.metric("a", 1.0, step=0, epoch=0)
        other.metric("b", 2.0, step=0, epoch=0)
        one.metric("c", 3.0, step=0, epoch=0)
    assert [line["name"] for line in read_journal(tmp_path / "j")[0]] == ["a", "b", "c"]


def test_lines_are_counted_over_blocks_of_a_long_journal(tmp_path: Path) -> None:
    line = b'{"v":1,"seq":1,"type":"fact","name":"x","value":"' + b"y" * 700_000 + b'"}\n'
    (tmp_path / "j").write_bytes(line * 4 + b"torn")
    with JournalWriter(tmp_path / "j") as journal:
        assert journal.seq == 5
    assert (tmp_path / "j").read_bytes() == line * 4 + b"torn\n"


def test_journal_of_whole_lines_is_opened_without_a_change(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"{}\n{}\n")
    with JournalWriter(tmp_path / "j") as journal:
        assert journal.seq == 2
    assert (tmp_path / "j").read_bytes() == b"{}\n{}\n"


def test_closed_journal_lets_go_of_its_file_once(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "j")
    handle = journal._handle
    journal.close()
    journal.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_parts_hold_as_many_bytes_as_asked_and_end_their_line(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"aaaa\nbb\ncccc\ntorn")
    assert read_bytes(path, 0, 5) == b"aaaa\n"
    assert read_bytes(path, 0, 6) == b"aaaa\nbb\n"
    assert read_bytes(path, 0, 1) == b"aaaa\n"
    assert read_bytes(path, 5, 3) == b"bb\n"
    assert read_bytes(path, 5) == b"bb\ncccc\n"
    assert read_bytes(path, 13, 2) == b""


def test_damaged_and_foreign_lines_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b'{"type":"teacher","value":"NaN"}\n{oh\n[1]\n\n{"type":"fact","value":"NaN"}\n')
    lines, offset = read_journal(tmp_path / "j")
    assert math.isnan(lines[0]["value"])
    assert lines[1:] == [{"type": "fact", "value": "NaN"}]
    assert offset == (tmp_path / "j").stat().st_size


@pytest.mark.parametrize("kind", ["metric", "measurement", "teacher"])
def test_numbers_that_came_as_text_are_numbers_again(tmp_path: Path, kind: str) -> None:
    (tmp_path / "j").write_text(f'{{"type":"{kind}","value":"-Infinity"}}\n{{"type":"{kind}","value":"Infinity"}}\n')
    assert [line["value"] for line in read_journal(tmp_path / "j")[0]] == [-math.inf, math.inf]


def test_a_span_ends_at_its_line_and_tells_what_it_goes_on_from(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j") as journal:
        journal.fact("says", '"from"')
        journal.resumed(3, 70, 12)
        journal.resumed(1, 7, 1)
        for step in range(5):
            journal.metric("loss", 1.0, step=step, epoch=0)
    raw = (tmp_path / "j").read_bytes()
    lines = raw.splitlines(keepends=True)
    for upto in (None, 0, 1, 2, 4, 99):
        kept = b"".join(lines[:upto])
        origin = (None, None) if upto in (0, 1) else (3, 12)
        assert read_span(tmp_path / "j", upto) == Span(len(kept), hashlib.sha256(kept).hexdigest(), *origin)
    with open(tmp_path / "j", "ab") as handle:
        handle.write(b'{"torn":')
    assert read_span(tmp_path / "j").bytes == len(raw), "a torn line is none"
