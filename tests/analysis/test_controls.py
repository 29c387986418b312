"""Controls of pruned arms: which of them an experiment has is known by settings, whatever arms are called."""

from __future__ import annotations

from typing import Any

import pytest

from engine.analysis.controls import Arms, control_notes, is_compressed, missing_controls
from engine.spec.prune import CONTROLS

PRUNED: dict[str, Any] = {
    "train.epochs": 8, "train.lr": 0.1, "prune.ratio": 0.2, "prune.criterion": "taylor", "prune.recover_epochs": 2
}  # fmt: skip
SCRATCH = {**PRUNED, "prune.control": "scratch"}
LONGER = {"train.epochs": 10, "train.lr": 0.1}
CHANCE = {**PRUNED, "prune.criterion": "random"}


def test_an_arm_alone_lacks_all_three() -> None:
    assert missing_controls({"a": PRUNED}, "a") == list(CONTROLS)


@pytest.mark.parametrize(("control", "settings"), list(zip(CONTROLS, (SCRATCH, LONGER, CHANCE), strict=True)))
def test_a_control_is_known_by_what_it_is(control: str, settings: dict[str, Any]) -> None:
    left = missing_controls({"a": PRUNED, "b": settings}, "a")
    assert left == [name for name in CONTROLS if name != control]
    other = {**settings, "train.lr": 0.2}
    assert missing_controls({"a": PRUNED, "b": other}, "a") == list(CONTROLS), "with another rate it is none"


def test_the_whole_network_of_fewer_epochs_is_no_control() -> None:
    assert "none_longer" in missing_controls({"a": PRUNED, "b": {**LONGER, "train.epochs": 8}}, "a")


def test_what_is_not_pruned_or_is_a_control_needs_none() -> None:
    arms = {"whole": LONGER, "scratch": SCRATCH, "chance": CHANCE}
    assert [missing_controls(arms, arm) for arm in arms] == [[], [], []]


def test_chance_over_all_layers_is_the_control_that_says_so() -> None:
    own = {**PRUNED, "prune.scope": "global"}
    assert "random" not in missing_controls({"a": own, "b": {**own, "prune.control": "random"}}, "a")


def test_what_is_pruned_before_its_training_is_from_scratch_itself() -> None:
    assert missing_controls({"a": {**PRUNED, "prune.when": "before"}}, "a") == ["none_longer", "random"]


def test_a_note_names_what_is_missing_at_that_point_alone() -> None:
    known = {("a", "x"): PRUNED, ("s", "x"): SCRATCH, ("a", "y"): PRUNED}
    (note,) = control_notes(known, ["a", "s"], "x")
    assert "(none_longer)" in note
    assert "(random)" in note
    assert "(scratch)" not in note
    assert "(scratch)" in control_notes(known, ["a"], "y")[0]


def test_a_compressed_arm_is_held_against_its_own_whole_network_first() -> None:
    arms = Arms({"other": {"train.lr": 9}, "long": LONGER, "short": {**LONGER, "train.epochs": 8}, "a": PRUNED})
    assert arms.whole("a", "other") == "short", "it was pruned itself"
    assert Arms({"other": {"train.lr": 9}, "long": LONGER, "a": PRUNED}).whole("a", "other") == "long"
    assert Arms({"other": {"train.lr": 9}, "a": PRUNED}).whole("a", "other") == "other", "the baseline"
    assert Arms({"b": {**PRUNED, "train.lr": 9}, "a": PRUNED}).whole("a", "b") is None, "a pruned baseline is not whole"
    assert arms.whole("long", "other") is None


def test_a_quantised_arm_is_compressed_and_has_a_whole_one() -> None:
    small = {**LONGER, "quantize.bits": 8, "quantize.backend": "onnxruntime"}
    assert [is_compressed(one) for one in (small, PRUNED, LONGER, {**LONGER, "quantize": None})] == [
        True,
        True,
        False,
        False,
    ]
    assert Arms({"long": LONGER, "q": small}).whole("q", None) == "long"
    both = {**PRUNED, "quantize.bits": 8}
    assert Arms({"long": LONGER, "p": PRUNED, "q": both}).whole("q", None) == "long"


def test_controls_are_named_with_the_arm_that_is_each() -> None:
    arms = Arms({"a": PRUNED, "s": SCRATCH, "l": LONGER, "r": CHANCE})
    assert arms.controls("a") == {"scratch": "s", "none_longer": "l", "random": "r"}
    assert arms.controls("s") == {}
