"""Heads: which outputs of a teacher are the data's classes, and new heads on networks that have another."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from engine.core.data.wordnet import slice_places
from engine.core.network.build import build_network, normalization
from engine.core.network.heads import (
    SlicedNetwork,
    count_outputs,
    find_classifier,
    find_places,
    reset_head,
)
from engine.errors import DataError
from engine.spec import Student

SMALL: dict[str, object] = {"arch": "timm/convnextv2_atto", "options": {"depths": [1, 1, 1, 1], "dims": [4, 8, 8, 16]}}
TINY: dict[str, object] = {
    "arch": "tiny_vit",
    "dims": [8, 8, 16, 16],
    "depths": [1] * 4,
    "heads": [1, 1, 2, 2],
    "windows": [3, 3, 2, 1],
}
WORDNET = ("n03888257", "n01440764")


def network(words: dict[str, object], classes: int) -> nn.Module:
    return build_network(Student.model_validate(words), classes, 32).eval()


def stored(path: Path, words: dict[str, object], classes: int) -> Path:
    save_file(dict(network(words, classes).state_dict()), path)
    return path


def test_classes_are_found_by_name_by_wordnet_id_or_by_order() -> None:
    by_name = find_places(("b", "c"), 3, ["c", "a", "b"])
    assert by_name is not None
    assert by_name.tolist() == [2, 0]
    by_id = find_places(WORDNET, 1000, None)
    assert by_id is not None
    assert by_id.tolist() == slice_places(WORDNET, 1000).tolist() == [701, 0]
    assert find_places(("cat", "dog", "bird"), 3, None) is None


@pytest.mark.parametrize(
    ("names", "outputs", "own", "what"),
    [
        (("cat", "dog"), 1000, None, "1000 classes and the data 2"),
        (("cat", "dog"), 3, None, "3 classes and the data 2"),
        (("cat", "dog"), 3, ["cat", "dog"], "lists 2 classes, and the head has 3"),
        (("cat", "dgo"), 2, ["cat", "dog"], "'dgo'"),
    ],
)
def test_a_head_that_says_nothing_of_its_classes_is_refused(
    names: tuple[str, ...], outputs: int, own: list[str] | None, what: str
) -> None:
    with pytest.raises(DataError) as caught:
        find_places(names, outputs, own)
    assert what in caught.value.what
    assert caught.value.fix


def test_a_sliced_network_gives_the_chosen_outputs_and_keeps_the_whole_head() -> None:
    full = network(SMALL, 7)
    sliced = SlicedNetwork(full, torch.tensor([5, 0, 3]))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(sliced(images), full(images)[:, [5, 0, 3]])
        assert torch.equal(sliced.full(images), full(images))


def test_a_sliced_network_is_normalised_like_its_network_unless_told() -> None:
    full = build_network(Student(arch="timm/vit_tiny_patch16_224.augreg_in21k", options={"depth": 1}), 3, 32)
    assert normalization(SlicedNetwork(full, None)) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    told = SlicedNetwork(full, None, (0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
    assert normalization(told) == ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("words", [SMALL, TINY])
def test_a_file_knows_how_many_classes_it_has(words: dict[str, object], tmp_path: Path) -> None:
    path = stored(tmp_path / "weights.safetensors", words, 7)
    assert count_outputs(Student.model_validate(words), str(path)) == 7


def test_a_file_without_a_head_is_refused(tmp_path: Path) -> None:
    state = {name: value for name, value in network(SMALL, 7).state_dict().items() if not name.startswith("head.fc")}
    save_file(dict(state), tmp_path / "headless.safetensors")
    with pytest.raises(DataError, match=r"no classifier of this network \(head.fc.weight\)"):
        count_outputs(Student.model_validate(SMALL), str(tmp_path / "headless.safetensors"))


def test_pretrained_heads_are_counted_without_fetching_them() -> None:
    for arch, outputs in (("timm/convnextv2_huge.fcmae_ft_in1k", 1000), ("tiny_vit_5m", 1000)):
        assert count_outputs(Student(arch=arch), "pretrained") == outputs
    assert count_outputs(Student(arch="timm/vit_tiny_patch16_224.augreg_in21k"), "pretrained") == 21843
    with pytest.raises(DataError, match="no classifier"):
        count_outputs(Student(arch="timm/vit_small_patch14_dinov2.lvd142m"), "pretrained")


@pytest.mark.parametrize("words", [SMALL, TINY])
def test_a_reset_head_changes_the_last_layer_alone(words: dict[str, object]) -> None:
    model = network(words, 7)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    reset_head(model)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed <= {"head.fc.weight", "head.fc.bias"}
    assert "head.fc.weight" in changed


def test_a_head_of_two_layers_cannot_be_probed() -> None:
    two = timm.create_model("deit_tiny_distilled_patch16_224", depth=1, num_classes=3)
    with pytest.raises(DataError, match="not one linear layer"):
        find_classifier(two)
