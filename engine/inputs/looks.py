"""How a teacher that begins from weights looks: takes its words, gives the size, crop and pixels it was trained on.

A word of the spec wins, then what the weights file says of itself (LOOK in its header), then timm's table. A network
that none of them knows looks as the data's own words say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import safetensors

from engine.spec import Data, Settings, Spec, Teacher, weights_file
from engine.spec.base import Interpolation
from engine.spec.cells import expand_cells
from engine.spec.timm_views import timm_view

MOST_SIZE = 2048  # pixels, as in data.image_size
LOOK = "xp.look"  # a JSON object in the metadata of a .safetensors file, with fields of Look


@dataclass(frozen=True)
class Look:
    """Side of the image in pixels, centre crop as a share of the short side, interpolation; mean and std of pixels.

    `mean` and `std`, of pixels in 0..1, are None where the network's own module says them.
    """

    image_size: int
    crop_share: float
    interpolation: Interpolation
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def short_side(self) -> int:
        """The short side, in pixels, of an image of which its centre crop needs no enlarging."""
        return math.ceil(round(self.image_size / self.crop_share, 6))

    @property
    def placed(self) -> dict[str, Any]:
        """The words of `data` that make a view what it looks at."""
        return {name: getattr(self, name) for name in ("image_size", "crop_share", "interpolation")}


def teacher_look(teacher: Teacher, data: Data) -> Look:
    """Return how `teacher` looks at images; one that begins from no weights looks as the student does."""
    return _look(teacher, data, _asked(teacher))


def own_look(teacher: Teacher, data: Data) -> Look:
    """Return how the teacher's weights were trained to look, whatever the spec says."""
    return _look(teacher, data, {})


def _look(teacher: Teacher, data: Data, asked: Mapping[str, Any]) -> Look:
    known: dict[str, Any] = {name: getattr(data, name) for name in ("image_size", "crop_share", "interpolation")}
    if teacher.weights != "none" and teacher.run is None:
        view = timm_view(teacher.arch)
        known |= {field.name: getattr(view, field.name) for field in fields(Look)} if view else {}
        known |= _stored_look(weights_file(teacher.weights))
    return Look(**{**known, **asked})


def _asked(teacher: Teacher) -> dict[str, Any]:
    words = {name: getattr(teacher, name) for name in ("image_size", "crop_share", "interpolation")}
    words |= {name: tuple(value) for name in ("mean", "std") if (value := getattr(teacher, name)) is not None}
    return {name: value for name, value in words.items() if value is not None}


def _stored_look(file: Path | None) -> dict[str, Any]:
    """Return what a weights file says of how it looks; nothing where it is absent, damaged or silent."""
    text = _metadata(file).get(LOOK, "{}") if file is not None else "{}"
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    # Anybody may have written it: what could not be a word of a spec is no word here.
    known = {name: told[name] for name, fits in FITTING.items() if isinstance(told, dict) and fits(told.get(name))}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_channels(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(_is_number(one) and abs(one) < 1e3 for one in value)


FITTING: Mapping[str, Callable[[Any], bool]] = {
    "image_size": lambda value: type(value) is int and 8 <= value <= MOST_SIZE,
    "crop_share": lambda value: _is_number(value) and 0.0 < value <= 1.0,
    "interpolation": lambda value: value in get_args(Interpolation),
    "mean": _are_channels,
    "std": lambda value: _are_channels(value) and min(value) > 0.0,
}
"""What may stand in a file for a field of Look."""


def _metadata(file: Path) -> Mapping[str, str]:
    try:
        with safetensors.safe_open(file, framework="np") as stored:
            return stored.metadata() or {}
    except (safetensors.SafetensorError, OSError):
        return {}


def timm_size(arch: str) -> int | None:
    """Return the side, in pixels, of the images that timm's weights of `arch` are made for."""
    view = timm_view(arch)
    return view.image_size if view else None


def is_trained_here(weights: str) -> bool:
    """Whether `weights` is a file that xp trained: nobody's list has its accuracy."""
    file = weights_file(weights)
    return any(name.startswith("xp.") for name in _metadata(file)) if file is not None else False


def look_metadata(look: Look) -> dict[str, str]:
    """Return the metadata with which a weights file says how its network looks."""
    return {LOOK: json.dumps({field.name: getattr(look, field.name) for field in fields(Look)}, sort_keys=True)}


def look_warnings(settings: Settings) -> Iterator[str]:
    """Yield a line for each teacher that will not see what its weights were trained on."""
    for path, teacher in settings.teachers:
        if teacher.weights == "none" or teacher.run is not None:
            continue
        look, own = teacher_look(teacher, settings.data), own_look(teacher, settings.data)
        if look.image_size != own.image_size:
            what = f"it looks at {look.image_size} px, and its weights are made for {own.image_size} px"
            yield f"{path}.image_size: {what}; fix: leave {path}.image_size away"
        if settings.data.has_root and settings.data.short_side < look.short_side:
            sees = f"{look.image_size} px out of images with a short side of {look.short_side} px"
            what = f"{path} looks at {sees}, and the packed ones have {settings.data.short_side} px: they are enlarged"
            yield f"data.short_side: {what}; fix: set data.short_side: {look.short_side}"


def spec_look_warnings(spec: Spec) -> list[str]:
    """Return the lines of all cells of a spec, each once."""
    return list(dict.fromkeys(line for cell in expand_cells(spec) for line in look_warnings(cell.settings)))
