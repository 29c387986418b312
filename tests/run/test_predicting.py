"""What is said of a photograph: likeliest first, with meanings, and as JSON; more classes than there are give all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from engine.run.predicting import Asked, predict_images
from tests.core.export.conftest import make_about


def answer(images: Tensor) -> Tensor:
    return torch.tensor([[0.0, 2.0, 1.0]]).repeat(len(images), 1)


def test_classes_come_likeliest_first_with_their_meanings(tmp_path: Path) -> None:
    for number in range(20):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{number}.png")
    asked = Asked(make_about(meanings=["a", "bird", "c"]), answer)
    found = predict_images(asked, [tmp_path / f"{number}.png" for number in range(20)], 9)
    assert [one.image for one in found] == [str(tmp_path / f"{number}.png") for number in range(20)]
    assert [guess.title for guess in found[17].guesses] == ["bird (b)", "c", "a"]
    assert sum(guess.share for guess in found[0].guesses) == pytest.approx(1.0)
    assert list(found[0].lines())[1] == "   66.52%  bird (b)"
    told = found[0].as_json()
    assert (told["error"], told["classes"][0]["class"], told["classes"][0]["meaning"]) == (None, "b", "bird")


def test_what_is_no_image_is_told_without_advice_for_a_spec(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    Image.new("RGB", (20, 20)).save(tmp_path / "0.png")
    broken, good = predict_images(Asked(make_about(), answer), [tmp_path / "notes.txt", tmp_path / "0.png"], 1)
    assert (broken.guesses, good.problem) == ((), None)
    assert str(broken.problem).endswith("fix: remove or replace it")
