"""A process that only runs a file tells its seconds and its peak, and has no torch; a bad file is told by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from engine.core.runtimes.alone import Task, peak_rss, run_alone
from engine.errors import XpError
from tests.helpers.onnx_files import write_small

ROOT = Path(__file__).parents[3]


def test_a_larger_batch_needs_more_memory_there(tmp_path: Path) -> None:
    file = write_small(tmp_path / "a.onnx", channels=64, image_size=64)
    few, many = (run_alone(Task("onnxruntime", file, size, 64, 1)) for size in (1, 64))
    assert few.peak is not None
    assert many.peak is not None
    # 63 images more, each with a map of 64 channels of 64 x 64 in fp32.
    assert many.peak - few.peak > 0.8 * 63 * 64 * 64 * 64 * 4
    assert 0 < few.seconds < 60


def test_the_process_that_runs_a_file_has_no_torch(tmp_path: Path) -> None:
    file = write_small(tmp_path / "a.onnx")
    code = (
        "import sys; from engine.core.runtimes.alone import main; "
        f"main(['onnxruntime', {str(file)!r}, '1', '16', '1']); print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.split()[-1] == "False"


def test_operators_are_told_by_a_process_of_their_own(tmp_path: Path) -> None:
    found = run_alone(Task("onnxruntime", write_small(tmp_path / "a.onnx"), 1, 16, 1), operators=True)
    assert found.operators["CPUExecutionProvider"]["Conv"] == 1


def test_a_file_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(XpError, match="runs a file with onnxruntime failed: there is no such file"):
        run_alone(Task("onnxruntime", tmp_path / "none.onnx", 1, 16, 1))


def test_who_is_asked_to_stop_ends_the_process(tmp_path: Path) -> None:
    def stop() -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_alone(Task("onnxruntime", write_small(tmp_path / "a.onnx"), 1, 16, 1), stop)


def test_the_peak_never_falls() -> None:
    before = peak_rss()
    assert before is None or before > 1e6
    held = bytearray(20_000_000)
    after = peak_rss()
    assert len(held) == 20_000_000
    assert (after or 0) >= (before or 0)
