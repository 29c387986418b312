"""ONNX: any batch, the same logits, all texts inside, the same bytes each time; an unknown operator by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.core.export.about import read_about
from engine.core.export.forms import Written, write_form
from engine.core.export.onnx_form import OPSET, OnnxModel
from engine.errors import DataError, JobError
from tests.core.export.conftest import make_about, make_network, some_images


@pytest.mark.parametrize("count", [1, 7])
def test_onnx_runtime_answers_as_the_network(onnx_file: Written, count: int) -> None:
    images = some_images(count)
    with torch.no_grad():
        expected = make_network()(images)
    torch.testing.assert_close(OnnxModel(onnx_file.path, 1)(images), expected, atol=1e-5, rtol=0)


def test_the_file_says_all_of_itself_and_nothing_of_this_machine(onnx_file: Written) -> None:
    import onnx

    model = onnx.load(str(onnx_file.path))
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    assert [one.name for one in (*model.graph.input, *model.graph.output)] == ["images", "logits"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    texts = OnnxModel(onnx_file.path).texts
    assert read_about(texts, onnx_file.path) == make_about(opset=OPSET)
    assert texts["xp.lineage"] == "{}"
    assert b".py" not in onnx_file.path.read_bytes()


def test_an_operator_that_onnx_lacks_is_named(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")

    class Odd(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            answers: Tensor = torch.special.i1e(images).flatten(1)
            return answers

    with pytest.raises(JobError, match=r"ONNX has no operator for .*i1e"):
        write_form("onnx", Odd(), 8, tmp_path / "odd.onnx", {})
    assert not (tmp_path / "odd.onnx").exists()


def test_a_damaged_file_is_told(onnx_file: Written, tmp_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(onnx_file.path.read_bytes()[:999])
    with pytest.raises(DataError, match="ONNX Runtime cannot read it"):
        OnnxModel(cut)
