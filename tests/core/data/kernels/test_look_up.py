"""Pixels are normalised by the kernel to the bits of the plain operators."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("name", ["pixels of 5 images", "pixels of one colour"])
def test_normalised_pixels_have_the_hosts_bits(compared: dict[str, bool], name: str) -> None:
    assert compared[name]
