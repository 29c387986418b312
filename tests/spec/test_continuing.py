"""Where a training's end begins to matter, and what is tied to the whole of it and so refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec import Settings, Train
from engine.spec.continuing import branch_epoch, stable_epochs

NETWORK: dict[str, Any] = {
    "arch": "tiny_vit", "dims": [8, 8, 16, 16], "depths": [1] * 4, "heads": [1] * 4, "windows": [4, 4, 2, 1],
}  # fmt: skip
RUNGS: dict[str, Any] = {"epochs": 9, "schedule": "wsd", "rungs": [3, 9, 27]}


def settings(**words: Any) -> Settings:
    tree = {"data": {"source": "digits", "image_size": 32}, "student": NETWORK, "train": RUNGS, **words}
    return Settings.model_validate(tree)


@pytest.mark.parametrize(
    ("words", "epochs"),
    [
        ({"schedule": "wsd"}, 8),
        ({"schedule": "wsd", "decay_share": 0.3}, 7),
        ({"schedule": "wsd", "decay_share": 0.31}, 6),
        ({"schedule": "wsd", "decay_epochs": 4}, 6),
        ({"schedule": "constant"}, 10),
        ({"schedule": "step", "decay_epochs": 3}, 10),
        ({"schedule": "cosine"}, None),
        ({"schedule": "linear"}, None),
        ({"schedule": "poly"}, None),
        ({"schedule": "tanh"}, None),
    ],
)
def test_an_end_begins_to_matter_where_the_rate_follows_from_it(words: dict[str, Any], epochs: int | None) -> None:
    assert stable_epochs(Train.model_validate(words)) == epochs


def test_the_longest_of_them_keeps_no_state() -> None:
    words = {"schedule": "wsd", "decay_epochs": 1}
    assert branch_epoch(Train.model_validate({**words, "epochs": 3}), [3, 9]) == 2
    assert branch_epoch(Train.model_validate({**words, "epochs": 9}), [3, 9]) is None
    assert branch_epoch(Train.model_validate({**words, "epochs": 9}), []) is None
    assert branch_epoch(Train.model_validate({"epochs": 3}), [3, 9]) is None


def test_trainings_whose_beginning_is_one_are_taken() -> None:
    helper = {**NETWORK, "train": {"epochs": 2}}
    assert settings().train.rungs == [3, 9, 27]
    assert settings(prune={"ratio": 0.2}).is_pruned
    assert settings(teacher={**NETWORK, "train": {"epochs": 2}, "assistants": [NETWORK]}).is_taught
    assert settings(teacher={**NETWORK, "weights": "a.safetensors", "assistants": [helper]}).is_taught


TEACHER = {**NETWORK, "train": {"epochs": 2}}


@pytest.mark.parametrize(
    ("words", "place", "what"),
    [
        ({"train": {**RUNGS, "schedule": "cosine"}}, "train.schedule", "schedule cosine is tied to the whole training"),
        ({"train": {**RUNGS, "epochs": 3, "decay_share": 0.9}}, "train.schedule", "the rate falls in all but 0"),
        ({"train": {**RUNGS, "compile": "auto"}}, "train.compile", "decided by how long a training is"),
        (
            {"teacher": TEACHER, "distill": {"temperature": {"from": 8.0, "to": 1.0}}},
            "distill.temperature",
            "a temperature's course is tied to the whole training",
        ),
        ({"teacher": TEACHER, "distill": {"until": 0.5}}, "distill.until", "heard in 0.5 of the epochs"),
        (
            {"prune": {"ratio": 0.2, "when": "before", "criterion": "l1"}},
            "prune.when",
            "trained by the job that prunes it",
        ),
        (
            {"prune": {"ratio": 0.2, "control": "scratch"}},
            "prune.control",
            "made from the whole training",
        ),
        (
            {"teacher": {**NETWORK, "weights": "a.safetensors", "assistants": [NETWORK]}},
            "teacher.assistants.0",
            "trained for as many epochs as the student",
        ),
        (
            {"teacher": {"arch": "timm/resnet10t", "weights": "a.safetensors", "head": "finetune"}},
            "teacher",
            "trained for as many epochs as the student",
        ),
        (
            {"teacher": {**TEACHER, "train": {**RUNGS}}, "train": {"epochs": 4}},
            "teacher.train.rungs",
            "only the student's training",
        ),
    ],
)
def test_what_is_tied_to_the_whole_training_is_refused_at_its_place(
    words: dict[str, Any], place: str, what: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**words)
    error = caught.value.errors()[0]
    assert error["ctx"]["at"] == place
    assert what in error["ctx"]["what"]
    assert error["ctx"]["fix"]


def test_without_rungs_nothing_is_refused() -> None:
    assert settings(train={"epochs": 9}, prune={"ratio": 0.2, "when": "before", "criterion": "l1"}).is_pruned
