"""Runtimes by their words: a network is written and opened again; what is absent is refused with how to have it."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engine.core.runtimes.registry import RUNTIMES, open_file, runtime_of_file, write_file
from engine.errors import DataError
from engine.spec.forms import FORMS, UNTIMED
from engine.spec.registries import read_registry
from tests.helpers.onnx_files import write_small


@pytest.mark.slow
def test_a_written_network_answers_as_it_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
    file, images = tmp_path / "a.onnx", torch.randn(3, 3, 8, 8)
    with torch.no_grad():
        expected = network(images).numpy()
    write_file("onnxruntime", network, 8, file)
    np.testing.assert_allclose(open_file("onnxruntime", file, 1)(images.numpy()), expected, atol=1e-5)


def test_a_runtime_without_its_packages_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = write_small(tmp_path / "a.onnx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for opens in (lambda: open_file("onnxruntime", file, 1), lambda: write_file("onnxruntime", nn.Identity(), 8, file)):
        with pytest.raises(DataError, match="onnx needs onnx and onnxscript and onnxruntime") as caught:
            opens()
        assert "pip install" in caught.value.fix


def test_a_missing_file_is_no_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        open_file("onnxruntime", tmp_path / "none.onnx", 1)


def test_files_are_known_by_their_endings() -> None:
    assert {Path(f"a{FORMS[one.form].suffix}"): word for word, one in RUNTIMES.items()} == {
        Path("a.onnx"): "onnxruntime"
    }
    assert runtime_of_file(Path("a.onnx")) == "onnxruntime"
    assert runtime_of_file(Path("a.pt2")) is None


def test_a_spec_reads_every_word_with_its_format() -> None:
    read = read_registry("core/runtimes/registry.py", "RUNTIMES")
    assert {word: facts["form"] for word, facts in read.items()} == {word: one.form for word, one in RUNTIMES.items()}
    assert not set(RUNTIMES) & set(UNTIMED)


def test_who_only_runs_a_file_imports_no_torch() -> None:
    """At the head of the files: what writes a network imports it when it writes."""
    folder = Path(__file__).parents[3] / "engine" / "core" / "runtimes"
    for name in ("registry", "onnx_session", "alone"):
        heads = [
            node
            for node in ast.parse((folder / f"{name}.py").read_text()).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert not [node for node in heads if "torch" in ast.unparse(node)]
