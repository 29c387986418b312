"""Streams and groups pruned: the share is met though weights are shared, and the network is built again from JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from engine.core.measure import count_params
from engine.core.network import graph_units
from engine.core.network.build import build_network, build_pruned
from engine.core.network.widths import Widths, read_widths
from engine.core.prune.structured import find_layers, prune_network
from engine.core.prune_left import prune_left
from engine.errors import JobError
from engine.spec import Prune
from tests.core.network.nets import network, student

CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "stem": ("tiny_vit", 56, {"embedding": True, "of": "macs"}),
    "streams": ("timm/mobilenetv3_small_050", 32, {"embedding": True}),
    "ranked": ("timm/mobilenetv3_small_050", 32, {"embedding": True, "scope": "global", "criterion": "fpgm"}),
    "graph": ("timm/regnetx_002", 32, {}),
}


@pytest.mark.parametrize("case", [pytest.param(one, marks=[pytest.mark.slow] * (one == "ranked")) for one in CASES])
def test_the_asked_share_is_met_and_the_network_is_built_again(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arch, size, words = CASES[case]
    if case == "graph":
        pytest.importorskip(graph_units.PACKAGE)
    net = build_network(student(arch), 10, size)
    prune = Prune.model_validate({"ratio": 0.2, "criterion": "l1", **words})
    told = prune_left(student(arch), 10, size, prune)
    report = prune_network(net, prune, image_size=size)
    assert report.achieved == pytest.approx(0.2, abs=0.01)
    assert report.widths is not None
    if prune.scope == "layer":
        assert told["params"] == pytest.approx(count_params(net), rel=0.002), "as the plan told"
    monkeypatch.setattr(graph_units, "PACKAGE", "no_such_package")
    again = build_pruned(student(arch), 10, size, read_widths(json.loads(json.dumps(report.widths.to_json()))))
    again.load_state_dict(net.state_dict())
    x = torch.randn(1, 3, size, size)
    with torch.inference_mode():
        assert torch.equal(again.eval()(x), net.eval()(x))


def test_widths_of_another_are_taken_as_they_are() -> None:
    first, other = network(56), network(56, seed=1)
    words = Prune(ratio=0.2, criterion="l1", embedding=True)
    model = prune_network(first, words).widths
    report = prune_network(other, words.model_copy(update={"criterion": "random"}), model=model)
    assert report.widths == model
    assert isinstance(model, Widths)
    assert 0 < model.stem < 16


def test_under_layer_norms_the_stream_is_refused_by_name() -> None:
    net = build_network(student("timm/vit_tiny_patch16_224"), 10, 32)
    with pytest.raises(JobError, match=r"no channel of vit_tiny_patch16_224 .* 25 layer norms see all channels"):
        find_layers(net, "params", 32, True)


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_units, "PACKAGE", "no_such_package")
    told = prune_left(student("timm/regnetx_002"), 10, 32, Prune(ratio=0.2))
    assert "knows no unit of regnetx_002" in told["what"]
    assert 'pip install "xp-engine[prune]"' in told["fix"]
