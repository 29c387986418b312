"""A survey counts what is there and names what is broken or doubled."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from engine.core.data.sources import list_images
from engine.core.data.survey import survey_images
from engine.images import survey_lines
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
    assert survey.modes == {"L": 1, "RGB": 11}
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


def test_a_survey_tells_modes_and_what_lies_in_two_parts(tmp_path: Path) -> None:
    for folder in ("train/a", "train/b", "val/a", "val/b"):
        (tmp_path / folder).mkdir(parents=True)
        Image.effect_noise((60, 50), 90).save(tmp_path / folder / "one.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (50, 40)).convert("CMYK").save(tmp_path / "train/a/two.jpg", exif=exif)
    shutil.copy(tmp_path / "train/b/one.png", tmp_path / "val/b/two.png")
    survey = survey_images(list_images(Data(source="folder", root=str(tmp_path))))
    assert survey.parts == {"train": 3, "val": 3}
    assert survey.modes == {"CMYK turned": 1, "L": 5}
    assert [sorted(group) for group in survey.astride] == [
        [str(tmp_path / "train/b/one.png"), str(tmp_path / "val/b/two.png")]
    ]
    lines = list(survey_lines(survey))
    assert any("folders: 3 train, 3 val" in line for line in lines)
    assert "the same image in different folders of train, val, test: 1" in lines
