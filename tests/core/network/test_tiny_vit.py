"""The network against timm's, its sizes, its two ways of keeping memory, and its weights in and out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from engine.core.measure import count_macs, count_params
from engine.core.network.attention import LongformerAttention
from engine.core.network.build import build_network, build_pruned, load_timm_weights, normalization, timm_weights
from engine.core.network.tiny_vit import TinyViT
from engine.core.prune.structured import prune_network
from engine.errors import DataError, XpError
from engine.spec import Prune
from tests.core.network.nets import network, randomize, student


def timm_twin(name: str, size: int = 224, classes: int = 100, **options: Any) -> tuple[nn.Module, TinyViT]:
    """Return timm's network with random parameters and statistics, and ours with the same."""
    peer: nn.Module = timm.create_model(f"{name}_224", num_classes=classes, drop_path_rate=0.0, **options)
    randomize(peer)
    words = {"windows": options["window_sizes"]} if options else {}
    ours = build_network(student(name, padding="timm", drop_path=0.0, **words), classes, size)
    assert isinstance(ours, TinyViT)
    load_timm_weights(ours, peer.state_dict())
    return peer, ours


def images(size: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))


def worst_gap(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [("tiny_vit_5m", 5_103_864, 1.255), ("tiny_vit_11m", 10_592_872, 2.016), ("tiny_vit_21m", 20_679_268, 4.250)],
)
def test_sizes_are_the_known_ones(name: str, params: int, macs: float) -> None:
    assert count_params(build_network(student(name), 100, 224)) == params
    assert count_macs(build_network(student(name), 1000, 224), 224) / 1e9 == pytest.approx(macs, abs=5e-4)


def check_against_timm(name: str, size: int, dtype: torch.dtype, training: bool) -> None:
    peer, ours = timm_twin(name, size)
    out_limit, grad_limit = (1e-5, 1e-4) if dtype == torch.float32 else (1e-12, 1e-11)
    x = images(size, 2 if training else 1).to(dtype)
    results = []
    for model in (ours, peer):
        model.to(dtype).train(training)
        out = model(x)
        out.square().mean().backward()
        results.append((out.detach(), {name: p.grad for name, p in model.named_parameters()}))
        with torch.no_grad():
            assert training or worst_gap(model(x), out.detach()) < out_limit
    (out, grads), (peer_out, peer_grads) = results
    assert worst_gap(out, peer_out) < out_limit
    largest = max(float(grad.abs().max()) for grad in peer_grads.values() if grad is not None)
    for weight, grad in peer_grads.items():
        mine = grads[weight]
        assert grad is not None
        assert mine is not None
        assert float((mine - grad).abs().max()) < grad_limit * largest, weight


@pytest.mark.parametrize(
    ("size", "dtype", "training"),
    [(224, torch.float32, True), (225, torch.float32, False), (64, torch.float64, True), (65, torch.float64, False)],
)
def test_outputs_and_gradients_equal_timms(size: int, dtype: torch.dtype, training: bool) -> None:
    check_against_timm("tiny_vit_5m", size, dtype, training)


@pytest.mark.parametrize("name", ["tiny_vit_11m", pytest.param("tiny_vit_21m", marks=pytest.mark.slow)])
def test_larger_networks_equal_timms(name: str) -> None:
    check_against_timm(name, 64, torch.float64, True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny_vit_5m", "tiny_vit_11m", "tiny_vit_21m"])
@pytest.mark.parametrize("size", [224, 225])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [False, True])
def test_every_network_equals_timms_at_full_size(name: str, size: int, dtype: torch.dtype, training: bool) -> None:
    check_against_timm(name, size, dtype, training)


def test_bias_tables_are_resized_as_timm_resizes_them() -> None:
    from timm.models.tiny_vit import checkpoint_filter_fn

    peer, _ = timm_twin("tiny_vit_5m")
    wide = timm.create_model("tiny_vit_5m_224", num_classes=100, window_sizes=(7, 14, 14, 7))
    wide.load_state_dict(checkpoint_filter_fn(peer.state_dict(), wide))  # type: ignore[no-untyped-call]
    ours = build_network(student("tiny_vit_5m", windows=[7, 14, 14, 7]), 100, 224)
    load_timm_weights(ours, peer.state_dict())
    for name, value in wide.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name


def test_weights_go_back_to_timm_without_loss() -> None:
    peer, _ = timm_twin("tiny_vit_5m")
    ours = build_network(student("tiny_vit_5m", attention={}), 100, 224)
    assert isinstance(ours, TinyViT)
    load_timm_weights(ours, peer.state_dict())
    back = timm_weights(ours)
    assert all(torch.equal(back[name], value) for name, value in peer.state_dict().items())
    assert set(back) == set(peer.state_dict())
    attn = ours.get_submodule("stages.1.blocks.0.attn")
    assert isinstance(attn, LongformerAttention)
    assert torch.equal(attn.qkv_global.weight, attn.qkv.weight)


def test_head_of_another_class_count_is_left_alone() -> None:
    source, target = network(), network(seed=5)
    other = build_network(student(), 7, 56)
    head = other.get_submodule("head.fc").weight.clone()  # type: ignore[operator]
    load_timm_weights(other, source.state_dict())
    assert torch.equal(other.get_submodule("head.fc").weight, head)  # type: ignore[arg-type]
    load_timm_weights(target, source.state_dict())
    assert torch.equal(target.head.fc.weight, source.head.fc.weight)


