"""A runtime whose packages are absent stops a spec, with how to have them, and only where it is asked for."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import load_spec

SPEC = """
name: a
data: {source: digits}
student: {arch: tiny_vit_5m}
measure: {runtimes: [RUNTIMES]}
"""


def write_spec(folder: Path, runtimes: str) -> Path:
    file = folder / "a.yaml"
    file.write_text(SPEC.replace("RUNTIMES", runtimes))
    return file


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))


def test_an_absent_package_is_told_where_the_word_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxruntime")
    with pytest.raises(SpecError) as caught:
        load_spec(write_spec(tmp_path, "onnxruntime"))
    said = str(caught.value)
    assert "a.yaml:5:" in said
    assert "measure.runtimes: onnxruntime: onnx needs onnxruntime, which is not here" in said
    assert "pip install 'xp-engine[edge]'" in said


def test_nobody_who_asks_for_no_runtime_needs_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxruntime")
    assert load_spec(write_spec(tmp_path, "")).name == "a"


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("onnx", "'onnx' is no choice here"),
        ("litert", "litert is not timed by xp"),
        ("executorch", "executorch is not timed by xp"),
        ("onnxruntime, onnxruntime", "names one twice"),
    ],
)
def test_words_that_time_nothing_are_refused(tmp_path: Path, word: str, what: str) -> None:
    with pytest.raises(SpecError, match=what):
        load_spec(write_spec(tmp_path, word))
