"""Which texts name code, where a run names it, and what stands in ids in its place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec import Settings
from engine.spec.code_uses import list_uses, replace_at
from engine.spec.own_code import names_code, read_reference, settled_digests

DIGEST = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "place", "name", "digest"),
    [
        ("./nets.py:Net", "./nets.py", "Net", ""),
        ("/a b/../nets.py:Net", "/a b/../nets.py", "Net", ""),
        ("my_lab.nets:Net", "my_lab.nets", "Net", ""),
        (f"nets:Net@{DIGEST}", "nets", "Net", DIGEST),
    ],
)
def test_three_forms_name_code(text: str, place: str, name: str, digest: str) -> None:
    found = read_reference(text)
    assert found is not None
    assert (found.place, found.name, found.digest, str(found)) == (place, name, digest, text)


@pytest.mark.parametrize(
    "text", ["", "tiny_vit_5m", "timm/resnet18", "./nets.py", "a:", ":b", "a b:c", "nets:Net@123", "x:y:z", "1a:b", 3]
)
def test_other_values_name_none(text: object) -> None:
    assert not names_code(text)


def settings(**words: Any) -> Settings:
    return Settings.model_validate({"data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}, **words})


def test_every_word_that_names_code_is_found() -> None:
    teacher = {"arch": "t:T", "train": {"optimizer": "o:O"}, "assistants": [{"arch": "h:H"}]}
    found = settings(
        data={"source": "d:D", "options": {"n": 1}, "augment": {"extra": "e:E", "options": {"m": 2}}},
        student={"arch": "tiny_vit_5m", "attention": {"kind": "a:A", "options": {"band": 2}}},
        teacher=teacher,
        distill={"loss": "l:L", "options": {"alpha": 0.5}},
        train={"optimizer": "p:P"},
        prune={"ratio": 0.1, "criterion": "c:C"},
    )
    told = {use.path: (use.kind, str(use.reference), dict(use.options)) for use in list_uses(found)}
    assert told == {
        "student.attention.kind": ("attention", "a:A", {"band": 2}),
        "teacher.arch": ("network", "t:T", {}),
        "teacher.assistants.0.arch": ("network", "h:H", {}),
        "distill.loss": ("loss", "l:L", {"alpha": 0.5}),
        "train.optimizer": ("optimizer", "p:P", {}),
        "teacher.train.optimizer": ("optimizer", "o:O", {}),
        "prune.criterion": ("criterion", "c:C", {}),
        "data.source": ("source", "d:D", {"n": 1}),
        "data.augment.extra": ("augmentation", "e:E", {"m": 2}),
    }
    for path, (_, text, _) in told.items():
        found = replace_at(found, path, f"{text}@{DIGEST}")
    assert {use.reference.digest for use in list_uses(found)} == {DIGEST}
    assert Settings.model_validate(found.model_dump(by_alias=True)) == found


def test_ordinary_words_name_none() -> None:
    assert list(list_uses(settings(teacher={"arch": "timm/resnet18", "train": {}}))) == []


def test_digests_are_found_in_the_settings_of_a_job() -> None:
    assert settled_digests(f'{{"arch": "nets:Net@{DIGEST}", "title": "a@b"}}') == {DIGEST}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"student": {"arch": "n:N", "drop_path": 0.1}}, "drop_path is of a tiny_vit or a timm network"),
        ({"student": {"arch": "n:N", "weights": "pretrained"}}, "there are no pretrained weights of n:N"),
        ({"student": {"arch": "n:N", "windows": [1, 1, 1, 1]}}, "only for a tiny_vit"),
        ({"data": {"source": "digits", "options": {"n": 1}}}, "options are for a source of your own"),
        ({"data": {"source": "digits", "augment": {"options": {"n": 1}}}}, "for an augmentation of your own"),
        ({"data": {"source": "digits", "augment": {"extra": "sharpen"}}}, "'sharpen' names no code"),
        ({"data": {"source": "digits", "most": 9}}, "most is for a source of your own"),
        ({"data": {"source": "d:D", "label": "sort"}}, "a source of your own gives images and classes, and no label"),
        ({"data": {"source": "d:D", "given": "test"}}, "and no given"),
        ({"data": {"source": "d:D", "boxes": "b.csv"}}, "and no boxes"),
        ({"train": {"optimizer": "o:O", "momentum": 0.5}}, "o:O has no momentum"),
        ({"prune": {"ratio": 0.1, "method": "unstructured", "criterion": "c:C"}}, "is of whole units"),
        (
            {
                "teacher": {"arch": "timm/resnet18", "train": {}, "targets": "online"},
                "distill": {"loss": "l:L"},
                "data": {"source": "digits", "augment": {"mixup": 0.5}},
            },
            "loss l:L needs one label for each image",
        ),
    ],
)
def test_words_that_code_does_not_have_are_refused(words: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**words)
    assert says in str(caught.value)


def test_own_loss_has_even_weights_unless_told() -> None:
    assert settings(distill={"loss": "l:L"}).distill.weights == (1.0, 1.0)
    assert settings(distill={"loss": "l:L", "weight": 0.2}).distill.weights == (0.2, 1.0)
