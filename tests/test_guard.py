"""The guard tells fair comparisons from unfair ones, the paper's own among them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.guard import Difference, Surroundings, difference_lines, factor_of, judge_pair

BASE: dict[str, Any] = {
    "data.source": "folder", "data.split": "60/20/20", "data.split_seed": 0, "data.image_size": 224,
    "data.view_seed": 0,
    "student.arch": "tiny_vit_21m", "student.attention.kind": "window", "student.windows": [7, 7, 14, 7],
    "distill.loss": "hinton", "distill.temperature": 2.0, "teacher.arch": "timm/clip", "teacher.seed": 0,
    "train.epochs": 10, "train.batch_size": 256, "train.lr": 5e-4, "train.threads": 2, "measure.threads": [1],
}  # fmt: skip
LONGFORMER = {"student.attention.kind": "longformer", "student.attention.radius": 2}
UNTAUGHT = {"teacher.arch": None, "teacher.seed": None}


def _around(
    changes: dict[str, Any], code: str = "abc", device: str = "H100", images: str = "123", base: dict[str, Any] = BASE
) -> Surroundings:
    settings = {path: value for path, value in (base | changes).items() if value is not None}
    return Surroundings(settings, code, device, images)


FAIR: dict[str, tuple[Surroundings, str]] = {
    "attention alone, in several settings": (_around(LONGFORMER), "test_top1"),
    "pruning alone": (_around({"prune.ratio": 0.2, "prune.criterion": "taylor"}), "test_top1"),
    "another teacher": (_around({"teacher.arch": "timm/convnextv2"}), "test_top1"),
    "a teacher or none, with its distillation": (_around(UNTAUGHT | {"distill.loss": "ce"}), "test_top1"),
    "temperature": (_around({"distill.temperature": 4.0}), "test_top1"),
    "another student": (_around({"student.arch": "tiny_vit_5m"}), "test_top1"),
    "windows of the student": (_around({"student.windows": [14, 14, 14, 7]}), "test_top1"),
    "learning rate as the one thing studied": (_around({"train.lr": 1e-3}), "test_top1"),
    "accuracy from another device": (_around(LONGFORMER, device="A100"), "test_top1"),
    "size of networks for other images": (_around(LONGFORMER, images="456"), "params"),
    "the same number written otherwise": (_around({"train.epochs": 10.0}), "test_top1"),
}
UNFAIR: dict[str, tuple[Surroundings, str, str]] = {
    "batch 256 against 128 beside the teacher": (
        _around({"teacher.arch": "timm/convnextv2", "train.batch_size": 128}), "test_top1", "train.batch_size",
    ),
    "two factors at once": (_around(LONGFORMER | {"prune.ratio": 0.2}), "test_top1", "2 factors at once"),
    "another split": (_around({"data.split": "80/10/10"}), "test_top1", "data.split"),
    "another split seed": (_around(LONGFORMER | {"data.split_seed": 1}), "test_top1", "data.split_seed"),
    "more epochs": (_around(LONGFORMER | {"train.epochs": 20}), "test_top1", "train.epochs"),
    "another learning rate": (_around({"prune.ratio": 0.2, "train.lr": 1e-3}), "test_top1", "train.lr"),
    "another image size": (_around(LONGFORMER | {"data.image_size": 256}), "test_top1", "data.image_size"),
    "other code": (_around(LONGFORMER, code="def"), "test_top1", "the code"),
    "speed on another device": (_around(LONGFORMER, device="A100"), "infer_images_per_second", "the device"),
    "another folder of images": (_around(LONGFORMER, images="456"), "test_top1", "the images"),
    "the test folder of the set against a part of all": (
        _around(LONGFORMER | {"data.given": "test"}), "test_top1", "data.given",
    ),
    "nested against not nested": (_around(LONGFORMER | {"data.nested": True}), "test_top1", "data.nested"),
    "two held settings at once": (_around({"train.lr": 1e-3, "train.batch_size": 128}), "test_top1", "train.lr"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(FAIR))
def test_fair_pair_is_let_through(case: str) -> None:
    other, metric = FAIR[case]
    found = judge_pair(_around({}), other, metric)
    assert found.is_fair, found.unfair
    assert judge_pair(other, _around({}), metric).is_fair


@pytest.mark.parametrize("case", list(UNFAIR))
def test_unfair_pair_is_caught_with_its_reason(case: str) -> None:
    other, metric, what = UNFAIR[case]
    found = judge_pair(_around({}), other, metric)
    assert what in [one.what for one in found.unfair]
    assert not judge_pair(other, _around({}), metric).is_fair


def test_factors_are_named_by_their_longest_prefix() -> None:
    assert factor_of("student.attention.radius") == "attention"
    assert factor_of("student.windows") == "student"
    assert factor_of("train.lr") == "train.lr"
    assert judge_pair(_around({}), _around(LONGFORMER)).factors == ("attention",)


def test_nested_splits_share_their_test_images() -> None:
    base = BASE | {"data.nested": True}
    small, large = (_around({"data.split": split}, base=base) for split in ("60/20/20", "80/10/10"))
    assert judge_pair(small, large).factors == ("data.split",)
    assert judge_pair(small, large).is_fair
    sparse = _around(LONGFORMER | {"data.split": "80/10/10"}, base=base)
    assert "data.split" in [one.what for one in judge_pair(small, sparse).unfair]


def test_differences_are_told_as_a_short_table_the_gravest_first() -> None:
    other = _around({"data.split": "80/10/10", "train.epochs": 20, "train.warmup": 1} | LONGFORMER, code="def")
    lines = difference_lines(judge_pair(_around({}), other).unfair)
    assert [line.split()[0] for line in lines] == ["data.split", "train.epochs", "the", "train.warmup"]
    assert lines[0].split() == ["data.split", "60/20/20", "80/10/10"]
    many = difference_lines([Difference(f"train.x{at:02}", at, "y" * 100) for at in range(30)])
    assert len(many) == 9
    assert many[-1] == "  and 22 more settings: xp diff shows all"
    assert max(map(len, many)) < 80
