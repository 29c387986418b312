"""One small network and its files, made once for all tests of this folder."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.core.export.about import About
from engine.core.export.forms import Written, write_form
from engine.core.network.build import build_network
from engine.spec import Student

SIZE, CLASSES = 24, 3
NETWORK = {
    "arch": "tiny_vit", "dims": [8, 8, 8, 8], "depths": [1, 1, 1, 1], "heads": [1, 1, 1, 1], "windows": [3, 3, 2, 1],
    "attention": {"kind": "longformer", "radius": 1, "globals": 1, "select": "learned", "stages": [1]},
}  # fmt: skip


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(Student.model_validate(NETWORK), CLASSES, SIZE).eval()


def make_about(**words: object) -> About:
    known = {
        "network": NETWORK, "classes": ["a", "b", "c"], "meanings": ["a", "b", "c"], "image_size": SIZE,
        "crop_share": 0.875, "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
        "short_side": 32, "format": "jpeg",
    }  # fmt: skip
    return About.model_validate({**known, **words})


def some_images(count: int) -> torch.Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(count))


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Written:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="the extra `edge` is not installed")
    path = tmp_path_factory.mktemp("onnx") / "network.onnx"
    return write_form("onnx", make_network(), SIZE, path, make_about(opset=18).texts({"xp.lineage": "{}"}))


@pytest.fixture(scope="session")
def pt2_file(tmp_path_factory: pytest.TempPathFactory) -> Written:
    path = tmp_path_factory.mktemp("pt2") / "network.pt2"
    return write_form("pt2", make_network(), SIZE, path, make_about().texts({}))
