"""torch.export's files: any batch, the same logits, all texts inside, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.core.export.about import read_about
from engine.core.export.forms import Written, write_form
from engine.core.export.pt2_form import Pt2Model
from engine.errors import DataError
from tests.core.export.conftest import SIZE, make_about, make_network, some_images


def test_the_file_answers_as_the_network_for_any_batch(pt2_file: Written) -> None:
    opened, network = Pt2Model(pt2_file.path), make_network()
    with torch.no_grad():
        for count in (1, 5):
            images = some_images(count)
            torch.testing.assert_close(opened(images), network(images), atol=1e-6, rtol=0)
    assert read_about(opened.texts, pt2_file.path) == make_about()


def test_equal_networks_are_equal_files_whatever_their_names(pt2_file: Written, tmp_path: Path) -> None:
    again = write_form("pt2", make_network(), SIZE, tmp_path / "other.pt2", make_about().texts({}))
    assert again.path.read_bytes() == pt2_file.path.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["other.pt2"]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "cut.pt2").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match="torch cannot read it"):
        Pt2Model(tmp_path / "cut.pt2")
