"""The kinds of maps: the words of a spec and of a report, and what networks have of them."""

from __future__ import annotations

from typing import get_args

import timm
import torch

from engine.core.map_kinds import MAPS, Asked, draw_kinds
from engine.spec.training import MapKind
from store.metrics import MAP_WORDS
from tests.core.network.nets import network
from tests.core.test_vit_attention import vit


def asked(size: int) -> Asked:
    return Asked(torch.randn(2, 3, size, size), torch.tensor([0, 1]), torch.tensor([2, 1]))


def test_every_word_has_a_maker_and_a_name_in_print() -> None:
    assert list(MAPS) == list(get_args(MapKind)) == list(MAP_WORDS)


def test_a_tinyvit_and_a_transformer_have_every_kind() -> None:
    for net, size in ((network(56, {}).float(), 56), (vit(), 32)):
        drawn = draw_kinds(net.train(), list(MAPS), asked(size))
        assert list(drawn.maps) == list(MAPS)
        assert not drawn.omitted
        assert net.training
        assert all(bool(one.values.isfinite().all()) and one.values.ndim == 3 for one in drawn.maps.values())


def test_the_true_class_is_another_map_only_where_the_answer_is_wrong() -> None:
    drawn = draw_kinds(network(56, {}).float(), ["gradcam", "gradcam_true"], asked(56)).maps
    same = (drawn["gradcam"].values == drawn["gradcam_true"].values).flatten(1).all(1)
    assert same.tolist() == [False, True]


def test_what_a_network_has_not_is_told_with_the_reason() -> None:
    drawn = draw_kinds(timm.create_model("mobilenetv3_small_050", num_classes=5), list(MAPS), asked(64))
    assert list(drawn.maps) == ["energy", "gradcam", "gradcam_true"]
    assert list(drawn.omitted) == ["received", "rollout", "attention_gradient"]
    assert all("MobileNetV3" in reason for reason in drawn.omitted.values())
