"""A file that answers otherwise fails, and the first layer that differs is the one that was changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.core.export.forms import Written, open_form, write_form
from engine.core.export.parity import compare_answers, first_difference, judge_answers
from tests.core.export.conftest import SIZE, make_about, make_network, some_images

IMAGES = some_images(4)
CHANGED = "stages.2.blocks.0.mlp.fc1"


def test_a_faithful_file_holds_and_no_layer_differs(pt2_file: Written) -> None:
    opened = open_form(pt2_file.path)
    with torch.no_grad():
        found = compare_answers(make_network(), opened, [IMAGES, some_images(3)])
    assert found.holds
    assert (found.images, found.agreement) == (7, 1.0)
    assert first_difference(pt2_file, opened, IMAGES) is None


def test_small_differences_pass_and_large_ones_and_nan_do_not() -> None:
    logits = torch.eye(4) * 10
    assert judge_answers(logits, logits + 5e-4).holds
    assert not judge_answers(logits, logits + 5e-3).holds
    assert not judge_answers(logits, logits * torch.nan).holds
    assert judge_answers(logits, logits.flip(1)).agreement == 0.0


@pytest.mark.parametrize("word", ["pt2", "safetensors"])
def test_the_first_layer_that_differs_is_named(word: str, pt2_file: Written, tmp_path: Path) -> None:
    network = make_network()
    network.get_parameter(f"{CHANGED}.weight").data.mul_(1.5)
    path = tmp_path / f"changed{'.pt2' if word == 'pt2' else '.safetensors'}"
    write_form(word, network, SIZE, path, make_about().texts({}))
    honest = pt2_file
    if word == "safetensors":
        honest = write_form(word, make_network(), SIZE, tmp_path / "honest.safetensors", make_about().texts({}))
    assert first_difference(honest, open_form(path), IMAGES) == CHANGED


def test_onnx_names_the_layer_of_a_changed_weight(onnx_file: Written, tmp_path: Path) -> None:
    import numpy as np
    import onnx

    model = onnx.load(str(onnx_file.path))
    last = next(one for one in model.graph.initializer if one.name == "head.fc.weight")
    last.CopyFrom(onnx.numpy_helper.from_array(1e6 * np.eye(*last.dims, dtype=np.float32), last.name))
    path = tmp_path / "changed.onnx"
    onnx.save(model, str(path))
    assert first_difference(onnx_file, open_form(path), IMAGES) == "head.fc"
    assert first_difference(onnx_file, open_form(onnx_file.path), IMAGES) is None
