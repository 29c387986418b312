"""Layers are found by name and heard as maps; what cannot be heard is refused with what can."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn

from engine.core.distill.taps import as_map, find_layers, listening, probe_layers, read_layer, reduce_map
from engine.errors import DataError


class Odd(nn.Module):
    """A layer that is never called, and one that gives a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.idle, self.pair = nn.Conv2d(3, 4, 4, 4), nn.Linear(2, 2), Pair()

    def forward(self, images: Tensor) -> Tensor:
        first, _ = self.pair(self.stem(images))
        found: Tensor = first.mean((2, 3))
        return found


class Pair(nn.Module):
    def forward(self, found: Tensor) -> tuple[Tensor, Tensor]:
        return found, found


def test_layers_are_heard_inside_alone() -> None:
    network = Odd()
    layers = find_layers(network, ["stem"])
    with listening(layers) as heard:
        network(torch.zeros(2, 3, 8, 8))
    assert read_layer(heard, "stem", 2).shape == (2, 4, 2, 2)
    heard.clear()
    network(torch.zeros(2, 3, 8, 8))
    assert heard == {}


def test_a_wrong_name_is_refused_with_the_nearest() -> None:
    network = timm.create_model("resnet10t", num_classes=3)
    with pytest.raises(DataError, match="there is no layer 'layer5'") as found:
        find_layers(network, ["layer1", "layer5"])
    assert "'layer4'" in str(found.value.fix)
    with pytest.raises(DataError) as found:
        find_layers(network, ["zzz"])
    assert "choose one of" in str(found.value.fix)


@pytest.mark.parametrize(("layer", "what"), [("idle", "is not called"), ("pair", "gives a tuple")])
def test_what_cannot_be_heard_is_refused(layer: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        probe_layers(Odd(), [layer], 8)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((2, 5, 4, 4), (2, 5, 4, 4)), ((2, 4, 4, 5), (2, 5, 4, 4)), ((2, 16, 5), (2, 5, 4, 4)),
        ((2, 17, 5), (2, 5, 4, 4)), ((2, 21, 5), (2, 5, 4, 4)), ((2, 5), (2, 5, 1, 1)),
    ],
)  # fmt: skip
def test_outputs_of_all_forms_are_maps(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    found = torch.arange(float(torch.tensor(shape).prod())).view(shape)
    assert as_map(found).shape == wanted
    if len(shape) == 3:  # tokens of class stand in front, and places go row by row
        torch.testing.assert_close(as_map(found)[1, :, 1, 2], found[1, shape[1] - 16 + 6])


@pytest.mark.parametrize(("side", "pool"), [(8, 1), (8, 2), (7, 3), (3, 7), (5, 5)])
def test_maps_are_averaged_as_adaptive_pooling_does(side: int, pool: int) -> None:
    found = torch.randn(2, 3, side, side, dtype=torch.float32)
    wanted = nn.functional.adaptive_avg_pool2d(found, pool).flatten(2).transpose(1, 2)
    torch.testing.assert_close(reduce_map(found, pool, "map"), wanted)
    energy = nn.functional.adaptive_avg_pool2d(found.square().mean(1, keepdim=True), pool).flatten(2).transpose(1, 2)
    torch.testing.assert_close(reduce_map(found, pool, "energy"), energy)
    assert reduce_map(found.bfloat16(), pool, "map").dtype == torch.float32


def test_a_probe_leaves_the_network_as_it_was() -> None:
    network = timm.create_model("resnet10t", num_classes=3).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert probe_layers(network, ["layer2", "global_pool"], 64) == {"layer2": (128, 8), "global_pool": (512, 1)}
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
