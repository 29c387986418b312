"""The words about networks: sizes where they are free, attention of a tiny_vit alone, weights that can be."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec import Assistant, LongformerAttention, Network, Student, WindowAttention
from engine.spec.network import check_weights

FREE: dict[str, Any] = {"arch": "tiny_vit", "dims": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "heads": [1, 1, 1, 1]}
SPARSE = {"kind": "longformer"}


def fix_of(error: ValidationError) -> str:
    (detail,) = error.errors()
    return str(detail["ctx"]["fix"])


@pytest.mark.parametrize("word", ["dims", "depths", "heads"])
def test_free_sizes_are_all_given(word: str) -> None:
    Network.model_validate(FREE)
    with pytest.raises(ValidationError, match="has free sizes"):
        Network.model_validate({name: value for name, value in FREE.items() if name != word})


@pytest.mark.parametrize("word", ["dims", "depths", "heads", "windows"])
def test_sizes_are_four_of_at_least_1_and_of_a_tiny_vit_only(word: str) -> None:
    Network.model_validate({"arch": "tiny_vit_5m", word: [1, 1, 1, 1]})
    for wrong in ([1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 0]):
        with pytest.raises(ValidationError, match=word):
            Network.model_validate({"arch": "tiny_vit_5m", word: wrong})
    with pytest.raises(ValidationError, match=f"{word}: only for a tiny_vit"):
        Network.model_validate({"arch": "timm/resnet18", word: [1, 1, 1, 1]})


def test_attention_is_chosen_for_a_tiny_vit_only() -> None:
    assert isinstance(
        Network.model_validate({"arch": "tiny_vit_5m", "attention": SPARSE}).attention, LongformerAttention
    )
    with pytest.raises(ValidationError, match="attention is chosen for a tiny_vit only"):
        Network.model_validate({"arch": "timm/resnet18", "attention": SPARSE})
    Network.model_validate({"arch": "timm/resnet18", "attention": {"kind": "window"}})


def test_options_are_of_a_timm_network_only() -> None:
    assert Network.model_validate({"arch": "timm/resnet18", "options": {"a": 1}}).options == {"a": 1}
    with pytest.raises(ValidationError, match="options are for timm networks"):
        Network.model_validate({"arch": "tiny_vit_5m", "options": {"a": 1}})
    assert Network.model_validate({"arch": "tiny_vit_5m", "options": None}).options == {}


def test_what_is_left_away_is_dense_padded_by_mask_and_untrained() -> None:
    plain = Student(arch="tiny_vit_5m")
    assert (plain.attention, plain.padding, plain.drop_path) == (WindowAttention(), "mask", None)
    assert (plain.weights, plain.dims, plain.options) == ("none", None, {})
    sparse = LongformerAttention(kind="longformer")
    assert (sparse.pattern, sparse.select, sparse.projections, sparse.bias) == ("slide", "grid", "dual", "shared")
    assert (sparse.combine, sparse.stages, sparse.backend) == ("joint", [1, 2, 3], "auto")
    assert (sparse.radius, sparse.globals, sparse.tile) == (None, None, None)


@pytest.mark.parametrize("word", ["radius", "globals", "tile"])
def test_a_list_of_a_stages_word_has_three_entries(word: str) -> None:
    LongformerAttention.model_validate({**SPARSE, word: [1, 2, 3]})
    LongformerAttention.model_validate({**SPARSE, word: 2})
    for wrong in ([1, 2], [1, 2, 3, 4]):
        with pytest.raises(ValidationError, match=f"a list of {len(wrong)} entries"):
            LongformerAttention.model_validate({**SPARSE, word: wrong})


@pytest.mark.parametrize("stages", [[], [2, 1], [1, 1], [0], [4]])
def test_stages_are_some_of_three_each_once_and_in_order(stages: list[int]) -> None:
    LongformerAttention.model_validate({**SPARSE, "stages": [1, 3]})
    with pytest.raises(ValidationError):
        LongformerAttention.model_validate({**SPARSE, "stages": stages})


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_of_dropped_paths_is_below_1(share: float) -> None:
    Network(arch="tiny_vit_5m", drop_path=0.0)
    with pytest.raises(ValidationError):
        Network(arch="tiny_vit_5m", drop_path=share)


@pytest.mark.parametrize(
    ("arch", "fix"),
    [
        ("tiny_vit_5", "did you mean 'tiny_vit_5m'"),
        ("resnet", "'timm/resnet50'"),
        ("timm/resnet1", "'timm/resnet1"),
        ("", "write `tiny_vit_5m`"),
    ],
)
def test_an_unknown_network_is_refused_with_the_nearest(arch: str, fix: str) -> None:
    with pytest.raises(ValidationError, match="unknown network") as caught:
        Student(arch=arch)
    assert fix in fix_of(caught.value)
    assert ("(or timm" in fix_of(caught.value)) == arch.startswith("tiny_vit")


@pytest.mark.parametrize(
    ("arch", "weights"),
    [
        ("tiny_vit", "none"),
        ("tiny_vit", "a/b.safetensors"),
        ("tiny_vit", f"sha256:{'0' * 64}"),
        ("tiny_vit_5m", "pretrained"),
        ("timm/resnet18", "pretrained"),
    ],
)
def test_weights_that_can_be_are_let_through(arch: str, weights: str) -> None:
    check_weights(arch, weights)


@pytest.mark.parametrize(
    ("arch", "weights", "what", "fix"),
    [
        ("tiny_vit", "pretrained", "no pretrained weights of tiny_vit", "train it"),
        ("tiny_vit_5m", "pretrain", "'pretrain' is no choice here", "'pretrained'"),
        ("tiny_vit_5m", "w.pth", "w.pth is no .safetensors file", "save_file"),
        ("tiny_vit_5m", "folder/weights", "folder/weights is no .safetensors file", "save_file"),
    ],
)
def test_weights_that_cannot_be_are_refused_for_every_network(arch: str, weights: str, what: str, fix: str) -> None:
    words = {**(FREE if arch == "tiny_vit" else {"arch": arch}), "weights": weights}
    for kind in (Student, Assistant):
        with pytest.raises(ValidationError, match=what) as caught:
            kind.model_validate(words)
        assert fix in fix_of(caught.value)
