"""What an exported file says of itself: takes a network's facts, gives texts by name, and the facts back from those.

The texts lie where the format has a place for them: the header of .safetensors, metadata_props of ONNX, an extra file
of .pt2. Beside ABOUT there are those of the trained weights (lineage, look), as they were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from engine.errors import DataError
from engine.spec import Student
from engine.spec.base import Interpolation, Model

ABOUT = "xp.about"
Metadata = Mapping[str, str]


class About(Model):
    """All that is needed to ask a network about a photograph, and to know where it comes from.

    An image is decoded, its short side brought to at most `short_side` pixels, kept as JPEG where `format` is jpeg, the
    centre `crop_share` of it cut out and resized to `image_size`; then (pixel / 255 - mean) / std. `classes` are the
    names in the order of the outputs, `meanings` what a person calls them. `weights` is the sha256 of the trained
    file, `job` who made it. `opset` is of ONNX alone.
    """

    version: Literal[1] = 1
    network: Student
    widths: dict[str, Any] | None = None
    classes: list[str] = Field(min_length=1)
    meanings: list[str]
    image_size: Annotated[int, Field(ge=8, le=2048)]
    crop_share: Annotated[float, Field(gt=0.0, le=1.0)]
    interpolation: Interpolation
    mean: list[float] = Field(min_length=3, max_length=3)
    std: list[Annotated[float, Field(gt=0.0)]] = Field(min_length=3, max_length=3)
    short_side: Annotated[int, Field(ge=1, le=65_536)]
    format: Literal["raw", "jpeg"]
    precision: Literal["fp32", "int8"] = "fp32"
    opset: int | None = None
    job: str = ""
    weights: str = ""

    def texts(self, beside: Metadata) -> dict[str, str]:
        """Return what is written into the file: these facts, and `beside` them what the trained weights said."""
        return {**beside, ABOUT: json.dumps(self.model_dump(mode="json"), sort_keys=True)}


def read_about(texts: Metadata, file: Path) -> About:
    """Return what a file says of itself. Raises DataError where xp did not export it, or another version of it did."""
    fix = "export it with this xp: xp export RUN --format onnx"
    if ABOUT not in texts:
        raise DataError("this file does not say how its network sees an image", where=str(file), fix=fix)
    try:
        return About.model_validate_json(texts[ABOUT])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or ABOUT
        what = f"what it says of itself cannot be understood: {place}: {first['msg'].lower()}"
        raise DataError(what, where=str(file), fix=fix) from error
