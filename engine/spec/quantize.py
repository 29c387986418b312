"""The words about quantising: by which library, to how many bits, and what it looks at to choose its scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.spec.base import Model, ranged, refuse
from engine.spec.forms import EDGE, FORMS, FormWords

Calibration = Literal["minmax", "percentile", "entropy"]
IMAGES = 128
CALIBRATION: Calibration = "minmax"
"""What is chosen where nobody chose; `dynamic` looks at no image, and has them at these."""


class Quantize(Model):
    backend: Literal["onnxruntime", "torchao"] = Field(
        "onnxruntime",
        description="onnxruntime makes an .onnx file that quantises and dequantises around each operator (QDQ), "
        "torchao a .pt2 file by PT2E for x86.",
        examples=["onnxruntime"],
    )
    bits: Literal[8] = Field(8, description="Bits of a number.", examples=[8])
    mode: Literal["static", "dynamic"] = Field(
        "static",
        description="static: the ranges of activations are found beforehand on training images; dynamic: for each "
        "batch anew, while the network runs.",
        examples=["static"],
    )
    images: Annotated[int, ranged("images", ge=1, le=10_000)] = Field(
        IMAGES, description="Training images that static ranges are found on.", examples=[128]
    )
    per_channel: bool = Field(
        True, description="Whether each output channel of a weight has a scale of its own.", examples=[True]
    )
    calibration: Calibration = Field(
        CALIBRATION,
        description="static: minmax covers all that was seen; percentile leaves the outermost 0.01 % away; entropy "
        "takes the range that loses least information.",
        examples=["minmax"],
    )

    @model_validator(mode="after")
    def _dynamic_looks_at_nothing(self) -> Quantize:
        """Refuse words that would do nothing."""
        if self.mode == "dynamic" and (self.images, self.calibration) != (IMAGES, CALIBRATION):
            what = "mode: dynamic finds its ranges while it runs, and looks at no training images"
            raise refuse(what, "write `static`, or leave images and calibration away", at="mode")
        return self

    @model_validator(mode="after")
    def _torchao_can(self) -> Quantize:
        if self.backend == "torchao" and self.mode == "dynamic":
            what = "with torchao's dynamic ranges convolutions answer otherwise than the network does"
            raise refuse(what, "write `static`, or set backend: onnxruntime", at="mode")
        if self.backend == "torchao" and not self.per_channel:
            what = "torchao quantises weights per channel here"
            raise refuse(what, "leave `per_channel` away, or use onnxruntime", at="per_channel")
        if self.backend == "torchao" and self.calibration != CALIBRATION:
            what = f"torchao has no calibration: {self.calibration} here"
            raise refuse(what, "write `minmax`, or use onnxruntime", at="calibration")
        return self


@dataclass(frozen=True)
class QuantizedForm:
    """What a backend makes: a file of which format, and the packages that it takes."""

    form: str
    words: FormWords


def quantized_form(quantize: Quantize) -> QuantizedForm:
    return BACKENDS[quantize.backend]


def is_timed(quantize: Quantize) -> bool:
    """Whether a runtime that is timed here opens its file: torch runs a .pt2 by operators that are no int8 kernels."""
    return BACKENDS[quantize.backend].form == "onnx"


def absent_packages(quantize: Quantize) -> tuple[str, str] | None:
    """Return what is not installed here for it, and how it is had; None where all is there."""
    words = BACKENDS[quantize.backend].words
    if not words.missing:
        return None
    verb = "is" if len(words.missing) == 1 else "are"
    return f"{quantize.backend} needs {' and '.join(words.missing)}, which {verb} not here", words.install


BACKENDS: Mapping[str, QuantizedForm] = {
    "onnxruntime": QuantizedForm("onnx", FORMS["onnx"]),
    "torchao": QuantizedForm("pt2", FormWords(".pt2", ("torchao",), EDGE)),
}
