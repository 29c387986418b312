"""A photograph gets the very pixels that evaluation gives the same image out of a pack."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.data.loader import EvalLoader
from engine.core.data.pack import open_pack, write_pack
from engine.core.data.sources import list_images
from engine.core.export.photograph import look_at, read_photograph, shares_of
from engine.errors import DataError
from engine.spec import Data
from tests.core.export.conftest import make_about


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=95)
    path.write_bytes(held.getvalue())


@pytest.mark.parametrize("kept", ["raw", "jpeg"])
def test_pixels_are_those_of_evaluation_to_the_bit(kept: Literal["raw", "jpeg"], tmp_path: Path) -> None:
    for number in range(4):
        write_image(tmp_path / "images" / "ab"[number % 2] / f"{number}.jpg", number)
    data = Data(
        source="folder", root=str(tmp_path / "images"), image_size=40, short_side=72, crop_share=0.8, format=kept
    )
    listing = list_images(data)
    (tmp_path / "pack").mkdir()
    write_pack(listing, tmp_path / "pack", data.short_side, lambda done, count: None, format=kept)
    pack = open_pack(tmp_path / "pack")
    batch = next(iter(EvalLoader(pack, np.arange(4), data, 40, 4)))
    about = make_about(image_size=40, short_side=72, crop_share=0.8, format=kept)
    for sample, pixels in zip(listing.samples, batch.images, strict=True):
        assert sample.path is not None
        assert torch.equal(read_photograph(sample.path, about), pixels)


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>")
    for path, words in ((tmp_path / "a.jpg", "a web page"), (tmp_path, "a folder"), (tmp_path / "b.jpg", "no such")):
        with pytest.raises(DataError, match=words):
            read_photograph(path, make_about())
    with pytest.raises(DataError, match="no such file"):
        read_photograph(Path("/dev/zero"), make_about())


def test_pixels_are_normalised_and_shares_sum_to_one() -> None:
    grey = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    torch.testing.assert_close(look_at(grey, make_about()), torch.full((1, 3, 2, 2), 2.0))
    assert float(shares_of(torch.randn(2, 1000)).sum(1)[0]) == pytest.approx(1.0, abs=1e-12)
