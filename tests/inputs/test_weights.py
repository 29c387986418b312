"""What a weights file holds is told from its header, and last layers are named as timm names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load, save, save_file

from engine.errors import DataError
from engine.inputs.weights import CLASSIFIERS, head_outputs, order_header, size_problem, stored_shapes


def classifier_names() -> set[str]:
    """Return the last layers of all of timm's networks."""
    names: set[str] = set()
    for network in timm.list_models():
        config = timm.get_pretrained_cfg(network, allow_unregistered=True)
        found = (config.classifier or ()) if config is not None else ()
        names |= {found} if isinstance(found, str) else set(found)
    return names


def test_the_last_layers_are_named_as_timm_names_them() -> None:
    assert {f"{name}.weight" for name in classifier_names()} == CLASSIFIERS


def test_names_and_shapes_are_those_of_the_tensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"head.fc.weight": torch.zeros(7, 4), "norm.bias": torch.zeros(4), "steps": torch.zeros(())}, path)
    shapes = stored_shapes(path)
    assert shapes == {"head.fc.weight": (7, 4), "norm.bias": (4,), "steps": ()}
    assert head_outputs(shapes) == 7


def test_equal_networks_are_equal_files(tmp_path: Path) -> None:
    """Of nine entries safetensors finds the same order twice by one chance in 362880."""
    tensors = {"b": torch.arange(3.0), "a": torch.arange(4).to(torch.int8), "c": torch.ones(2, 2)}
    about = {f"xp.{name}": f"\u00fc{name}" for name in "ihgfedcba"}
    one, other = (save(tensors, metadata=about) for _ in range(2))
    assert one != other
    ordered = order_header(one)
    assert ordered == order_header(other) == order_header(ordered)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(ordered)
    with safe_open(path, framework="pt") as stored:
        assert stored.metadata() == about
    found = load(ordered)
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in tensors.items())
    assert int.from_bytes(ordered[:8], "little") % 8 == 0
    plain = save(tensors)
    assert order_header(plain) == plain


def test_a_head_is_counted_absent_or_not_known() -> None:
    assert head_outputs({"stem.weight": (8, 3, 4, 4)}) == 0
    assert head_outputs({"head.weight": (9, 8), "head_dist.weight": (9, 8)}) == 9
    assert head_outputs({"head.fc.weight": (9, 8), "head.proj.weight": (8, 16)}) is None


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "a pickle": lambda raw: b"\x80\x02}q\x00X" + bytes(200),
    "cut short": lambda raw: raw[:-3],
}


@pytest.mark.parametrize("how", DAMAGE)
def test_what_is_no_safetensors_file_is_refused(how: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"head.fc.weight": torch.zeros(7, 4)}, path)
    path.write_bytes(DAMAGE[how](path.read_bytes()))
    with pytest.raises(DataError, match="cannot be read") as caught:
        stored_shapes(path)
    assert str(path) == caught.value.where


WORDNET = ["n01440764", "n02102040"]


@pytest.mark.parametrize(
    ("names", "outputs", "own"),
    [
        (["a", "b"], 2, None),  # the data's classes in order
        (["a", "b"], 3, ["a", "b", "c"]),  # as the list has them
        *((WORDNET, outputs, None) for outputs in (1000, 11221, 11821, 21841, 21842, 21843)),
    ],
)
def test_a_head_whose_size_speaks_for_it_is_taken(names: list[str], outputs: int, own: list[str] | None) -> None:
    assert size_problem(names, outputs, own) is None


@pytest.mark.parametrize(
    ("names", "outputs", "own", "where", "what"),
    [
        (["a", "b"], 0, None, "teacher.weights", "these weights have no classifier"),
        (["a", "b"], 0, ["a", "b"], "teacher.weights", "these weights have no classifier"),
        (["a", "b"], 2, ["a", "b", "c"], "teacher.classes", "lists 3 classes, and the head has 2 outputs"),
        (WORDNET, 1000, WORDNET, "teacher.classes", "lists 2 classes, and the head has 1000 outputs"),
        (["a", "b"], 3, None, "teacher.head", "its head has 3 classes and the data 2"),
        (["a", "b"], 1000, None, "teacher.head", "its head has 1000 classes and the data 2"),
        ([WORDNET[0], "b"], 1000, None, "teacher.head", "its head has 1000 classes and the data 2"),
        (WORDNET, 999, None, "teacher.head", "its head has 999 classes and the data 2"),
    ],
)
def test_a_head_of_another_size_is_refused(
    names: list[str], outputs: int, own: list[str] | None, where: str, what: str
) -> None:
    problem = size_problem(names, outputs, own)
    assert problem is not None
    assert problem.where == where
    assert what in problem.what
    assert problem.fix


def test_a_classifier_without_a_dimension_is_none() -> None:
    assert head_outputs({"head.weight": ()}) == 0
    assert head_outputs({"head.weight": (5, 8), "head.bias": (6,)}) == 5


def test_a_file_of_more_bytes_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    monkeypatch.setenv("XP_LIMITS", f"weights_bytes={path.stat().st_size}")
    assert stored_shapes(path)
    monkeypatch.setenv("XP_LIMITS", f"weights_bytes={path.stat().st_size - 1}")
    with pytest.raises(DataError, match=r"the weights file has \d+ bytes\nfix: .*weights_bytes"):
        stored_shapes(path)
