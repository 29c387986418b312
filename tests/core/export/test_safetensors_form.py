"""The weights alone are a network again, built from what the file says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.core.export.forms import write_form
from engine.core.export.safetensors_form import SafetensorsModel, layer_values
from engine.core.network.build import build_network
from engine.core.prune.structured import prune_network
from engine.errors import DataError
from engine.spec import Prune, Student
from tests.core.export.conftest import SIZE, make_about, make_network, some_images


def test_the_file_is_the_network_to_the_bit(tmp_path: Path) -> None:
    written = write_form("safetensors", make_network(), SIZE, tmp_path / "a.safetensors", make_about().texts({}))
    images = some_images(3)
    with torch.inference_mode():
        assert torch.equal(SafetensorsModel(written.path)(images), make_network()(images))
    names = [name for name, _, _ in layer_values(make_network(), images)]
    assert names[0] == "patch_embed.conv1.conv" or "head.fc" in names


TIMM = {"arch": "timm/mobilenetv3_small_050"}


@pytest.mark.parametrize("embedding", [False, True])
def test_a_pruned_network_of_timm_is_built_again_by_its_widths(embedding: bool, tmp_path: Path) -> None:
    network = build_network(Student.model_validate(TIMM), 3, SIZE)
    words = Prune(ratio=0.2, criterion="l1", embedding=embedding)
    report = prune_network(network, words, image_size=SIZE)
    assert report.widths is not None
    texts = make_about(network=TIMM, widths=report.widths.to_json()).texts({})
    written = write_form("safetensors", network.eval(), SIZE, tmp_path / "a.safetensors", texts)
    with torch.inference_mode():
        assert torch.equal(SafetensorsModel(written.path)(some_images(2)), network(some_images(2)))


@pytest.mark.parametrize(
    "widths", [{"mid": 3}, {"units": {"no.such": 3}}, {"units": {}, "sizes": {"conv_stem": [9999, 3]}}, {"units": []}]
)
def test_widths_of_another_network_are_refused(widths: dict[str, object], tmp_path: Path) -> None:
    network = build_network(Student.model_validate(TIMM), 3, SIZE)
    texts = make_about(network=TIMM, widths=widths).texts({})
    write_form("safetensors", network, SIZE, tmp_path / "a.safetensors", texts)
    with pytest.raises(DataError, match="do not fit the network that it says it holds"):
        SafetensorsModel(tmp_path / "a.safetensors")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    words = {"classes": ["a", "b"], "meanings": ["a", "b"]}
    write_form("safetensors", make_network(), SIZE, tmp_path / "a.safetensors", make_about(**words).texts({}))
    with pytest.raises(DataError, match="do not fit the network that it says it holds"):
        SafetensorsModel(tmp_path / "a.safetensors")
