"""Files are timed as a stopwatch times modules: at least one call, each network opened once for its threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.measure import Load
from engine.core.runtimes import watch
from engine.core.runtimes.watch import FileWatch
from engine.errors import DataError
from tests.helpers.onnx_files import write_small


def test_a_burst_has_the_seconds_of_each_call(tmp_path: Path) -> None:
    timed = FileWatch({"onnxruntime": write_small(tmp_path / "a.onnx")}, 16)
    load = Load(2, 1, "onnxruntime")
    timed.warm_up(load)
    assert len(timed.time(load, 0.0).times) == 1
    burst = timed.time(load, 0.05)
    assert burst.seconds >= 0.05
    assert all(seconds > 0 for seconds in burst.times)
    assert (burst.peaks, burst.calls) == ({}, 1)


def test_a_file_is_opened_once_for_each_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []

    def open_file(word: str, path: Path, threads: int) -> Any:
        opened.append((path.name, threads))
        return lambda images: images

    monkeypatch.setattr(watch, "open_file", open_file)
    timed = FileWatch({"onnxruntime": tmp_path / "a.onnx"}, 16)
    for threads in (1, 2, 1):
        timed.time(Load(1, threads, "onnxruntime"), 0.0)
    assert opened == [("a.onnx", 1), ("a.onnx", 2)]


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        FileWatch({"onnxruntime": tmp_path / "a.onnx"}, 16).warm_up(Load(1, 1, "onnxruntime"))
