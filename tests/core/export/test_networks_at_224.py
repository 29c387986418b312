"""Networks as they are used, at 224 px: as ONNX and as .pt2 they say what the network says, in int8 nearly so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.export.forms import open_form, write_form
from engine.core.export.parity import compare_answers
from engine.core.network.build import build_network
from engine.core.network.heads import find_classifier
from engine.core.quantize.onnx_int8 import quantize_onnx
from engine.spec import Quantize, Student

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason="the extra `edge` is not installed")

SIZE = 224
NETWORKS: dict[str, dict[str, Any]] = {
    "efficientnet_lite": {"arch": "timm/tf_efficientnet_lite0"},
    "mobilenet": {"arch": "timm/mobilenetv3_small_100"},
    "vit": {"arch": "timm/vit_tiny_patch16_224"},
    "convnext": {"arch": "timm/convnext_atto"},
    "tiny_vit": {"arch": "tiny_vit_5m"},
    "longformer": {"arch": "tiny_vit_5m", "attention": {"kind": "longformer"}},
}
IMAGES = torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def telling_network(words: dict[str, Any]) -> nn.Module:
    """A head that tells images apart: a new one says the same of all, within rounding."""
    torch.manual_seed(0)
    network = build_network(Student.model_validate(words), 10, SIZE).eval()
    with torch.no_grad():
        find_classifier(network).weight.normal_(0.0, 0.3)
    return network


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_exported_and_quantised_at_224(name: str, tmp_path: Path) -> None:
    network = telling_network(NETWORKS[name])

    def answer(images: Tensor) -> Tensor:
        with torch.no_grad():
            return network(images)  # type: ignore[no-any-return]

    for form in ("pt2", "onnx"):
        path = write_form(form, network, SIZE, tmp_path / f"a.{form}", {}).path
        found = compare_answers(answer, open_form(path, 1), [IMAGES[:1], IMAGES])
        assert found.holds, f"{form}: {found}"
    expected = answer(IMAGES)
    for words, batches in (({"images": 3}, [IMAGES]), ({"mode": "dynamic"}, [])):
        told = Quantize.model_validate(words)
        quantize_onnx(tmp_path / "a.onnx", tmp_path / "b.onnx", told, batches, {}, lambda done, whole: None)
        said = open_form(tmp_path / "b.onnx", 1)(IMAGES)
        assert (said - expected).abs().max() < 0.2 * expected.abs().max(), words
