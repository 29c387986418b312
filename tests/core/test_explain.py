"""Attention maps: equal to the softmax weights of the network, whole, and written as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.explain import (
    AttentionMaps,
    Colours,
    attention_maps,
    block_inputs,
    block_weights,
    save_maps,
)
from engine.core.network.attention import LongformerAttention
from engine.core.network.build import build_network
from engine.core.network.sparse import SELECTS
from engine.core.network.tiny_vit import TinyViT
from engine.errors import JobError
from engine.spec.patterns import PATTERNS, neighbours
from tests.core.network.nets import network, student

# Red rises and blue falls with the level, so that no level has another's colour.
COLOURS: Colours = np.stack([np.arange(256), np.full(256, 200), 255 - np.arange(256)], axis=1).astype(np.uint8)


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


def silent(net: TinyViT) -> TinyViT:
    """Take away all that could prefer one key to another: queries, keys, biases, the score of the globals."""
    with torch.no_grad():
        for _, module in net.attention_modules():
            for linear in (module.qkv, getattr(module, "qkv_global", module.qkv)):
                for part in (linear.weight, linear.bias):
                    part.view(module.heads, 3, module.head_dim, -1)[:, :2] = 0.0
            for name in ("attention_biases", "attention_biases_global", "score"):
                if hasattr(module, name):
                    getattr(module, name).zero_()
    return net


WHOLE, PADDED = (224, [7, 14, 14, 7]), (112, [7, 8, 4, 4])  # stages 1 and 2: 28 and 14, 14 and 7 tokens a side


def spread(net: TinyViT, size: int, stage: int) -> float:
    values = attention_maps(net, images(size), stage).values
    return float(values.max() / values.min())


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("select", SELECTS)
@pytest.mark.parametrize("combine", ["joint", "sum", "mean"])
def test_a_network_without_preferences_gives_flat_maps(pattern: str, select: str, combine: str) -> None:
    words = {"pattern": pattern, "select": select, "combine": combine, "tile": 2, "radius": 1, "globals": 3}
    size, windows = PADDED
    for projections, padding in (("dual", "mask"), ("shared", "timm")):
        net = silent(network(size, {**words, "projections": projections}, windows=windows, padding=padding))
        assert max(spread(net, size, 1), spread(net, size, 2)) < 1 + 1e-5


@pytest.mark.parametrize("attention", [None, {}, {"pattern": "block"}, {"pattern": "row"}, {"select": "pooled"}])
@pytest.mark.parametrize(("size", "windows"), [WHOLE, PADDED])
def test_defaults_without_preferences_give_flat_maps(
    attention: dict[str, Any] | None, size: int, windows: list[int]
) -> None:
    net = silent(network(size, attention, windows=windows)).float()
    values = attention_maps(net, images(size).float(), stage=2).values
    assert float(values.max() / values.min()) < 1 + 1e-5


def test_a_token_that_is_made_attractive_stands_out() -> None:
    net = silent(network(56, {"globals": 1, "radius": 0, "select": "learned"}))
    attention = net.get_submodule("stages.1.blocks.1.attn")
    assert isinstance(attention, LongformerAttention)
    asked = block_inputs(net.eval(), images())["stages.1.blocks.1.attn"][0]
    attention.score.data += attention.norm(asked[0, 30]).detach()
    values = attention_maps(net, images()[:1], stage=1).values.flatten()
    place = int(attention.choose(asked[:1]).places)
    assert int(values.argmax()) == place
    assert float(values[place] / values.median()) > 1.5


def test_other_networks_give_the_energy_of_their_features() -> None:
    for arch in ("timm/mobilenetv3_small_050", "timm/vit_tiny_patch16_224"):
        maps = attention_maps(build_network(student(arch), 10, 64), images(64).float())
        assert maps.method == "feature_energy"
        assert maps.values.ndim == 3
    with pytest.raises(JobError, match="no layer of Flatten gives a map"):
        attention_maps(torch.nn.Flatten(), images())


def test_networks_of_ones_own_show_their_last_map() -> None:
    layers = [torch.nn.Conv2d(3, 4, 3, 4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    own = torch.nn.Sequential(*layers)
    maps = attention_maps(own, images().float())
    assert (maps.method, maps.layer) == ("feature_energy", "1")
    assert torch.equal(maps.values, own[:2](images().float()).norm(dim=1).detach())


def test_pictures_and_raw_values_are_written(tmp_path: Path) -> None:
    maps = attention_maps(network(), images())
    pictures = torch.randint(0, 256, (2, 3, 56, 56), dtype=torch.uint8)
    paths = save_maps(maps, pictures, tmp_path / "maps", ["one", "two"], COLOURS)
    assert [path.name for path in paths] == ["map_000.png", "map_001.png"]
    with Image.open(paths[0]) as picture:
        assert picture.size == (2 * 168, 168)
    raw = np.load(tmp_path / "maps" / "maps.npz")
    assert np.array_equal(raw["values"], maps.values.numpy())
    assert raw["names"].tolist() == ["one", "two"]


@pytest.mark.parametrize("attention", [None, {"select": "pooled"}, {"radius": 1}])
def test_maps_are_what_tokens_received_over_what_evenness_gives(attention: dict[str, Any] | None) -> None:
    """By hand, token by token: the map of 7 x 7 tokens in windows of 4, the last of them padded."""
    net = network(112, attention, windows=[7, 4, 4, 4])
    maps = attention_maps(net, images(112), stage=2)
    weights = block_weights(net.eval(), images(112))["stages.2.blocks.1.attn"].mean(1)
    block: Any = net.get_submodule("stages.2.blocks.1")
    real = block.cut(torch.ones(2, 7, 7, 1))[1]
    assert maps.values.shape == (2, 7, 7)
    assert not bool(real.all())
    assert float((weights[..., :16] * ~real[:, None, :])[real].max()) == 0.0
    expected = torch.zeros(2, 7, 7, dtype=torch.float64)
    for window in range(8):
        image, down, across = window // 4, window // 2 % 2 * 4, window % 2 * 4
        there = [number for number in range(16) if real[window, number]]
        got, due = torch.zeros(16, dtype=torch.float64), torch.zeros(16, dtype=torch.float64)
        for query in there:
            seen = seen_by_hand(block.attn, query, there)
            even = torch.tensor([(key in seen) / len(seen) for key in range(weights.shape[-1])])
            for total, share in ((got, weights[window, query]), (due, even)):
                total += share[:16]
                for cell in range(16, len(share)):
                    members = [token for token in there if block.attn.cells[cell - 16, token]]
                    total[members] += share[cell] / max(len(members), 1)
        for key in there:
            expected[image, down + key // 4, across + key % 4] = got[key] / due[key]
    expected /= expected.sum((1, 2), keepdim=True)
    torch.testing.assert_close(maps.values, expected.float())


def seen_by_hand(module: Any, query: int, there: list[int]) -> frozenset[int]:
    """Return the keys that a token of a window sees; cells follow the 16 tokens, those of padding alone left out."""
    if not isinstance(module, LongformerAttention):
        return frozenset(there)
    near = neighbours(module.sparse, 4)[query] & set(there)
    if module.sparse.has_global_keys_only:
        cells = [number for number, marks in enumerate(module.cells) if any(marks[token] for token in there)]
        return near | frozenset(16 + number for number in cells)
    places = set(module.grid.tolist())
    return frozenset(there) if query in places else near | (places & set(there))


def test_a_network_comes_back_in_its_mode_without_hooks_or_gradients() -> None:
    net = network().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert not attention_maps(net, images()).values.requires_grad
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_pre_hooks for _, module in net.attention_modules())
    net.eval()
    attention_maps(net, images())
    assert not net.training


def test_the_last_block_of_the_asked_stage_is_shown() -> None:
    net = network()
    assert attention_maps(net, images(), stage=1).layer == "stages.1.blocks.1"
    assert attention_maps(net, images()).layer == "stages.2.blocks.1"


class Features(torch.nn.Module):
    """Gives what it is told as its features."""

    num_prefix_tokens = 1

    def __init__(self, values: torch.Tensor) -> None:
        super().__init__()
        self.values = values

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        return self.values


def test_energy_is_the_norm_over_channels_wherever_they_lie() -> None:
    grid = torch.tensor([[[0.0, 3.0], [6.0, 9.0]]])
    first = torch.stack([grid, grid / 3 * 4], 1)  # (1, 2, 2, 2): channels first where both readings fit
    wide = torch.cat([first, torch.zeros(1, 3, 2, 2)], 1)
    wanted = grid / 3 * 5
    for features in (wide, wide.permute(0, 2, 3, 1)):
        torch.testing.assert_close(attention_maps(Features(features), images()).values, wanted)
    tokens = wide.flatten(2).mT
    with_prefix = torch.cat([torch.full((1, 1, 5), 99.0), tokens], 1)
    torch.testing.assert_close(attention_maps(Features(with_prefix), images()).values, wanted)
    with pytest.raises(JobError, match="no square map"):
        attention_maps(Features(with_prefix[:, :-1]), images())


def test_pictures_share_one_scale_and_lay_the_map_over_the_picture(tmp_path: Path) -> None:
    values = torch.tensor([[[1.0, 1.0], [1.0, 1.0]], [[1.5, 1.5], [1.5, 1.5]], [[2.0, 2.0], [2.0, 2.0]]])
    plain = torch.full((3, 3, 84, 84), 100, dtype=torch.uint8)
    paths = save_maps(AttentionMaps(values, "m", "l"), plain, tmp_path, ["a", "b", "c"], COLOURS)
    for path, colour in zip(paths, ((0, 200, 255), (128, 200, 127), (255, 200, 0)), strict=True):
        with Image.open(path) as picture:
            assert picture.size == (336, 168)
            assert picture.getpixel((100, 100)) == (100, 100, 100)
            mixed = tuple(round(0.45 * 100 + 0.55 * part) for part in colour)
            assert picture.getpixel((200, 100)) == pytest.approx(mixed, abs=1)
    raw = np.load(tmp_path / "maps.npz")
    assert (str(raw["method"]), str(raw["layer"])) == ("m", "l")


def test_a_flat_map_is_drawn_without_dividing_by_zero(tmp_path: Path) -> None:
    flat = AttentionMaps(torch.ones(1, 2, 2), "m", "l")
    (path,) = save_maps(flat, torch.zeros(1, 3, 100, 100, dtype=torch.uint8), tmp_path, ["a"], COLOURS)
    with Image.open(path) as picture:
        assert picture.size == (400, 200)


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_objects_are_outlined_on_dark_and_light(tmp_path: Path, ground: int) -> None:
    """White inside, black around it, on both halves of the picture; the image without an object has no line."""
    plain = torch.full((2, 3, 168, 168), ground, dtype=torch.uint8)
    objects = np.zeros((2, 168, 168), dtype=bool)
    objects[0, 20:60, 30:168] = True  # cut off on the right
    maps = AttentionMaps(torch.ones(2, 2, 2), "m", "l")
    bare = save_maps(maps, plain, tmp_path / "bare", ["a", "b"], COLOURS)
    paths = save_maps(maps, plain, tmp_path / "maps", ["a", "b"], COLOURS, objects)
    assert paths[1].read_bytes() == bare[1].read_bytes()
    drawn, unmarked = (np.asarray(Image.open(path)) for path in (paths[0], bare[0]))
    for half, before in zip(np.split(drawn, 2, axis=1), np.split(unmarked, 2, axis=1), strict=True):
        inner = (half[20:22, 30:], half[58:60, 30:], half[20:60, 30:32])
        outer = (half[18:20, 30:], half[60:62, 30:], half[18:62, 28:30])
        assert all((line == 255).all() for line in inner)
        assert all((line == 0).all() for line in outer)
        assert np.array_equal(half[22:58, 32:], before[22:58, 32:])
        assert np.array_equal(half[:18], before[:18])
