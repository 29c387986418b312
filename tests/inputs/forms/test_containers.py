"""Bytes of a member and its digest are of one reader, whatever holds it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.inputs.forms import list_form
from engine.inputs.forms.containers import member_digests, open_container
from tests.inputs.forms.making import draw_photos, draw_pixels, write_idx, write_parquet, write_shards, write_zip


def write_mnist(folder: Path) -> Path:
    write_idx(folder / "train-images-idx3-ubyte", draw_pixels(4, is_grey=True))
    write_idx(folder / "train-labels-idx1-ubyte", np.array([0, 1, 0, 1], dtype=np.uint8))
    return folder


def write_arrays(folder: Path) -> Path:
    np.savez(folder.with_suffix(".npz"), x=draw_pixels(4), y=[0, 1, 0, 1])
    return folder.with_suffix(".npz")


@pytest.mark.parametrize(
    "write",
    [lambda folder: write_zip(draw_photos(), folder), lambda folder: write_parquet(draw_photos(), folder),
     lambda folder: write_shards(draw_photos(), folder), write_mnist, write_arrays],
    ids=["zip", "parquet", "shards", "idx", "arrays"],
)  # fmt: skip
def test_a_digest_is_of_the_bytes_that_are_read(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    images, _ = list_form(write(tmp_path / "set"))
    for path in {image.path for image in images}:
        names = {image.member for image in images if image.path == path}
        opened = open_container(path)
        expected = {name: hashlib.sha256(opened.read(name)).hexdigest() for name in names}
        assert dict(member_digests(path, names)) == expected
        assert dict(member_digests(path, {*sorted(names)[:1]})) == {name: expected[name] for name in sorted(names)[:1]}
