"""What a file says of itself comes back, and what is not that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.export.about import ABOUT, read_about
from engine.errors import DataError
from tests.core.export.conftest import make_about

FILE = Path("network.onnx")


def test_what_was_written_comes_back_beside_the_lineage() -> None:
    about = make_about(widths={"mid": [8]}, opset=18)
    texts = about.texts({"xp.lineage": "{}"})
    assert texts["xp.lineage"] == "{}"
    assert read_about(texts, FILE) == about


def test_a_file_of_somebody_else_is_told_from_a_damaged_one() -> None:
    with pytest.raises(DataError, match="does not say how its network sees an image"):
        read_about({}, FILE)
    with pytest.raises(DataError, match="cannot be understood: crop_share"):
        read_about({ABOUT: make_about().texts({})[ABOUT].replace("0.875", "7")}, FILE)
