"""Every number of a spec has a smallest and a largest value, and says both; what is beyond them is refused."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from engine.spec import Spec
from engine.spec.base import MOST_SEED, Numbers, ranged, show_number

Marks = tuple[object, ...]


def models_below(model: type[BaseModel], seen: set[type[BaseModel]] | None = None) -> set[type[BaseModel]]:
    seen = set() if seen is None else seen
    if model not in seen:
        seen.add(model)
        for field in model.model_fields.values():
            for kind in kinds_in(field.annotation):
                models_below(kind, seen)
    return seen


def kinds_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from kinds_in(part)


def numbers_in(annotation: object, marks: Marks = ()) -> Iterator[Marks]:
    """Yield for each number that a value of this kind can hold what bounds it."""
    if annotation in (int, float):
        yield marks
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from numbers_in(parts[0], (*marks, *flat(parts[1:])))
    elif origin is not Literal:
        # The bounds of a list are its length; what is marked as Numbers is looked through.
        kept = marks if origin in (Union, UnionType) else tuple(mark for mark in marks if isinstance(mark, Numbers))
        for part in parts:
            yield from numbers_in(part, kept)


def flat(marks: Marks) -> Iterator[object]:
    for mark in marks:
        yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)


NUMBERS = [
    (f"{model.__name__}.{name}", (*marks,))
    for model in sorted(models_below(Spec), key=lambda model: model.__name__)
    for name, field in model.model_fields.items()
    for marks in numbers_in(field.annotation, tuple(field.metadata))
]


@pytest.mark.parametrize(("name", "marks"), NUMBERS, ids=[name for name, _ in NUMBERS])
def test_every_number_has_a_smallest_and_a_largest_value(name: str, marks: Marks) -> None:
    is_marked = any(isinstance(mark, Numbers) for mark in marks)
    low, high = (any(isinstance(mark, kinds) for mark in marks) for kinds in ((Ge, Gt), (Le, Lt)))
    assert is_marked or (low and high), f"{name}: mark it with ranged() of spec/base.py"


def test_the_numbers_are_found() -> None:
    """The search itself: what it does not find cannot fail."""
    names = {name for name, _ in NUMBERS}
    assert {"Train.lr", "Spec.seeds", "Network.dims"} & names == {"Train.lr", "Spec.seeds"}
    assert {"Student.dims", "Teacher.options", "Distill.temperature", "TemperatureSchedule.start"} <= names
    assert {"LongformerAttention.radius", "Augment.crop_scale", "Claim.margin", "Resources.gpus"} <= names
    assert list(numbers_in(int)) == list(numbers_in(list[float])) == [()]
    assert len(list(numbers_in(dict[str, int | float | str | None]))) == 2


def test_a_number_says_its_range_and_what_it_counts() -> None:
    schema = TypeAdapter(Annotated[int, ranged("steps", ge=1, le=1_000_000)]).json_schema()
    assert schema == {"unit": "steps", "minimum": 1, "maximum": 1_000_000, "type": "integer"}
    assert "unit" not in TypeAdapter(Annotated[float, ranged(gt=0.0, lt=0.5)]).json_schema()


@pytest.mark.parametrize(("number", "text"), [(1, "1"), (2048.0, "2,048"), (1e6, "1,000,000"), (0.01, "0.01")])
def test_bounds_are_written_out(number: float, text: str) -> None:
    assert show_number(number) == text


def test_the_largest_seed_is_the_largest_of_a_column() -> None:
    assert MOST_SEED == 2**63 - 1


MIXED: Any = TypeAdapter(Annotated[dict[str, int | list[int] | bool | str] | int | list[int] | None, Numbers(-1, 3)])


@pytest.mark.parametrize("value", [None, 3, -1, [-1, 3], {"a": 3, "b": [0], "c": True, "d": "99"}])
def test_numbers_within_are_let_through(value: object) -> None:
    assert MIXED.validate_python(value) == value


@pytest.mark.parametrize(
    ("value", "place", "what"),
    [
        (4, (), "a number here is above 3"),
        ([0, -2], (), "a number here is below -1"),
        ({"a": 1, "b": [10**6000]}, ("b",), "a number here is above 3"),
    ],
)
def test_numbers_beyond_are_refused_where_they_are(value: object, place: tuple[str, ...], what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MIXED.validate_python(value)
    (found,) = caught.value.errors()
    assert (found["loc"], found["ctx"]) == (place, {"what": what, "fix": "use -1 to 3"})
