"""The shipped table of how networks look against timm itself."""

from __future__ import annotations

import pytest
import timm

from engine.spec.timm_views import TABLE, listed_top1, timm_view
from tests.spec.timm_table import view_lines


def test_the_shipped_table_is_timms_own() -> None:
    lines = [line for line in TABLE.read_text().splitlines() if not line.startswith(("#", "network,"))]
    shipped = [line.rpartition(",")[0] if "," in line else line for line in lines]
    assert shipped == [line for _, line in view_lines()]


def test_a_network_is_read_as_timm_has_it() -> None:
    view, config = timm_view("timm/tf_efficientnet_lite2"), timm.get_pretrained_cfg("tf_efficientnet_lite2")
    assert view is not None
    assert config is not None
    assert (view.image_size, view.crop_share, view.interpolation) == (260, config.crop_pct, config.interpolation)
    assert (view.mean, view.std, view.classes) == (config.mean, config.std, config.num_classes)
    assert timm_view("tiny_vit") is None


def test_weights_of_no_named_tag_are_held_to_the_least() -> None:
    assert listed_top1("timm/tf_efficientnet_lite0", tag_known=True) == pytest.approx(0.74846)
    assert listed_top1("timm/resnet18", tag_known=False) == pytest.approx(0.6567)
    assert listed_top1("timm/resnet18.tv_in1k", tag_known=False) == pytest.approx(0.69752)
