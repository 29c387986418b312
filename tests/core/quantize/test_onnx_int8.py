"""ONNX Runtime's int8: near the fp32 answers, the same bytes twice, a free batch, and what stayed float is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.core.export.about import read_about
from engine.core.export.forms import open_form, write_form
from engine.core.quantize.backends import AnsweringFile
from engine.core.quantize.onnx_int8 import Quantized, quantize_onnx
from engine.errors import JobError
from engine.spec import Quantize
from tests.core.export.conftest import SIZE, make_about, make_network, some_images

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason="the extra `edge` is not installed")

BATCHES = [some_images(8) * scale for scale in (0.5, 1.0, 1.5)]
TEXTS = make_about(precision="int8", opset=18).texts({"xp.lineage": "{}"})


class Convolutions(nn.Module):
    """Norms, a residual sum and a clip, as an EfficientNet-Lite has them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.block = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.BatchNorm2d(16), nn.ReLU6())
        self.head = nn.Linear(16, 3)

    def forward(self, images: Tensor) -> Tensor:
        stem = self.stem(images)
        return self.head((stem + self.block(stem)).mean((2, 3)))  # type: ignore[no-any-return]


def fixed_convolutions() -> nn.Module:
    torch.manual_seed(0)
    return Convolutions().eval()


def telling_network() -> nn.Module:
    """A head that tells images apart: a new one says the same of all, within rounding."""
    network = make_network()
    with torch.no_grad():
        network.get_parameter("head.fc.weight").normal_(0.0, 1.0, generator=torch.Generator().manual_seed(0))
    return network


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("fp32")
    networks = {"convolutions": fixed_convolutions(), "longformer": telling_network()}
    return {
        name: write_form("onnx", network, SIZE, folder / f"{name}.onnx", {}).path for name, network in networks.items()
    }


def quantized(source: Path, path: Path, **words: object) -> Quantized:
    told = Quantize.model_validate(words)
    batches = BATCHES if told.mode == "static" else []
    return quantize_onnx(source, path, told, batches, TEXTS, lambda done, whole: None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("convolutions", {}),
        ("longformer", {}),
        ("convolutions", {"mode": "dynamic"}),
        ("longformer", {"mode": "dynamic"}),
        ("convolutions", {"per_channel": False}),
        ("convolutions", {"calibration": "percentile"}),
        ("convolutions", {"calibration": "entropy"}),
    ],
)
def test_answers_are_near_those_in_fp32(
    name: str, words: dict[str, object], files: dict[str, Path], tmp_path: Path
) -> None:
    kinds = quantized(files[name], tmp_path / "a.onnx", **words)
    network = AnsweringFile(open_form(tmp_path / "a.onnx", 1))
    for count in (1, 7):
        expected = open_form(files[name], 1)(some_images(count))
        assert (network(some_images(count)) - expected).abs().max() < 0.15 * expected.abs().max()
    assert sum(kinds.int8.values()) >= 2


def test_a_network_of_convolutions_is_int8_throughout(files: dict[str, Path], tmp_path: Path) -> None:
    kinds = quantized(files["convolutions"], tmp_path / "a.onnx")
    assert kinds.int8.keys() >= {"QLinearConv", "QLinearAdd"}
    assert kinds.int8["QLinearConv"] == 2
    assert "Conv" not in kinds.floats


def test_norms_and_softmax_stay_float(files: dict[str, Path], tmp_path: Path) -> None:
    for words in ({}, {"mode": "dynamic"}):
        kinds = quantized(files["longformer"], tmp_path / "a.onnx", **words)
        assert {"LayerNormalization", "Softmax"} <= kinds.floats.keys()
        assert "MatMul" not in kinds.floats or kinds.floats["MatMul"] < sum(kinds.int8.values())


def test_the_same_bytes_come_twice_with_all_texts(files: dict[str, Path], tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        quantized(files["convolutions"], tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    opened = open_form(tmp_path / "a.onnx")
    assert read_about(opened.texts, tmp_path / "a.onnx") == make_about(precision="int8", opset=18)
    assert opened.texts["xp.lineage"] == "{}"
    assert str(tmp_path).encode() not in (tmp_path / "a.onnx").read_bytes()


def test_whoever_watches_may_stop_it(files: dict[str, Path], tmp_path: Path) -> None:
    seen: list[int] = []

    def watch(done: int, whole: int) -> None:
        seen.append(done)
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_onnx(files["convolutions"], tmp_path / "a.onnx", Quantize(), BATCHES, TEXTS, watch)
    assert seen == [0, 1]
    assert not (tmp_path / "a.onnx").exists()


def test_what_is_no_graph_is_told(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no graph")
    with pytest.raises(JobError, match="cannot quantise the network"):
        quantized(tmp_path / "no.onnx", tmp_path / "a.onnx")
