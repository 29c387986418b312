"""What a source may give as an image, and what is said of anything else."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.own_code.trials import image_problem

GREY = np.zeros((4, 5), np.uint8)


@pytest.mark.parametrize("image", [b"file", GREY, np.zeros((4, 5, 3), np.uint8)])
def test_files_and_arrays_are_images(image: object) -> None:
    assert image_problem(("a class", image)) is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (GREY, "a ndarray, and no pair"),
        (("a", GREY, 1), "a tuple, and no pair"),
        ((3, GREY), "its class 3 is no name"),
        (("", GREY), "is no name"),
        ((".hidden", GREY), "is no name"),
        (("a/b", GREY), "no name for a folder"),
        (("val", GREY), "no name for a folder"),
        (("a", "text"), "an image is a str"),
        (("a", GREY.astype(float)), "an image is a float64 array"),
        (("a", np.zeros((3, 4, 4), np.uint8)), "the shape (3, 4, 4)"),
        (("a", np.zeros((0, 4), np.uint8)), "the shape (0, 4)"),
    ],
)
def test_anything_else_is_told(given: object, says: str) -> None:
    problem = image_problem(given)
    assert problem is not None
    assert says in problem[0]
    assert problem[1]
