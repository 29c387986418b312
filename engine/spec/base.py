"""What all parts of a spec are made of: strict frozen models, common kinds of numbers, the error a validator raises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from store.escape import find_unprintable

ASIDE: dict[str, Any] = {"aside": True}

Ratio = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
PerStage = int | list[int] | None
Interpolation = Literal["bicubic", "bilinear"]
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
