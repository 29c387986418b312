"""Which arm, cell and seed a foreign run is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from engine.exchange.foreign import ForeignRun, Values
from engine.exchange.places import arm_name, experiment_name, place_runs
from engine.home.paths import is_own_name


def foreign(run: str, name: str = "net", **words: Any) -> ForeignRun:
    return ForeignRun("g", run, name, Path("there"), Values, started=float(ord(run[0])), **words)


def places(*runs: ForeignRun, **words: Any) -> list[tuple[str, str, int]]:
    return [(one.arm, one.cell, one.seed) for one in place_runs(runs, **words)]


def test_runs_of_one_name_are_seeds_of_an_arm() -> None:
    runs = [foreign(run, params={"seed": str(seed)}) for run, seed in (("b", 7), ("a", 3))]
    assert places(*runs) == [("net", "default", 3), ("net", "default", 7)]


def test_seeds_that_do_not_tell_runs_apart_are_counted() -> None:
    assert places(*(foreign(run, params={"seed": 1}) for run in "ab")) == [("net", "default", 0), ("net", "default", 1)]
    assert places(foreign("a", params={"seed": 1}), foreign("b")) == [("net", "default", 0), ("net", "default", 1)]


def test_arm_may_come_from_a_param_or_tag() -> None:
    assert places(foreign("a", params={"model": {"name": "vit/s"}}), key="model.name") == [("vit_s", "default", 0)]
    assert places(foreign("a", tags={"group": "g1"}), key="group") == [("g1", "default", 0)]
    with pytest.raises(DataError) as error:
        places(foreign("a", params={"model": 1}), key="modl")
    assert "model" in error.value.fix


def test_known_runs_keep_their_places_and_new_ones_take_free_ones() -> None:
    known = {("g", "b"): ("net", "default", 0)}
    assert places(foreign("a"), foreign("b"), known=known) == [("net", "default", 1), ("net", "default", 0)]


def test_what_xp_exported_finds_its_own_place() -> None:
    tags = {"xp.arm": "sparse", "xp.cell": "split=60/20/20", "xp.seed": "4"}
    assert places(foreign("a", tags=tags)) == [("sparse", "split=60/20/20", 4)]


@pytest.mark.parametrize("text", ["a/b@c", "../../x", "ünï", "", "@", "a" * 300, "\x1b[31mred", "-rf"])
def test_names_are_safe_as_addresses_and_folders(text: str) -> None:
    assert arm_name(text)
    assert not set(arm_name(text)) & set("/@ \x1b")
    assert is_own_name(experiment_name(text))
