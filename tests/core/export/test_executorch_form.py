"""ExecuTorch's files: the same logits, and the texts behind the program; the runtime is an extra of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.core.export.about import read_about
from engine.core.export.executorch_form import MARK, ExecutorchModel
from engine.core.export.forms import write_form
from engine.errors import DataError
from tests.core.export.conftest import SIZE, make_about, make_network, some_images


@pytest.mark.slow
def test_the_runtime_answers_as_the_network(tmp_path: Path) -> None:
    pytest.importorskip("executorch", reason="an extra of its own")
    written = write_form("executorch", make_network(), SIZE, tmp_path / "a.pte", make_about().texts({}))
    opened, images = ExecutorchModel(written.path), some_images(3)
    with torch.no_grad():
        torch.testing.assert_close(opened(images), make_network()(images), atol=1e-5, rtol=0)
    assert read_about(opened.texts, written.path) == make_about()


def test_texts_that_are_damaged_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.pte").write_bytes(b"program{no json" + (8).to_bytes(8, "little") + MARK)
    with pytest.raises(DataError, match="behind its program is damaged"):
        ExecutorchModel(tmp_path / "a.pte")