def test_weights_of_another_network_are_refused() -> None:
    ours, state = network(), network().state_dict()
    for change, word in (({"extra": torch.zeros(1)}, "extra"), ({"head.norm.weight": torch.zeros(3)}, "head.norm")):
        with pytest.raises(DataError, match=word):
            load_timm_weights(ours, {**state, **change})
    del state["stages.1.blocks.0.mlp.fc1.weight"]
    with pytest.raises(DataError, match="fc1"):
        load_timm_weights(ours, state)


def test_weights_come_from_a_file_or_are_missed_by_name(tmp_path: Path) -> None:
    source, path = network(), tmp_path / "weights.safetensors"
    safetensors.torch.save_file(source.float().state_dict(), path)
    loaded = build_network(student(weights=str(path)), 10, 56)
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in loaded.state_dict().items())
    with pytest.raises(XpError, match="no weights file"):
        build_network(student(weights=str(tmp_path / "none.safetensors")), 10, 56)
    path.write_bytes(b"broken")
    with pytest.raises(DataError, match="cannot be read"):
        build_network(student(weights=str(path)), 10, 56)


def test_sparse_and_dense_networks_of_one_seed_start_alike() -> None:
    states = []
    for attention in (None, {}, {"select": "learned", "bias": "separate"}, {"projections": "shared"}):
        torch.manual_seed(0)
        states.append(build_network(student(attention=attention), 10, 56).state_dict())
    for state in states[1:]:
        assert all(torch.equal(state[name], value) for name, value in states[0].items())


@pytest.mark.parametrize("size", [56, 60, 100])
@pytest.mark.parametrize("attention", [{"radius": 99}, {"pattern": "row", "radius": 99}, {"pattern": "block"}])
def test_covering_sparse_network_equals_the_dense_one(size: int, attention: dict[str, Any]) -> None:
    if attention == {"pattern": "block"} and size == 100:
        pytest.skip("its windows of 13 and 7 are covered by their tiles, but the stage-2 map of 7 is not 13")
    plain, sparse_net = network(size), network(size, attention)
    load_timm_weights(sparse_net, plain.state_dict())
    x = images(size).double()
    torch.testing.assert_close(sparse_net.eval()(x), plain.eval()(x), rtol=0, atol=1e-11)


@pytest.mark.parametrize("select", ["grid", "previous", "norm", "learned", "pooled", "none"])
@pytest.mark.parametrize("size", [56, 100])
def test_every_selection_trains_at_any_size(select: str, size: int) -> None:
    net = network(size, {"select": select, "globals": 3})
    net(images(size).double()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_previous_hands_on_what_the_block_before_attended_to() -> None:
    net, x = network(56, {"select": "previous"}), images(56).double()
    stage = net.get_submodule("stages.1")
    chosen: list[Any] = []
    for block in stage.blocks:  # type: ignore[union-attr]
        block.attn.register_forward_pre_hook(lambda _, args: chosen.append(args))
    net(x)
    assert chosen[0][2] is None
    first = stage.blocks[0].attn  # type: ignore[index,union-attr]
    received = first(*chosen[0][:2], want_received=True).received
    assert torch.equal(chosen[1][2], first.top_tokens(received, None))


@pytest.mark.parametrize("attention", [None, {}, {"pattern": "block", "tile": 1}])
def test_lean_memory_changes_no_value(attention: dict[str, Any] | None) -> None:
    plain, lean = network(56, attention), network(56, attention, memory="lean")
    x = images(56, 3).double()
    for net in (plain, lean):
        net(x).square().sum().backward()
    largest = max(float(p.grad.abs().max()) for p in plain.parameters() if p.grad is not None)
    for (name, mine), theirs in zip(lean.named_parameters(), plain.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert float((mine.grad - theirs.grad).abs().max()) < 1e-12 * largest, name
    for (name, buffer), expected in zip(lean.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(buffer, expected, msg=name)


def test_evaluation_follows_new_weights_at_once() -> None:
    net, x = network().eval(), images(56).double()
    with torch.no_grad():
        net(x)
        other = network(seed=9)
        net.load_state_dict(other.state_dict())
        assert torch.equal(net(x), other.eval()(x))
        copied = copy.deepcopy(net)
        for weight in net.parameters():
            weight.mul_(0.5)
        assert not torch.equal(net(x), copied(x))


def test_pruned_network_is_built_from_its_widths() -> None:
    net = network()
    before = net.widths
    prune_network(net, Prune(ratio=0.2, criterion="l1"))
    assert net.widths != before
    again = build_pruned(student(), 10, 56, net.widths).double()
    again.load_state_dict(net.state_dict())
    images = torch.randn(2, 3, 56, 56, dtype=torch.float64)
    assert torch.equal(again.eval()(images), net.eval()(images))


def test_normalisation_is_the_networks_own() -> None:
    clip = build_network(
        student("timm/vit_base_patch32_clip_224.openai", options={"embed_dim": 24, "num_heads": 2, "depth": 1}), 5, 224
    )
    assert normalization(clip)[0][0] == pytest.approx(0.48145466)
    assert normalization(network())[1] == (0.229, 0.224, 0.225)
