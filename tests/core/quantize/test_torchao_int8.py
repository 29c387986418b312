"""torchao's int8: near the fp32 answers, a file that opens by itself, the same bytes twice, smaller than in fp32."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.core.export.about import read_about
from engine.core.export.forms import open_form
from engine.core.quantize.onnx_int8 import Quantized
from engine.core.quantize.torchao_int8 import quantize_pt2
from engine.spec import Quantize
from tests.core.export.conftest import SIZE, make_about, some_images
from tests.core.quantize.test_onnx_int8 import BATCHES, fixed_convolutions

pytest.importorskip("torchao", reason="the extra `edge` is not installed")
TEXTS = make_about(precision="int8").texts({"xp.lineage": "{}"})
READ = "import sys, torch; from engine.core.export.forms import open_form; from pathlib import Path; \
print(open_form(Path(sys.argv[1]))(torch.zeros(1, 3, 24, 24)).shape[1])"


def quantized(path: Path, **words: object) -> Quantized:
    told = Quantize.model_validate({"backend": "torchao", **words})
    return quantize_pt2(fixed_convolutions(), SIZE, path, told, BATCHES, TEXTS, lambda done, whole: None)


@pytest.fixture(scope="module")
def static_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Quantized]:
    path = tmp_path_factory.mktemp("torchao") / "network.pt2"
    return path, quantized(path)


def test_answers_are_near_those_in_fp32(static_file: tuple[Path, Quantized]) -> None:
    path, kinds = static_file
    for count in (1, 7):
        with torch.no_grad():
            expected = fixed_convolutions()(some_images(count))
        assert (open_form(path)(some_images(count)) - expected).abs().max() < 0.1 * expected.abs().max()
    assert (kinds.int8["conv2d"], kinds.int8["linear"]) == (2, 1)
    assert "mean" in kinds.floats


@pytest.mark.slow
def test_the_same_bytes_come_twice_with_all_texts(static_file: tuple[Path, Quantized], tmp_path: Path) -> None:
    path, _ = static_file
    quantized(tmp_path / "again.pt2")
    assert (tmp_path / "again.pt2").read_bytes() == path.read_bytes()
    assert read_about(open_form(path).texts, path).precision == "int8"


@pytest.mark.slow
def test_the_file_opens_where_nothing_was_quantised(static_file: tuple[Path, Quantized]) -> None:
    command = [sys.executable, "-c", READ, str(static_file[0])]
    root = Path(__file__).parents[3]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert found.stdout.strip() == "3", found.stderr
