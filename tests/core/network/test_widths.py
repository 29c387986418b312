"""Inner widths: those of an unpruned network, and there and back through JSON."""

from __future__ import annotations

import json

from engine.core.network.widths import Widths, full_widths
from engine.spec import Student
from engine.spec.shapes import network_shape


def test_full_widths_are_four_times_the_channels() -> None:
    sizes = {"dims": [8, 16, 24, 32], "depths": [2, 1, 2, 1], "heads": [1, 2, 3, 4]}
    widths = full_widths(network_shape(Student.model_validate({"arch": "tiny_vit", **sizes}), 224))
    assert widths == Widths(mid=(32, 32), heads=((2,), (3, 3), (4,)), hidden=((64,), (96, 96), (128,)))


def test_json_brings_the_same_widths_back() -> None:
    widths = Widths((3, 5), ((1,), (2, 2)), ((7,), (8, 9)))
    assert Widths.from_json(json.loads(json.dumps(widths.to_json()))) == widths
