"""The kernels of a batch, with the types of what they are given and their constants at 224 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.data.kernels import change, look_up, mix, resize

SIZE = 224


@dataclass(frozen=True)
class Case:
    """A kernel as a launch would compile it."""

    kernel: Any
    signature: Mapping[str, str]
    constants: Mapping[str, Any]


def _case(kernel: Any, constants: Mapping[str, Any], **types: str) -> Case:
    return Case(kernel, types, constants)


TAPS = {"counts": "*i32", "first": "*i32", "weights": "*i32", "bits": "*i32", "most": "i32"}
CUT, PIXELS, MIXED = ({"SIZE": SIZE, "BLOCK": room.BLOCK} for room in (resize, change, mix))
PLANE = {"COUNT": SIZE * SIZE, "BLOCK": change.COUNTED}
LAYER = {"kinds": "*i32", "numbers": "*fp32", "tables": "*u8"}
FINISH = {"images": "*u8", "factors": "*fp32", "means": "*fp32", "boxes": "*i32", "noise": "*u8", "blocks": "i32"}
CASES = {
    "make_taps bicubic": _case(
        resize.make_taps, {"HALF": 2.0, "CUBIC": True, "SIZE": SIZE, "WIDE": 256}, spans="*i32", **TAPS
    ),
    "make_taps bilinear": _case(
        resize.make_taps, {"HALF": 1.0, "CUBIC": False, "SIZE": SIZE, "WIDE": 256}, spans="*i32", **TAPS
    ),
    "resize_across": _case(resize.resize_across, CUT, flat="*u8", rows="*u8", boxes="*i64", **TAPS, blocks="i32"),
    "resize_down": _case(
        resize.resize_down, CUT, rows="*u8", images="*u8", boxes="*i64", **TAPS, count="i32", blocks="i32"
    ),
    "make_tables": _case(change.make_tables, PLANE, images="*u8", **LAYER),
    "change_pixels": _case(change.change_pixels, PIXELS, images="*u8", changed="*u8", **LAYER, blocks="i32"),
    "find_means": _case(change.find_means, PLANE, images="*u8", factors="*fp32", means="*fp32"),
    "finish_pixels": _case(change.finish_pixels, {"JITTERS": True, "ERASES": True, **PIXELS}, **FINISH),
    "mix_pixels": _case(
        mix.mix_pixels, MIXED, images="*u8", mixed="*u8", shares="*fp32", boxes="*i32", count="i32", blocks="i32"
    ),
    "look_up_levels": _case(
        look_up.look_up_levels,
        {"BLOCK": look_up.BLOCK},
        images="*u8",
        found="*fp32",
        table="*fp32",
        channels="i32",
        plane="i32",
        blocks="i32",
    ),
}
