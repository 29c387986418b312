"""Trials as arms: over which arm they lie, what stays of the spec, and how long one is on a rung."""

from __future__ import annotations

from typing import Any

from engine.spec import Spec
from engine.spec.cells import expand_cells
from engine.spec.trial_arms import only_drawn, trial_words, with_drawn

TREE: dict[str, Any] = {
    "name": "s",
    "data": {"source": "digits", "image_size": 32},
    "student": {"arch": "tiny_vit_5m"},
    "train": {"epochs": 9, "schedule": "wsd", "decay_epochs": 1},
    "search": {"space": {"train.lr": {"log": [1e-4, 1e-1]}}, "fidelity": {"epochs": [3, 9]}, "final": {"seeds": [1]}},
}


def settings_of(spec: Spec) -> dict[str, tuple[float, int]]:
    return {cell.arm: (cell.settings.train.lr, cell.settings.train.batch_size) for cell in expand_cells(spec)}


def test_a_trial_lies_over_its_arm() -> None:
    spec = Spec.model_validate(
        {**TREE, "arms": {"small": {"train": {"batch_size": 8}}, "large": {}}, "baseline": "large"}
    )
    drawn = {"small-t000": ("small", {"train.lr": 0.25})}
    assert settings_of(only_drawn(spec, drawn, [7])) == {"small-t000": (0.25, 8)}
    both = with_drawn(spec, drawn)
    assert settings_of(both) == {**settings_of(spec), "small-t000": (0.25, 8)}
    assert (only_drawn(spec, drawn, [7]).seeds, both.seeds, both.search, both.baseline) == ([7], spec.seeds, None, None)


def test_a_spec_without_arms_keeps_its_own() -> None:
    spec = Spec.model_validate(TREE)
    assert with_drawn(spec, {"s-t000": ("s", {"train.lr": 0.25})}).arm_names == ["s", "s-t000"]


def test_a_trial_is_as_long_as_its_rung_and_a_final_whole() -> None:
    search = Spec.model_validate(TREE).search
    assert search is not None
    told = {"settings": {"train.lr": 0.25}, "rung": 0, "stage": "train"}
    assert trial_words(search, told) == {"train.lr": 0.25, "train.epochs": 3, "train.rungs": [3, 9]}
    assert trial_words(search, {**told, "stage": "final"}) == {"train.lr": 0.25}
    whole = search.model_copy(update={"fidelity": None})
    assert trial_words(whole, told) == {"train.lr": 0.25}
