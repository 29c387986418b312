"""What each arm of a table is: factors by name, what comes with another left out, in words that tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

from engine.analysis.factors import varied_factors

BASE: dict[str, Any] = {
    "student.arch": "tiny_vit_5m", "student.attention.kind": "window", "distill.loss": "hinton",
    "distill.temperature": 2.0, "train.epochs": 10, "data.split": "60/20/20",
}  # fmt: skip
CLIP = {"teacher.arch": "timm/vit_clip.openai", "teacher.weights": "pretrained"}
LONG = {"student.attention.kind": "longformer", "student.attention.radius": 2}


def factors(**arms: dict[str, Any]) -> dict[str, list[str]]:
    found = varied_factors({arm: {**BASE, **more} for arm, more in arms.items()})
    return {one.name: [one.texts[arm] for arm in arms] for one in found}


def test_a_teacher_is_told_by_its_network_and_its_loss_only_where_that_varies() -> None:
    assert factors(alone={}, taught=CLIP) == {"teacher": ["none", "vit_clip"]}
    taught = factors(alone={}, taught=CLIP, other={**CLIP, "distill.loss": "lskd"})
    assert taught == {"teacher": ["none", "vit_clip", "vit_clip"], "loss": ["none", "hinton", "lskd"]}


def test_an_untaught_arm_has_no_loss_whatever_its_settings_say() -> None:
    assert factors(a={}, b={"distill.loss": "lskd"}) == {}
    assert factors(a=CLIP, b={**CLIP, "distill.loss": "ce"}) == {"teacher": ["vit_clip", "none"]}


def test_pruning_is_told_by_its_ratio_and_epochs_have_a_column_of_their_own() -> None:
    pruned = {"prune.ratio": 0.2, "prune.of": "params", "prune.recover_epochs": 3}
    assert factors(a={}, b=pruned, c={"prune.ratio": 0.0}) == {"pruning": ["none", "ratio 0.2", "none"]}
    assert factors(a={}, b={"train.epochs": 20}) == {}


def test_attention_is_told_by_its_kind_and_by_more_where_that_is_not_enough() -> None:
    assert factors(a={}, b=LONG) == {"attention": ["window", "longformer"]}
    wide = {**LONG, "student.attention.radius": 3}
    assert factors(a={}, b=LONG, c=wide) == {"attention": ["window", "longformer, radius 2", "longformer, radius 3"]}


def test_a_network_that_is_no_tiny_vit_has_no_choice_of_attention() -> None:
    found = factors(a={}, b=LONG, c={"student.arch": "timm/mobilenetv3_large_100"})
    assert found["attention"] == ["window", "longformer", "\u2013"]


def test_a_single_setting_is_named_once() -> None:
    assert factors(a={"train.lr": 0.1}, b={"train.lr": 0.2}) == {"lr": ["0.1", "0.2"]}
    hot = {**CLIP, "distill.temperature": 4.0}
    assert factors(a=CLIP, b=hot) == {"temperature": ["2.0", "4.0"]}


@pytest.mark.parametrize("words", [{"data.root": "/elsewhere"}, {"explain.images": 3}, {"teacher.expect": "any"}])
def test_what_decides_nothing_is_no_factor(words: dict[str, Any]) -> None:
    assert factors(a=CLIP, b={**CLIP, **words}) == {}


def test_arms_that_begin_from_weights_are_told_apart() -> None:
    begun = {"student.weights": "pretrained"}
    assert factors(a={"student.weights": "none"}, b=begun) == {"begins from": ["none", "pretrained"]}


def test_assistants_are_told_by_their_networks() -> None:
    chain = [{"arch": "timm/convnextv2_base.fcmae", "weights": "pretrained"}, {"arch": "timm/convnextv2_tiny.fcmae"}]
    arms = {at: {**CLIP, "teacher.assistants": chain[:at]} for at in range(3)}
    told = factors(none=arms[0], one=arms[1], two=arms[2])
    assert told == {"assistants": ["none", "convnextv2_base", "convnextv2_base + convnextv2_tiny"]}
    other = [{**chain[0], "weights": "none"}]
    same = factors(a=arms[1], b={**CLIP, "teacher.assistants": other})
    assert same == {"assistants": ["convnextv2_base (1)", "convnextv2_base (2)"]}, "never one text for two things"


def test_a_text_is_no_longer_than_a_column_bears() -> None:
    long = {"train.optimizer": "x" * 99}
    (told,) = factors(a={"train.optimizer": "adamw"}, b=long).values()
    assert [len(text) for text in told] == [5, 36]
