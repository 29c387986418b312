"""A teacher of ImageNet is judged on images that it has not seen, beside what its weights are known for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import JobError
from engine.inputs.origins import name_origin
from engine.run.unseen import HeadSkill, head_skill, require_known, seen_share, unseen_rows
from engine.spec import Data

NAMES = ("n01440764", "n02102040")


def make_pack(origins: list[str], parts: list[str], groups: list[int] | None = None) -> Any:
    rows = np.arange(len(origins)) if groups is None else np.array(groups)
    return SimpleNamespace(class_names=NAMES, origins=origins, parts=parts, groups=rows)


def merged(given: str = "merge") -> Data:
    return Data.model_validate({"source": "folder", "root": "/x", "given": given})


@pytest.mark.parametrize(
    ("name", "origin"),
    [("ILSVRC2012_val_00009111.JPEG", "val"), ("n01440764_10026.JPEG", "train"), ("tench.jpg", "")],
)
def test_a_name_tells_imagenets_part(name: str, origin: str) -> None:
    assert name_origin(name) == origin


def test_validation_images_are_unseen_wherever_they_lie() -> None:
    pack = make_pack(["val", "train", "", "val"], ["train", "val", "val", ""])
    unseen = unseen_rows(pack, merged())
    assert unseen is not None
    assert unseen.tolist() == [0, 3]
    assert seen_share(np.arange(4), unseen) == 0.5


def test_a_given_test_folder_is_unseen_but_for_train_names() -> None:
    unseen = unseen_rows(make_pack(["", "train", ""], ["val", "val", "train"]), merged("test"))
    assert unseen is not None
    assert unseen.tolist() == [0]


def test_a_near_duplicate_of_a_train_image_is_seen() -> None:
    unseen = unseen_rows(make_pack(["val", "train", "val"], ["", "", ""], [0, 0, 2]), merged())
    assert unseen is not None
    assert unseen.tolist() == [2]


def test_the_error_of_all_classes_is_binomial() -> None:
    labels = torch.arange(1000).repeat(2)
    skill = head_skill(torch.arange(2000) % 4 < 3, labels)
    assert skill.error == pytest.approx((0.75 * 0.25 / 2000) ** 0.5)


def test_few_classes_widen_the_error() -> None:
    right, labels = torch.tensor([1, 1, 1, 0, 0, 0]).bool(), torch.tensor([0, 0, 0, 1, 1, 1])
    assert head_skill(right, labels).error == pytest.approx((0.5 * 0.998 / 2 + 0.25 / 6) ** 0.5)


def settings(expect: Any) -> Any:
    network = SimpleNamespace(arch="timm/tf_efficientnet_lite0", weights="pretrained")
    return SimpleNamespace(expect=expect, network=network, data=SimpleNamespace(image_size=64))


@pytest.mark.parametrize(("top1", "stops"), [(0.69, False), (0.65, True)])
def test_five_points_less_stop_the_work(top1: float, stops: bool) -> None:
    skill = HeadSkill(top1, 0.02, 400, 10)
    if stops:
        with pytest.raises(JobError, match=r"64 px: check teacher.image_size"):
            require_known(settings("listed"), skill)
    else:
        require_known(settings("listed"), skill)


def test_a_word_lets_it_go_on() -> None:
    skill = HeadSkill(0.3, 0.02, 400, 10)
    with pytest.raises(JobError, match=r"check teacher.image_size"):
        require_known(settings("listed"), skill)
    require_known(settings("any"), skill)
    require_known(settings(0.35), skill)
