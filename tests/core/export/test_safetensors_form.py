"""The weights alone are a network again, built from what the file says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.core.export.forms import write_form
from engine.core.export.safetensors_form import SafetensorsModel, layer_values
from engine.errors import DataError
from tests.core.export.conftest import SIZE, make_about, make_network, some_images


def test_the_file_is_the_network_to_the_bit(tmp_path: Path) -> None:
    written = write_form("safetensors", make_network(), SIZE, tmp_path / "a.safetensors", make_about().texts({}))
    images = some_images(3)
    with torch.inference_mode():
        assert torch.equal(SafetensorsModel(written.path)(images), make_network()(images))
    names = [name for name, _, _ in layer_values(make_network(), images)]
    assert names[0] == "patch_embed.conv1.conv" or "head.fc" in names


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    words = {"classes": ["a", "b"], "meanings": ["a", "b"]}
    write_form("safetensors", make_network(), SIZE, tmp_path / "a.safetensors", make_about(**words).texts({}))
    with pytest.raises(DataError, match="do not fit the network that it says it holds"):
        SafetensorsModel(tmp_path / "a.safetensors")
