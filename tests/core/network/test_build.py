"""What a spec's network becomes: the right module in the right way, its weights loaded whole or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn

from engine.core.network.attention import LongformerAttention
from engine.core.network.build import build_network, build_pruned, load_timm_weights, normalization, read_weights
from engine.core.network.tiny_vit import MEAN, STD, TinyViT
from engine.errors import DataError

from .nets import network, student

SMALL = "timm/mobilenetv3_small_050"


def save_state(net: nn.Module, path: Path) -> str:
    safetensors.torch.save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)
    return str(path)


def test_words_of_a_spec_decide_how_it_is_computed() -> None:
    for memory, lean in (("standard", False), ("lean", True)):
        net = build_network(student(attention={"backend": "sdpa"}, padding="timm"), 7, 56, memory=memory)  # type: ignore[arg-type]
        assert isinstance(net, TinyViT)
        assert (net.ways.lean, net.ways.backend, net.ways.mask_padding) == (lean, "sdpa", False)
        assert net.head.fc.out_features == 7
    plain = build_network(student(), 7, 56)
    assert isinstance(plain, TinyViT)
    assert (plain.ways.backend, plain.ways.mask_padding) == ("auto", True)


@pytest.mark.parametrize("arch", ["tiny_vit", SMALL])
def test_a_file_is_loaded_all_but_a_head_of_another_size(arch: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    source = build_network(student(arch), 10, 64)
    file = save_state(source, tmp_path / "w.safetensors")
    state = source.state_dict()
    torch.manual_seed(2)
    same = build_network(student(arch, weights=file), 10, 64).state_dict()
    assert all(torch.equal(value, state[name]) for name, value in same.items())
    torch.manual_seed(2)
    other = build_network(student(arch, weights=file), 3, 64).state_dict()
    unlike = {name for name, value in other.items() if value.shape != state[name].shape}
    assert unlike
    assert all(torch.equal(value, state[name]) for name, value in other.items() if name not in unlike)
    bare = build_pruned(student(arch, weights=str(tmp_path / "gone.safetensors")), 10, 64, None)
    assert isinstance(bare, nn.Module)


@pytest.mark.parametrize("arch", ["tiny_vit", SMALL])
def test_weights_that_lack_add_or_differ_are_refused_by_name(arch: str, tmp_path: Path) -> None:
    net = build_network(student(arch), 10, 64)
    state = {name: value.contiguous() for name, value in net.state_dict().items()}
    first = next(name for name, value in state.items() if value.ndim == 4)
    cases = {
        f"{first} are missing": {name: value for name, value in state.items() if name != first},
        "strange.weight are not in this network": {**state, "strange.weight": torch.zeros(1)},
        f"{first} have another size": {**state, first: state[first][:1].clone()},
    }
    for words, given in cases.items():
        safetensors.torch.save_file(given, tmp_path / "w.safetensors")
        with pytest.raises(DataError, match=words):
            build_network(student(arch, weights=str(tmp_path / "w.safetensors")), 10, 64)


def test_a_file_that_is_missing_or_damaged_is_told_from_one_that_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no weights file"):
        read_weights(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(DataError, match="cannot be read"):
        read_weights(tmp_path / "bad.safetensors")
    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "good.safetensors")
    assert read_weights(str(tmp_path / "good.safetensors"))["a"].tolist() == [1.0, 1.0]


def test_weights_that_hold_nan_are_refused_and_infinity_is_not(tmp_path: Path) -> None:
    safetensors.torch.save_file(
        {"mask": torch.tensor([-torch.inf]), "steps": torch.tensor([1])}, tmp_path / "good.safetensors"
    )
    assert len(read_weights(tmp_path / "good.safetensors")) == 2
    safetensors.torch.save_file({"a": torch.ones(2), "b": torch.tensor([1.0, torch.nan])}, tmp_path / "bad.safetensors")
    with pytest.raises(DataError, match=r"bad\.safetensors: tensor 'b' of the weights holds NaN\nfix: "):
        read_weights(tmp_path / "bad.safetensors")


def test_what_the_weights_do_not_know_begins_as_copy_and_zero() -> None:
    plain = network()
    sparse = network(56, {"bias": "separate", "select": "learned"})
    load_timm_weights(sparse, plain.state_dict())
    parts = [part for _, part in sparse.attention_modules() if isinstance(part, LongformerAttention)]
    assert parts
    for part in parts:
        assert torch.equal(part.qkv_global.weight, part.qkv.weight)
        assert torch.equal(part.qkv_global.bias, part.qkv.bias)
        assert torch.equal(part.attention_biases_global, part.attention_biases)
        assert not part.score.any()
    assert torch.equal(sparse.head.fc.weight, plain.head.fc.weight)
    again = network(56, {"bias": "separate", "select": "learned"})
    load_timm_weights(again, network(56, {"bias": "separate", "select": "learned"}, seed=4).state_dict())
    assert any(bool(part.score.any()) for _, part in again.attention_modules() if isinstance(part, LongformerAttention))
    with pytest.raises(DataError, match="for a tiny_vit"):
        load_timm_weights(nn.Linear(2, 2), {})


def test_bias_tables_of_another_window_are_resized_over_both_offsets() -> None:
    small, large = network(56, None, windows=[7, 4, 4, 2]), network(56, None, windows=[7, 7, 4, 2])
    load_timm_weights(large, small.state_dict())
    name = "stages.1.blocks.0.attn.attention_biases"
    table = small.state_dict()[name].float().view(1, -1, 4, 4)
    wanted = F.interpolate(table, size=(7, 7), mode="bicubic", antialias=True).view(-1, 49)
    torch.testing.assert_close(large.state_dict()[name], wanted.double())


def test_each_network_is_normalised_by_its_own_figures() -> None:
    assert normalization(network()) == (MEAN, STD)
    vit = build_network(student("timm/vit_tiny_patch16_224"), 10, 64)
    assert normalization(vit) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert normalization(nn.Linear(2, 2)) == (MEAN, STD)


def test_drop_path_and_size_reach_timm_and_a_check_leaves_its_mode() -> None:
    vit = build_network(student("timm/vit_tiny_patch16_224", drop_path=0.3), 10, 64)
    rates = [float(part.drop_prob) for part in vit.modules() if type(part).__name__ == "DropPath"]  # type: ignore[arg-type]
    assert max(rates) == pytest.approx(0.3)
    assert vit.training
    assert vit(torch.zeros(1, 3, 64, 64)).shape == (1, 10)
