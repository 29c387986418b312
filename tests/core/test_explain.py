"""Attention maps: equal to the softmax weights of the network, whole, and written as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.explain import attention_maps, block_weights, colour_of, save_maps
from engine.core.network.build import build_network
from engine.errors import JobError
from tests.core.network.nets import network, student


def images(size: int = 56) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("attention", [None, {}, {"select": "pooled"}, {"select": "previous"}, {"pattern": "row"}])
@pytest.mark.parametrize(("size", "side"), [(56, 7), (100, 13)])
def test_maps_cover_the_stage_and_sum_to_one(attention: dict[str, Any] | None, size: int, side: int) -> None:
    maps = attention_maps(network(size, attention), images(size), stage=1)
    assert maps.values.shape == (2, side, side)
    assert maps.method == "received_attention"
    torch.testing.assert_close(maps.values.sum((1, 2)), torch.ones(2))


def test_map_is_the_column_mean_of_the_weights() -> None:
    net = network()
    maps = attention_maps(net, images(), stage=2)
    weights = block_weights(net.eval(), images())["stages.2.blocks.1.attn"]
    expected = weights.mean((1, 2)).view(2, 4, 4).float()
    torch.testing.assert_close(maps.values, expected)


@pytest.mark.parametrize("backend", ["auto", "sdpa"])
@pytest.mark.parametrize("attention", [{}, {"pattern": "block", "tile": 2}, {"pattern": "row"}, {"select": "pooled"}])
def test_every_backend_shows_the_weights_of_the_reference(backend: str, attention: dict[str, Any]) -> None:
    """Each layer's input comes from the backend's own layers before it, so equal weights mean equal networks."""
    shown, known = (
        block_weights(network(64, {**attention, "backend": name}, windows=[7, 8, 4, 2]).eval(), images(64))
        for name in (backend, "reference")
    )
    assert shown.keys() == known.keys()
    for name, weights in known.items():
        torch.testing.assert_close(shown[name], weights)
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)))


def test_a_token_that_is_made_attractive_stands_out() -> None:
    net = network(56, {"globals": 1, "radius": 0})
    maps = attention_maps(net, images(), stage=1)
    place = int(net.get_submodule("stages.1.blocks.1.attn").grid[0])  # type: ignore[index]
    assert (maps.values.flatten(1).argmax(1) == place).all()


def test_other_networks_give_the_energy_of_their_features() -> None:
    for arch in ("timm/mobilenetv3_small_050", "timm/vit_tiny_patch16_224"):
        maps = attention_maps(build_network(student(arch), 10, 64), images(64).float())
        assert maps.method == "feature_energy"
        assert maps.values.ndim == 3
    with pytest.raises(JobError, match="no feature map"):
        attention_maps(torch.nn.Flatten(), images())


def test_pictures_and_raw_values_are_written(tmp_path: Path) -> None:
    maps = attention_maps(network(), images())
    pictures = torch.randint(0, 256, (2, 3, 56, 56), dtype=torch.uint8)
    paths = save_maps(maps, pictures, tmp_path / "maps", ["one", "two"])
    assert [path.name for path in paths] == ["map_000.png", "map_001.png"]
    with Image.open(paths[0]) as picture:
        assert picture.size == (2 * 168, 168)
    raw = np.load(tmp_path / "maps" / "maps.npz")
    assert np.array_equal(raw["values"], maps.values.numpy())
    assert raw["names"].tolist() == ["one", "two"]


def test_colours_run_from_dark_to_light() -> None:
    colours = colour_of(np.linspace(0, 1, 20))
    light = colours @ np.array([0.3, 0.59, 0.11])
    assert (np.diff(light) > 0).all()
