"""Grad-CAM against what it is known to equal: class activation maps, and slopes by finite differences."""

from __future__ import annotations

from typing import Any

import timm
import torch

from engine.core.gradcam import gradcam_maps
from tests.core.network.nets import network
from tests.core.test_vit_attention import images, vit

CLASSES = torch.tensor([1, 3])


def test_before_pooling_and_one_linear_it_is_the_class_activation_map() -> None:
    """Selvaraju et al. 2017, appendix A: with global average pooling the gradient is the weight over the places."""
    torch.manual_seed(0)
    net: Any = timm.create_model("resnet10t", num_classes=5).eval()
    with torch.no_grad():
        features = net.forward_features(images())
        weights = net.fc.weight[CLASSES][..., None, None]
        known = (weights * features).sum(1).relu() / features[0, 0].numel()
    maps = gradcam_maps(net, images(), CLASSES)
    torch.testing.assert_close(maps.values, known)
    assert maps.layer == "forward_features"


def test_channel_weights_of_a_stage_are_mean_slopes_by_differences() -> None:
    """The mean gradient of a channel times its places is the slope of the logit when the whole channel rises."""
    net = network(64, {}, windows=[7, 8, 4, 2]).eval()
    shown = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    kept: list[torch.Tensor] = []
    channels, rise = net.shape.stages[2].dim, 1e-5

    def raise_one(_: Any, __: Any, out: torch.Tensor) -> torch.Tensor:
        """Of image number c channel c is raised; of the second half it is lowered."""
        kept.append(out[:1])
        moved = rise * torch.eye(channels, dtype=out.dtype)[..., None, None]
        return out + torch.cat([moved, -moved])

    handle = net.stages[2].register_forward_hook(raise_one)
    with torch.no_grad():
        up, down = net(shown.repeat(2 * channels, 1, 1, 1))[:, 3].chunk(2)
    handle.remove()
    features = kept[0]
    slopes = (up - down) / (2 * rise) / features[0, 0].numel()
    known = (slopes[None, :, None, None] * features).sum(1).relu()
    maps = gradcam_maps(net, shown, torch.tensor([3]))
    torch.testing.assert_close(maps.values.double(), known, rtol=1e-4, atol=1e-7)
    assert maps.layer == "stages.2"


def test_a_map_is_of_its_image_and_its_class_alone() -> None:
    net = vit()
    both, one = gradcam_maps(net, images(), CLASSES), gradcam_maps(net, images()[1:], CLASSES[1:])
    torch.testing.assert_close(both.values[1:], one.values)
    other = gradcam_maps(net, images(), CLASSES.flip(0))
    assert not torch.allclose(both.values, other.values)
    assert both.values.shape == (2, 4, 4)
    assert float(both.values.min()) >= 0


def test_nothing_of_the_network_is_changed() -> None:
    net = network(56, {}).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    gradcam_maps(net.float(), torch.randn(2, 3, 56, 56), CLASSES)
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value.double(), before[name].double())


def test_timms_own_tinyvit_is_asked_more_than_once() -> None:
    """Its table of biases is kept in eval mode with the graph of the first pass, which a second one would need."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"embed_dims": (8, 16, 32, 32), "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2)}
    net = timm.create_model("tiny_vit_5m_224", num_classes=5, **sizes).eval()
    shown = torch.randn(2, 3, 224, 224)
    first, second = (gradcam_maps(net, shown, CLASSES) for _ in range(2))
    torch.testing.assert_close(first.values, second.values)
