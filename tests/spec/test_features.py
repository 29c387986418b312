"""Entries of distill.features: what is left out is the loss's own, and what cannot be is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec import Settings
from engine.spec.features import FEATURE_LOSS_WORDS, PROJECTOR_WORDS, Feature, kept_features
from engine.spec.identity import counted_settings

BASE: dict[str, Any] = {"student": "stages.3", "teacher": "blocks.6"}
OWN = {
    "mse": (1.0, 1, "linear"),  # Romero et al. 2015
    "smooth_l1": (1.0, 1, "linear"),  # Miles et al. 2024, with projector: orthogonal
    "cosine": (1.0, 1, "linear"),
    "attention": (1000.0, 7, "none"),  # Zagoruyko and Komodakis 2017, their code
    "relational": (25.0, 1, "none"),  # Park et al. 2019
    "answers": (1.0, 1, "exit"),  # Hao et al. 2023
}


def entry(**words: Any) -> Feature:
    teacher = {"teacher": "logits"} if words.get("loss") == "answers" else {}
    return Feature.model_validate({**BASE, **teacher, **words})


@pytest.mark.parametrize("loss", FEATURE_LOSS_WORDS)
def test_what_is_left_out_or_null_is_the_losses_own(loss: str) -> None:
    """They enter ids by value: another default is another experiment, and never a slip."""
    found = entry(loss=loss)
    assert (found.weight, found.pool, found.projector) == OWN[loss]
    assert found == entry(loss=loss, weight=None, pool=None, projector=None)
    spelt = entry(loss=loss, weight=OWN[loss][0], pool=OWN[loss][1], projector=OWN[loss][2], dtype="fp16")
    assert counted_settings(found) == counted_settings(spelt)
    assert Feature.model_validate(found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"loss": "attention", "projector": "linear"}, "a projector changes channels"),
        ({"loss": "attention", "pool": 1}, "pool: 1 leaves one"),
        ({"loss": "msee"}, "Input should be"),
        ({"projector": "orthonormal"}, "Input should be"),
        ({"projector": "exit"}, "nothing else does"),
        ({"loss": "answers", "projector": "linear"}, "nothing else does"),
        ({"loss": "answers", "teacher": "blocks.6"}, "hears the teacher's logits"),
        ({"teacher": "logits"}, "follows a layer, and not logits"),
        ({"pool": 0}, "greater than or equal to 1"),
        ({"student": ""}, "at least 1"),
        ({"weigth": 1.0}, "not permitted"),
    ],
)
def test_what_cannot_be_is_refused(words: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        entry(**words)


def test_channels_must_match_without_a_projector() -> None:
    assert entry(projector="none").refuses(8, 16)
    assert not entry(projector="none").refuses(8, 8)
    assert {word for word, own in PROJECTOR_WORDS.items() if own.changes} == {"linear", "orthogonal", "exit"}
    assert not any(entry(projector=word).refuses(8, 16) for word in ("linear", "orthogonal"))
    assert not entry(loss="answers").refuses(8, 10)
    assert not entry(loss="relational").refuses(8, 16)
    assert not entry(loss="attention").refuses(8, 16)
    assert entry(projector="none").channel_problem(8, 16)[0] == "stages.3 has 8 channels and the teacher's blocks.6 16"


def test_what_a_teacher_keeps_follows_layers_pooling_and_numbers_alone() -> None:
    one = [entry(), entry(loss="attention"), entry(loss="cosine", weight=7.0, student="stages.1")]
    assert kept_features(one) == kept_features(reversed(one))
    assert [(kept.pool, kept.keeps) for kept in kept_features(one)] in (
        [(1, "map"), (7, "energy")],
        [(7, "energy"), (1, "map")],
    )
    for words in ({"pool": 2}, {"dtype": "fp32"}, {"teacher": "blocks.5"}, {"loss": "attention", "pool": 2}):
        assert kept_features([entry(**words)]) != kept_features([entry()])


def settings(**words: Any) -> Settings:
    base = {
        "data": {"source": "digits"},
        "student": {"arch": "tiny_vit_5m"},
        "teacher": {"arch": "timm/resnet18", "train": {"epochs": 2}},
    }
    return Settings.model_validate({**base, "distill": {"features": [BASE]}, **words})


def test_features_teach_beside_labels_alone_too() -> None:
    assert settings(distill={"loss": "ce", "features": [BASE]}).is_taught
    assert not settings(distill={"loss": "ce"}).is_taught
    assert not settings(teacher=None).is_taught


def test_mixed_images_and_assistants_are_refused() -> None:
    mixed = {"source": "digits", "augment": {"mixup": 0.8, "mix_targets": "linear"}}
    with pytest.raises(ValidationError, match="single images"):
        settings(data=mixed)
    with pytest.raises(ValidationError, match="assistants are both"):
        settings(teacher={"arch": "timm/resnet18", "train": {"epochs": 2}, "assistants": [{"arch": "timm/resnet10t"}]})


def test_exits_keep_nothing_and_need_a_loss_that_hears() -> None:
    assert kept_features([entry(loss="answers")]) == []
    exits = {"features": [entry(loss="answers").model_dump()]}
    assert settings(distill={"loss": "ofa", **exits}).is_taught
    with pytest.raises(ValidationError, match="ce is labels alone"):
        settings(distill={"loss": "ce", **exits})
