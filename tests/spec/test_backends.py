"""Which backend `auto` is, by the words of a spec."""

from __future__ import annotations

from typing import Any

import pytest

from engine.spec import Student
from engine.spec.backends import settle_backend


@pytest.mark.parametrize(
    ("windows", "words", "backend"),
    [
        ([7, 28, 14, 7], {}, "bands"),
        ([7, 28, 14, 7], {"pattern": "row"}, "bands"),
        ([7, 28, 14, 7], {"pattern": "block"}, "auto"),
        ([7, 28, 14, 7], {"stages": [2, 3]}, "auto"),
        ([7, 28, 14, 7], {"backend": "reference"}, "reference"),
        ([7, 14, 14, 7], {}, "auto"),
    ],
)
def test_large_windows_are_banded_where_nobody_chose(windows: list[int], words: dict[str, Any], backend: str) -> None:
    network = Student.model_validate(
        {"arch": "tiny_vit_5m", "windows": windows, "attention": {"kind": "longformer", **words}}
    )
    settled = settle_backend(network, 224)
    assert settled.attention.backend == backend
    assert settle_backend(settled, 224) == settled


def test_dense_and_timm_networks_are_as_they_were() -> None:
    for network in (Student(arch="tiny_vit_5m", windows=[7, 28, 14, 7]), Student(arch="timm/resnet18")):
        assert settle_backend(network, 224) is network


def test_a_window_that_the_map_clips_is_not_large() -> None:
    network = Student.model_validate(
        {"arch": "tiny_vit_5m", "windows": [7, 28, 14, 7], "attention": {"kind": "longformer"}}
    )
    assert settle_backend(network, 112) == network
