"""The words about quantising: what does nothing is refused, and so is a library that is not here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.errors import SpecError
from engine.load import load_spec
from engine.spec import Quantize
from engine.spec.forms import FORMS
from engine.spec.quantize import BACKENDS, absent_packages, quantized_form

SPEC = """
name: small
data: {source: digits, image_size: 24, short_side: 8}
student: {arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], windows: [3, 3, 2, 1]}
arms:
  plain: {}
  int8: {quantize: {WORDS}}
"""


@pytest.mark.parametrize("words", [{"images": 64}, {"calibration": "entropy"}])
def test_dynamic_takes_no_word_about_images(words: dict[str, object]) -> None:
    assert Quantize.model_validate({"mode": "dynamic"}).images == 128
    with pytest.raises(ValidationError, match="looks at no training images"):
        Quantize.model_validate({"mode": "dynamic", **words})


def test_other_numbers_of_bits_are_refused() -> None:
    with pytest.raises(ValidationError, match="Input should be 8"):
        Quantize.model_validate({"bits": 4})


def test_what_torchao_lacks_is_refused_by_name() -> None:
    for words in ({"per_channel": False}, {"calibration": "entropy"}, {"mode": "dynamic"}):
        with pytest.raises(ValidationError, match="torchao"):
            Quantize.model_validate({"backend": "torchao", **words})


def test_each_backend_makes_a_file_that_is_exported() -> None:
    assert {found.form for found in BACKENDS.values()} <= FORMS.keys()
    assert all(found.words.suffix == FORMS[found.form].suffix for found in BACKENDS.values())
    assert quantized_form(Quantize()).form == "onnx"


def spec_file(folder: Path, words: str) -> Path:
    path = folder / "small.yaml"
    path.write_text(SPEC.replace("WORDS", words))
    return path


def test_a_library_that_is_not_here_stops_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else real(name))
    with pytest.raises(SpecError) as caught:
        load_spec(spec_file(tmp_path, "backend: onnxruntime"))
    problem = caught.value.problems[0]
    assert "onnxruntime needs onnxruntime, which is not here (arm int8)" in problem.what
    assert "pip install 'xp-engine[edge]'" in problem.fix
    assert problem.where.endswith("small.yaml:7:30")
    assert absent_packages(Quantize()) is not None


def test_two_ways_of_quantising_are_two_arms(tmp_path: Path) -> None:
    path = spec_file(tmp_path, "mode: dynamic")
    path.write_text(path.read_text() + "  static: {quantize: {}}\n  off: {quantize: null, train: {epochs: 2}}\n")
    found = load_spec(path, ())
    assert [cell.quantize and cell.quantize.mode for cell in found.kept_cells] == [None, "dynamic", "static", None]
    path.write_text(path.read_text() + "  twin: {quantize: {images: 128}}\n")
    with pytest.raises(SpecError, match="arm 'twin' is the same as arm 'static'"):
        load_spec(path, ())
