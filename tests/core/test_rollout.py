"""Attention rollout: the product by hand, over a transformer and over the windows of one stage."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from engine.core.explain import MapUndefined, block_inputs
from engine.core.network.tiny_vit import Block
from engine.core.rollout import multiply_blocks, rollout_maps, whole_map_weights
from engine.core.vit_attention import vit_weights
from tests.core.network.nets import network
from tests.core.test_explain import silent
from tests.core.test_vit_attention import images as small_images
from tests.core.test_vit_attention import vit


def images(size: int) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_product_is_the_last_block_times_the_first() -> None:
    first, second = torch.rand(2, 3, 3, dtype=torch.float64), torch.rand(2, 3, 3, dtype=torch.float64)
    one = torch.eye(3, dtype=torch.float64)
    known = (second / 2 + one / 2) @ (first / 2 + one / 2)
    torch.testing.assert_close(multiply_blocks([first, second]), known)


@pytest.mark.parametrize(("options", "row"), [({}, 0), ({"class_token": False, "global_pool": "avg"}, None)])
def test_a_transformer_shows_the_row_that_its_class_is_read_off(options: dict[str, Any], row: int | None) -> None:
    maps = rollout_maps(vit(**options), small_images())
    mixed = multiply_blocks([one.mean(1) for one in vit_weights(vit(**options), small_images())])
    values = mixed.mean(1) if row is None else mixed[:, row, 1:]
    torch.testing.assert_close(maps.values.flatten(1), (values / values.sum(1, keepdim=True)).float())


@pytest.mark.parametrize("windows", [[7, 4, 4, 4], [7, 7, 7, 4]])  # 7 x 7 places: padded windows, and one window
def test_windows_lie_as_blocks_in_the_matrix_of_the_whole_map(windows: list[int]) -> None:
    net = network(112, None, windows=windows).eval()
    asked, block = block_inputs(net, images(112))["stages.2.blocks.0.attn"], net.get_submodule("stages.2.blocks.0")
    assert isinstance(block, Block)
    inside = block.attn.probabilities(*asked).detach().mean(1)
    whole = whole_map_weights(block, inside, 2, 7)
    side = windows[2]
    per_image = len(inside) // 2
    across = -(-7 // side)
    for place in ((0, 0), (3, 5), (6, 6)):
        for other in ((0, 0), (3, 4), (6, 5)):
            homes = [(y // side) * across + x // side for y, x in (place, other)]
            within = [(y % side) * side + x % side for y, x in (place, other)]
            known = inside[per_image + homes[0], within[0], within[1]] if homes[0] == homes[1] else torch.tensor(0.0)
            got = whole[1, place[0] * 7 + place[1], other[0] * 7 + other[1]]
            assert float(got) == pytest.approx(float(known))
    torch.testing.assert_close(whole.sum(-1), torch.ones_like(whole.sum(-1)))


@pytest.mark.parametrize("attention", [None, {}, {"select": "pooled"}, {"pattern": "row"}])
def test_a_stage_without_preferences_gives_a_flat_map(attention: dict[str, Any] | None) -> None:
    values = rollout_maps(silent(network(112, attention, windows=[7, 4, 4, 4])), images(112)).values
    assert float(values.max() / values.min()) < 1 + 1e-5


def test_networks_whose_tokens_change_are_refused() -> None:
    with pytest.raises(MapUndefined, match="one set of tokens"):
        rollout_maps(timm.create_model("mobilenetv3_small_050", num_classes=5), small_images())
