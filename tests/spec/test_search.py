"""Axes: what they hold, how many points they have, and what waits for what."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.spec.search import Axis, Bound, Fidelity, Final, waits_for


@pytest.mark.parametrize(
    ("axis", "points"),
    [
        (Axis(choice=["a", "b"]), ["a", "b"]),
        (Axis(int=[1, 4]), [1, 2, 3, 4]),
        (Axis(int=[1, 8], step=3.0), [1, 4, 7]),
        (Axis(float=[0.0, 1.0], step=0.5), [0.0, 0.5, 1.0]),
        (Axis(float=[0.0, 1.0]), None),
        (Axis(log=[1.0, 8.0]), None),
    ],
)
def test_points_of_an_axis(axis: Axis, points: list[object] | None) -> None:
    assert axis.points == points


@pytest.mark.parametrize(
    ("axis", "value", "holds"),
    [
        (Axis(choice=[1, True]), True, True),
        (Axis(choice=[1]), True, False),
        (Axis(int=[1, 4]), 2, True),
        (Axis(int=[1, 4]), 2.0, False),
        (Axis(int=[1, 4]), 5, False),
        (Axis(int=[1, 8], step=3.0), 5, False),
        (Axis(float=[0.0, 1.0], step=0.25), 0.75, True),
        (Axis(log=[1.0, 8.0]), 8.0, True),
        (Axis(log=[1.0, 8.0]), "8", False),
    ],
)
def test_what_can_be_drawn(axis: Axis, value: object, holds: bool) -> None:
    assert axis.holds(value) is holds


def test_an_axis_is_written_as_it_was_read() -> None:
    told = {"float": [0.0, 1.0], "step": 0.5}
    assert Axis.model_validate(told).model_dump(exclude_unset=True) == told


def test_who_waits_for_whom() -> None:
    space = {"a": Axis(int=[1, 2]), "b": Axis(int=[1, 2], when={"a": 1}), "c": Axis(int=[1, 2], when={"b": 1})}
    assert waits_for(space, "c") == {"a", "b"}
    assert waits_for(space, "a") == set()


def test_bounds_hold_at_their_edge() -> None:
    assert Bound(below=5.0).allows(5.0)
    assert not Bound(below=5.0).allows(5.1)
    assert not Bound(above=1.0).allows(0.9)


@pytest.mark.parametrize("epochs", [[3], [3, 3], [9, 3]])
def test_rungs_rise(epochs: list[int]) -> None:
    with pytest.raises(ValidationError):
        Fidelity(epochs=epochs)


def test_a_seed_is_final_once() -> None:
    with pytest.raises(ValidationError):
        Final(seeds=[1, 1])
