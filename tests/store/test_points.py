"""Columns of a journal's bytes say what its lines say, parsed one by one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from store.journal import JournalWriter, read_bytes, read_journal
from store.points import Points, find_source, read_metrics

WORDS = ("seq", "step", "epoch", "at", "value")


def assert_as_parsed(path: Path) -> Points:
    """Compare with the journal's own reader; return the points."""
    lines = [line for line in read_journal(path)[0] if line["type"] == "metric"]
    found = read_metrics(read_bytes(path))
    assert [found.names[number] for number in found.name] == [line["name"] for line in lines]
    points = found.points(np.arange(len(found)))
    for word in WORDS:
        np.testing.assert_array_equal(getattr(points, word), [line[word] for line in lines])
    np.testing.assert_array_equal(found.value, points.value)
    return points


def test_a_long_journal_reads_as_its_lines(tmp_path: Path) -> None:
    draw = random.Random(0)
    with JournalWriter(tmp_path / "j") as journal:
        for step in range(300):
            value = draw.choice([draw.random(), -draw.random(), 1e-300, 5e22, 0.0, 3, 1e16 + 2])
            journal.metric(f"name {step % 7}", value, step=step * 1000, epoch=step // 10)
            journal.metrics([("a", value), ("b", draw.gauss(0, 1e9))], step=step, epoch=0)
    assert len(assert_as_parsed(tmp_path / "j")) == 900


def test_numbers_that_json_lacks_are_read(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j") as journal:
        for value in (1.0, float("nan"), float("inf"), float("-inf")):
            journal.metric("loss", value, step=0, epoch=0)
    assert_as_parsed(tmp_path / "j")


def test_lines_of_other_kinds_are_left_out(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j") as journal:
        journal.fact("sizes", {"metric": 1, "at": [1, 2]})
        journal.metric("loss", 1.0, step=0, epoch=0)
        journal.measurement("ms", 1.0, "ms", device="cpu", precision="fp32", batch_size=1, threads=1)
        journal.metric("loss", 2.0, step=1, epoch=0)
        journal.teacher("val", "top1", 0.5)
    assert len(assert_as_parsed(tmp_path / "j")) == 2


@pytest.mark.parametrize("name", ["a,b", 'say "step":', "ü}\n{", "{", "metric", "type", '"name":"x'])
def test_a_name_of_odd_letters_is_kept(tmp_path: Path, name: str) -> None:
    with JournalWriter(tmp_path / "j") as journal:
        journal.metric("plain", 1.0, step=0, epoch=0)
        journal.metric(name, 2.0, step=1, epoch=0)
        journal.metric("plain", 3.0, step=2, epoch=0)
    assert len(assert_as_parsed(tmp_path / "j")) == 3


def test_a_damaged_line_is_left_out(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j") as journal:
        journal.metric("loss", 1.0, step=0, epoch=0)
    with open(tmp_path / "j", "ab") as torn:
        torn.write(b'{"v":1,"seq":2,"type":"metric","at":1.0,"name":"lo')
    with JournalWriter(tmp_path / "j") as journal:
        journal.metric("loss", 3.0, step=2, epoch=0)
    assert assert_as_parsed(tmp_path / "j").value.tolist() == [1.0, 3.0]


def test_lines_of_another_layout_are_read(tmp_path: Path) -> None:
    line = {"type": "metric", "seq": 1, "v": 1, "name": "loss", "step": 3, "epoch": 0, "value": 1.5, "at": 2.0}
    (tmp_path / "j").write_text("".join(json.dumps({**line, "seq": seq}) + "\n" for seq in (1, 2)))
    assert assert_as_parsed(tmp_path / "j").seq.tolist() == [1, 2]


def test_the_first_line_that_goes_on_counts(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j") as journal:
        assert find_source(read_bytes(tmp_path / "j")) is None
        journal.metric("from", 1.0, step=0, epoch=0)
        assert find_source(read_bytes(tmp_path / "j")) is None
        journal.resumed(1, 20, 7)
        journal.resumed(2, 30)
    assert find_source(read_bytes(tmp_path / "j")) == (1, 20, 7)
