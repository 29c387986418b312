"""What all parts of a spec are made of: strict frozen models, common kinds of numbers, the error a validator raises."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from store.escape import find_unprintable

ASIDE: dict[str, Any] = {"aside": True}
LATER: dict[str, Any] = {"later": True}
"""Marks a setting of a job that came after jobs of its kind were there: at its default it is not in their ids."""


def ranged(
    unit: str = "", *, ge: float | None = None, gt: float | None = None, le: float | None = None,
    lt: float | None = None,
) -> Any:  # fmt: skip
    """Return the mark of a number between two bounds, and of what it counts.

    Every number of a spec has two: beyond them no network, machine or training is, and a slip would be planned.
    """
    return Field(ge=ge, gt=gt, le=le, lt=lt, json_schema_extra={"unit": unit} if unit else None)


def show_number(number: float) -> str:
    """Return a bound as a person reads it: 1,000,000 and not 1e+06."""
    return f"{int(number):,}" if float(number).is_integer() else f"{number:g}"


# Beyond a thousand years of epochs, and beyond any machine.
MOST_EPOCHS, MOST_BATCH, MOST_THREADS = 1_000_000, 1_000_000, 4096
MOST_SEED = 2**63 - 1  # what SQL holds

Share = Annotated[float, ranged(ge=0.0, le=1.0)]
Ratio = Annotated[float, ranged(ge=0.0, lt=1.0)]
Positive = Annotated[float, ranged(gt=0.0, le=1e6)]
Weight = Annotated[float, ranged(ge=0.0, le=1e6)]
Rate = Annotated[float, ranged(gt=0.0, le=100.0)]
Beta = Annotated[float, ranged(ge=0.0, lt=1.0)]
Epochs = Annotated[int, ranged("epochs", ge=1, le=MOST_EPOCHS)]
FewEpochs = Annotated[int, ranged("epochs", ge=0, le=MOST_EPOCHS)]
Batch = Annotated[int, ranged("images", ge=1, le=MOST_BATCH)]
Threads = Annotated[int, ranged("threads", ge=1, le=MOST_THREADS)]
Width = Annotated[int, ranged(ge=1, le=65_536)]
Depth = Annotated[int, ranged("blocks", ge=1, le=10_000)]
Side = Annotated[int, ranged("tokens", ge=1, le=2048)]
Seed = Annotated[int, ranged(ge=0, le=MOST_SEED)]


@dataclass(frozen=True)
class Numbers:
    """Marks a field of several kinds: every number in it, in lists and mappings too, is `least` to `most`."""

    least: float
    most: float

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def check(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            problems = [(key, *found) for key, item in value.items() if (found := self._problem(item))]
            if problems:
                raise refuse_keys("numbers", problems)
        elif found := self._problem(value):
            raise refuse(*found)
        return value

    def _problem(self, value: Any) -> tuple[str, str] | None:
        for number in value if isinstance(value, list) else [value]:
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if is_number and not self.least <= number <= self.most:
                least, most = show_number(self.least), show_number(self.most)
                what = f"above {most}" if number > self.most else f"below {least}"
                return f"a number here is {what}", f"use {least} to {most}"
        return None


PerStage = Annotated[int | list[int] | None, Numbers(-1_000_000, 1_000_000)]
"""Of an attention; what a stage has room for is said where its window is known (shapes.py)."""
Interpolation = Literal["bicubic", "bilinear"]
Precision = Literal["bf16", "fp16", "fp32", "tf32"]
# A name is a folder (experiments/NAME) and a word on the command line.
NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"


def name_fix(given: str, other: str) -> str:
    """Return the fix of what is no name: the nearest that is one, `other` where nothing of it is left."""
    clean = re.sub(r"[^a-z0-9_-]+", "_", given.lower()).strip("_-")[:64] or other
    return f"write `{clean}`: small letters, digits, - and _, 64 at most, a letter or digit first"


def refuse(what: str, fix: str, *, at: str = "", key: bool = False) -> PydanticCustomError:
    """Return the error a validator raises: what is wrong, the repair, and which word of the model it is `at`.

    `key` says that the word itself is wrong, and not its value.
    """
    where = {**({"at": at} if at else {}), **({"key": True} if key else {})}
    return PydanticCustomError("refused", "{what}", {"what": what, "fix": fix, **where})


def refuse_all(title: str, problems: Iterable[tuple[str, str, str]]) -> ValidationError:
    """Return the error a validator raises for several words of a model: the dotted path of each, what, the repair."""
    details = [InitErrorDetails(type=refuse(what, fix, at=at), loc=(), input=None) for at, what, fix in problems]
    return ValidationError.from_exception_data(title, details)


def refuse_keys(title: str, problems: Iterable[tuple[str, str, str]], *, key: bool = False) -> ValidationError:
    """Return the error a validator of a mapping raises for entries of it: each with what is wrong and the repair.

    `key` as for `refuse`.
    """
    details = [InitErrorDetails(type=refuse(what, fix, key=key), loc=(at,), input=at) for at, what, fix in problems]
    return ValidationError.from_exception_data(title, details)


class Model(BaseModel):
    """A frozen part of a spec. Strict about types, so that `lr: "1e-3"` (a text) is an error and not a guess.

    Its texts are printable Unicode: they become file names, rows, pages and lines of a terminal.
    """

    # defer_build: a validator is made when it is first needed; a command uses few of the models, and starts sooner.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, defer_build=True
    )

    @model_validator(mode="after")
    def _texts_are_printable(self) -> Self:
        for name, value in self.__dict__.items():
            sign = next(filter(None, map(find_unprintable, _texts_in(value))), "")
            if sign:
                raise refuse(f"{name} holds the character {sign}, which is not printable", "leave it out")
        return self


def _texts_in(value: Any) -> Iterator[str]:
    """Yield every text of a value; those of models in it are looked at by themselves."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (*_texts_in(key), *_texts_in(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts_in(inner)
