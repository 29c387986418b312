"""A survey counts what is there and names what is broken or doubled."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.core.data import survey as survey_room
from engine.core.data.decode import Pixels
from engine.core.data.sources import Listing, Sample, list_images
from engine.core.data.survey import survey_images
from engine.errors import DataError
from engine.inspect.images import survey_lines
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


def listing_of(images: list[Pixels | DataError], samples: list[Sample]) -> Listing:
    def read(row: int) -> Pixels:
        image = images[row]
        if isinstance(image, DataError):
            raise image
        return image

    return Listing(tuple(samples), ("a", "b", "none"), "digest", read, lambda row: f"mode {row % 2}")


def test_a_survey_counts_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six samples: one broken, one grey, equal content in two parts and classes, none a near-duplicate."""
    noise = np.random.default_rng(0)
    shapes = [(10, 90), (20, 50), (12, 30), (15, 40), (10, 10)]
    images: list[Pixels | DataError] = [noise.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    images[4] = np.repeat(noise.integers(0, 256, (10, 10, 1), dtype=np.uint8), 3, axis=2)
    images.append(DataError("torn", where="/f.png"))
    places = ["/a.png", "/b.PNG", "/c.webp", "/set.zip", "/noend", "/f.png"]
    samples = [Sample(Path(place), number % 2, f"{number}", part="train") for number, place in enumerate(places)]
    samples[3] = Sample(Path("/set.zip"), 0, "0", "in/d.gif", "val")  # the content of the first, in another part
    samples[2] = Sample(Path("/c.webp"), 0, "1")  # the content of the second, in another class and no part
    samples[4] = Sample(Path("/noend"), 0, "0", part="train")  # the content of the first again
    monkeypatch.setattr(survey_room, "CHUNK", 4)
    seen: list[tuple[int, int]] = []
    survey = survey_images(listing_of(images, samples), lambda done, count: seen.append((done, count)))
    assert seen == [(number, 6) for number in range(1, 7)]
    assert survey.classes == {"a": 4, "b": 2, "none": 0}
    assert list(survey.parts.items()) == [("train", 4), ("val", 1)]
    assert (survey.widths, survey.heights) == ((10, 40, 90), (10, 12, 20))
    assert list(survey.suffixes.items()) == [("(none)", 1), (".gif", 1), (".png", 3), (".webp", 1)]
    assert survey.modes == {"mode 0": 3, "mode 1": 2}
    assert (survey.grey, survey.broken) == (1, ["/f.png: torn"])
    doubled = [["/a.png", "/set.zip!in/d.gif", "/noend"], ["/b.PNG", "/c.webp"]]
    assert survey.duplicates == doubled
    assert survey.across == [doubled[1]]
    assert survey.astride == doubled
    assert survey.passed_over == {}


def test_a_set_of_broken_files_has_no_sizes() -> None:
    samples = [Sample(Path(f"/{number}.png"), 0, f"{number}", part="val") for number in range(2)]
    survey = survey_images(listing_of([DataError("torn", where="/f")] * 2, samples))
    assert (survey.widths, survey.heights, survey.modes, survey.grey) == ((0, 0, 0), (0, 0, 0), {}, 0)
    assert survey.broken == ["/f: torn"] * 2
