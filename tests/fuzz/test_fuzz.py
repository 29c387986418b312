"""Every reader of foreign bytes answers: what is right, what is slightly wrong, and what once crashed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import XpError
from tests.fuzz.mutations import mutants
from tests.fuzz.target import Feeder, Target
from tests.fuzz.targets import TARGETS

COUNTS = {
    "spec": 100,
    "archive": 200,
    "image": 200,
    "weights": 200,
    "boxes": 200,
    "box_table": 200,
    "box_mask": 200,
    "sql": 40,
    "ids": 60,
}
FEW = 6  # where each input has a home rebuilt


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_answers_to_what_is_slightly_wrong(name: str) -> None:
    seeds = TARGETS[name].seeds()
    with Feeder(TARGETS[name]) as feeder:
        for content in (*seeds, *mutants(seeds, COUNTS.get(name, FEW), 7)):
            assert not (crash := feeder.crash_of(content)), f"{content!r}\n{crash}"


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        pytest.param(target, kept, id=f"{name}/{kept.name}")
        for name, target in TARGETS.items()
        for kept in target.kept()
    ],
)
def test_a_reader_answers_to_what_once_crashed_it(target: Target, kept: Path) -> None:
    with Feeder(target) as feeder:
        assert not (crash := feeder.crash_of(kept.read_bytes())), crash


def test_the_mutator_gives_the_same_inputs_for_a_seed_and_others_for_another() -> None:
    seeds = [b"name: a\n", bytes(range(50))]
    assert list(mutants(seeds, 20, 1)) == list(mutants(seeds, 20, 1))
    assert list(mutants(seeds, 20, 1)) != list(mutants(seeds, 20, 2))
    assert sum(content not in seeds for content in mutants(seeds, 20, 1)) > 15


def refuse(_: bytes) -> None:
    raise XpError("no")


def fall(_: bytes) -> None:
    raise KeyError("name")


class Mumbled(XpError):
    def __str__(self) -> str:
        return "\ud800"


def mumble(_: bytes) -> None:
    raise Mumbled("no")


def test_an_error_of_ours_is_an_answer_and_another_a_crash() -> None:
    for read, crashes in ((refuse, False), (fall, True), (mumble, True)):
        with Feeder(Target("made", lambda _, read=read: read, list)) as feeder:  # type: ignore[misc]  # bound per case
            assert bool(feeder.crash_of(b"")) == crashes
