"""How a teacher looks: a word of the spec, then its file, then timm's table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.inputs.looks import LOOK, Look, look_metadata, look_warnings, own_look, teacher_look
from engine.spec import Data, Settings, Teacher

LITE2 = {"arch": "timm/tf_efficientnet_lite2", "weights": "pretrained"}
DATA = Data.model_validate({"source": "folder", "root": "/x", "image_size": 64})


def teacher(**words: Any) -> Teacher:
    return Teacher.model_validate({**LITE2, **words})


def warnings_of(**words: Any) -> list[str]:
    data = {"source": "folder", "root": "/x", **words.pop("data", {})}
    settings = {"data": data, "student": {"arch": "tiny_vit_5m"}, "teacher": {**LITE2, **words}}
    return list(look_warnings(Settings.model_validate(settings)))


def test_weights_look_as_timm_has_it() -> None:
    look = teacher_look(teacher(), DATA)
    assert look == Look(260, 0.89, "bicubic", (0.5,) * 3, (0.5,) * 3)
    assert look.short_side == 293


def test_a_word_of_the_spec_wins() -> None:
    given = teacher(image_size=224, crop_share=1.0, interpolation="bilinear", mean=[0.1, 0.2, 0.3])
    assert teacher_look(given, DATA) == Look(224, 1.0, "bilinear", (0.1, 0.2, 0.3), (0.5,) * 3)
    assert own_look(given, DATA).image_size == 260


def test_a_file_says_how_it_looks(tmp_path: Path) -> None:
    file, told = tmp_path / "weights.safetensors", Look(48, 0.8, "bilinear", (0.1,) * 3, (0.2,) * 3)
    save_file({"a": torch.zeros(1)}, file, metadata=look_metadata(told))
    assert teacher_look(teacher(weights=str(file)), DATA) == told


def test_a_teacher_without_weights_looks_as_the_student() -> None:
    fresh = Teacher.model_validate({"arch": "timm/tf_efficientnet_lite2", "train": {"epochs": 1}})
    assert teacher_look(fresh, DATA) == Look(64, 0.875, "bicubic")


def test_another_size_is_warned_of_with_its_fix() -> None:
    (line,) = warnings_of(image_size=64)
    assert line.startswith("teacher.image_size: it looks at 64 px, and its weights are made for 260 px; fix: ")


def test_a_pack_smaller_than_its_view_is_warned_of() -> None:
    (line,) = warnings_of()
    assert line.endswith("the packed ones have 256 px: they are enlarged; fix: set data.short_side: 293")
    assert warnings_of(data={"short_side": 293}) == []


WORTHLESS = {
    "no JSON": "{" * 9,
    "a list": "[1]",
    "endless lists": "[" * 100_000,
    "other types": '{"image_size": "224", "crop_share": [], "interpolation": {}, "mean": "red", "std": [true, 1, 1]}',
    "no size": '{"image_size": -1, "crop_share": 0, "mean": [1], "std": [0, 1, 1]}',
    "without end": '{"image_size": 1000000000000, "crop_share": 1.5, "interpolation": "x", "mean": [NaN, 0, 0]}',
    "a yes": '{"image_size": true, "crop_share": true}',
}


@pytest.mark.parametrize("kind", WORTHLESS)
def test_what_a_file_cannot_mean_counts_as_silence(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(1)}, file, metadata={LOOK: WORTHLESS[kind]})
    assert teacher_look(teacher(weights=str(file)), DATA) == teacher_look(teacher(), DATA)
