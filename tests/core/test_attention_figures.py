"""Entropy, distance and global mass: known of attention without preferences, and by hand for one head."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from engine.core.attention_figures import attention_figures, token_distances
from engine.core.explain import block_inputs
from engine.core.network.attention import LongformerAttention
from tests.core.network.nets import network
from tests.core.test_explain import silent
from tests.core.test_vit_attention import images as small_images
from tests.core.test_vit_attention import vit


def images(size: int = 112) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("attention", [None, {}, {"select": "pooled"}, {"pattern": "row"}, {"globals": 1, "radius": 1}])
def test_attention_without_preferences_has_full_entropy_and_the_masks_mass(attention: dict[str, Any] | None) -> None:
    net = silent(network(112, attention, windows=[7, 4, 4, 4]))
    found = attention_figures(net, images())
    assert found is not None
    torch.testing.assert_close(found.values["attention_entropy"], torch.ones(2, 3, dtype=torch.float64))
    assert ("global_mass" in found.values) == (attention is not None)
    if attention is not None:
        torch.testing.assert_close(found.values["global_mass"], found.values["global_mass_even"])


def test_figures_are_means_over_queries_by_hand() -> None:
    net = network(112, {"globals": 2, "radius": 1}, windows=[7, 7, 7, 4]).eval()
    found = attention_figures(net, images())
    assert found is not None
    module: Any = net.get_submodule("stages.2.blocks.1.attn")
    assert isinstance(module, LongformerAttention)
    asked = block_inputs(net, images())["stages.2.blocks.1.attn"]
    weights, even = (one.detach()[1] for one in (module.probabilities(*asked), module.even_weights(*asked)))
    weights, even = weights[2], even[0]
    chosen = module.choose(*asked).places[1].tolist()
    entropies, distances, masses = [], [], []
    for query in range(49):
        row = weights[query]
        seen = [key for key in range(49) if even[query, key] > 0]
        share = -sum(float(row[key] * row[key].log()) for key in seen) / torch.tensor(float(len(seen))).log().item()
        entropies.append(share)
        apart = [16 * ((query // 7 - key // 7) ** 2 + (query % 7 - key % 7) ** 2) ** 0.5 for key in range(49)]
        distances.append(sum(float(row[key]) * apart[key] for key in range(49)))
        if query not in chosen:
            masses.append(sum(float(row[key]) for key in chosen))
    known = {"attention_entropy": entropies, "attention_distance": distances, "global_mass": masses}
    for name, values in known.items():
        assert float(found.values[name][1, 2]) == pytest.approx(sum(values) / len(values), rel=1e-5)


def test_a_transformers_distance_is_between_its_patches() -> None:
    found = attention_figures(vit(), small_images())
    assert found is not None
    assert set(found.values) == {"attention_entropy", "attention_distance"}
    assert 0 < float(found.values["attention_distance"].max()) < 24 * 2**0.5
    assert float(found.values["attention_entropy"].max()) <= 1 + 1e-9


def test_distances_are_in_pixels_of_the_image() -> None:
    apart = token_distances(4, 32)
    assert float(apart[0, 3]) == 24.0
    assert float(apart[0, 5]) == pytest.approx(8 * 2**0.5)


def test_a_network_without_attention_has_no_figures() -> None:
    assert attention_figures(timm.create_model("mobilenetv3_small_050", num_classes=5), small_images()) is None
