"""Boxes resized by the kernels have the bytes of the plain operators, which have torch's."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("kind", ["bicubic", "bilinear"])
def test_boxes_have_the_hosts_bytes(compared: dict[str, bool], kind: str) -> None:
    assert compared[f"boxes {kind}"]
