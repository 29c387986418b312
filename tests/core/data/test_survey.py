"""A survey counts what is there and names what is broken or doubled."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from engine.core.data.sources import list_images
from engine.core.data.survey import survey_images
from engine.spec import Data

MakeFolder = Callable[..., Path]


def test_a_survey_names_what_a_person_should_know(make_folder: MakeFolder) -> None:
    root = make_folder({"a": 4, "b": 5})
    (root / "a" / "bad.jpg").write_text("no image")
    shutil.copy(root / "a" / "000.png", root / "b" / "same.png")
    with Image.open(root / "b" / "000.png") as image:
        image.resize((45, 35)).save(root / "b" / "small.webp")
    Image.effect_noise((200, 50), 60).save(root / "a" / "grey.tif")
    seen: list[int] = []
    survey = survey_images(list_images(Data(source="folder", root=str(root))), lambda done, count: seen.append(done))
    assert seen[-1] == 13
    assert survey.classes == {"a": 6, "b": 7}
    assert (survey.widths, survey.heights) == ((45, 90, 200), (35, 70, 70))
    assert survey.suffixes == {".jpg": 1, ".png": 10, ".tif": 1, ".webp": 1}
    assert survey.grey == 1
    assert [str(root / "a" / "bad.jpg") in text for text in survey.broken] == [True]
    assert sorted(sorted(Path(place).name for place in group) for group in survey.duplicates) == [
        ["000.png", "same.png"],
        ["000.png", "small.webp"],
    ]
    assert len(survey.across) == 1


def test_tiny_images_of_equal_content_are_doubled(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), (9, 8, 7)).save(tmp_path / name / "one.png")
    survey = survey_images(list_images(Data(source="folder", root=str(tmp_path))))
    assert len(survey.duplicates) == len(survey.across) == 1
