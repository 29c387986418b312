"""What all parts of a spec are made of: strict frozen models, common kinds of numbers, the error a validator raises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

ASIDE: dict[str, Any] = {"aside": True}
LATER: dict[str, Any] = {"later": True}
"""Marks a setting of a job that came after jobs of its kind were there: at its default it is not in their ids."""

Ratio = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
PerStage = int | list[int] | None
Interpolation = Literal["bicubic", "bilinear"]
Precision = Literal["bf16", "fp32", "tf32"]
# A name is a folder (experiments/NAME) and a word on the command line.
NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"


def refuse(what: str, fix: str) -> PydanticCustomError:
    """Return the error a validator raises: what is wrong, and the repair that the person is shown."""
    return PydanticCustomError("refused", "{what}", {"what": what, "fix": fix})


def refuse_keys(title: str, problems: Iterable[tuple[str, str, str]]) -> ValidationError:
    """Return the error a validator of a mapping raises for keys of it: each with what is wrong and the repair."""
    details = [InitErrorDetails(type=refuse(what, fix), loc=(key,), input=key) for key, what, fix in problems]
    return ValidationError.from_exception_data(title, details)


class Model(BaseModel):
    """A frozen part of a spec. Strict about types, so that `lr: "1e-3"` (a text) is an error and not a guess."""

    # defer_build: a validator is made when it is first needed; a command uses few of the models, and starts sooner.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, defer_build=True
    )
