"""Operators of ONNX files: the same answers as torch's, and run as one where ONNX Runtime can."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.core.export.forms import write_form
from engine.core.export.onnx_form import OnnxModel
from engine.core.runtimes.onnx_session import onnx_operators
from tests.core.export.conftest import some_images


def test_a_stable_sort_is_written_as_ties_need_it(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")

    class Sorter(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1)[:, :6].round().sort(dim=-1, descending=True, stable=True).indices.float()

    path = tmp_path / "sorter.onnx"
    write_form("onnx", Sorter(), 8, path, {})
    images = torch.tensor([[1.0, 2.0, 1.0, 2.0, 0.0, 2.0] + [0.0] * 186]).view(1, 3, 8, 8)
    assert OnnxModel(path)(images).tolist() == [[1.0, 3.0, 5.0, 0.0, 2.0, 4.0]]


@pytest.mark.parametrize(("form", "fused"), [("none", "BiasGelu"), ("tanh", "FastGelu")])
def test_onnx_runtime_runs_a_gelu_as_one_operator(form: str, fused: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    network = nn.Sequential(nn.Flatten(2), nn.Linear(64, 16), nn.GELU(approximate=form), nn.Flatten(1))
    path = tmp_path / "gelu.onnx"
    write_form("onnx", network, 8, path, {})
    images = 3.0 * some_images(4)[:, :, :8, :8]
    [ran] = onnx_operators(path, images.numpy()).values()
    assert fused in ran or fused.removeprefix("Bias") in ran, ran
    assert not {"Erf", "Tanh"} & ran.keys()
    with torch.no_grad():
        torch.testing.assert_close(OnnxModel(path)(images), network(images), atol=1e-6, rtol=1e-6)
