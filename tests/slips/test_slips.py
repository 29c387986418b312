"""A slip of the hand is answered well: no traceback, the right line, and a fix that can be carried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slips.changes import CHANGES, Text, slips
from tests.slips.goods import good_specs
from tests.slips.judging import Outcome, count_rates, judge_slips
from tests.slips.mending import mend
from tests.slips.telling import Problem, read_problems, validate

LEAST_PLACED, LEAST_MENDED = 0.98, 0.85
OWN = ("small", "folder", "arms")
"""Texts that stand alone: each is checked in a fraction of the time of one with a dozen arms."""


def broken(outcomes: list[Outcome]) -> list[str]:
    return [f"{one.name}, {one.slip.about}: {one.told.text}" for one in outcomes if one.verdict == "broken"]


@pytest.mark.slow  # a thousand slips and as many repairs: two minutes of a processor
def test_a_thousand_slips_are_answered(tmp_path: Path) -> None:
    outcomes = judge_slips(tmp_path, 1000, 0)
    assert broken(outcomes) == []
    rates = count_rates(outcomes)
    assert rates.legal < 150
    assert rates.placed >= LEAST_PLACED
    assert rates.mended >= LEAST_MENDED


def test_a_few_slips_of_each_kind_are_answered(tmp_path: Path) -> None:
    goods = {name: good_specs()[name] for name in OWN}
    outcomes = judge_slips(tmp_path, 8 * len(CHANGES), 5, goods)
    assert broken(outcomes) == []
    rates = count_rates(outcomes)
    assert rates.placed >= LEAST_PLACED - 0.02  # of a hundred, one is a hundredth
    assert rates.mended >= LEAST_MENDED


def test_what_is_good_is_valid(tmp_path: Path) -> None:
    for name in OWN:
        told = validate(tmp_path, good_specs()[name].encode())
        assert (told.code, told.problems) == (0, ()), told.text


def test_the_same_seed_slips_alike() -> None:
    goods = {name: good_specs()[name] for name in OWN}
    assert list(slips(goods, 26, 3)) == list(slips(goods, 26, 3))
    kinds = {slip.kind for _, slip in slips(goods, 26, 3)}
    assert len(kinds) >= len(CHANGES) - 2
    assert all(slip.raw != goods[name].encode() for name, slip in slips(goods, 26, 3))


def test_the_words_of_a_spec_are_its_own() -> None:
    names = {spot.name for spot in Text("arms: {a: {train.lr: 1}, b: {}}\ntrain: {lr: 1}\n").words()}
    assert names == {"arms", "train.lr", "train", "lr"}


def test_a_printed_problem_is_read_back() -> None:
    text = "warning: x\nspec.yaml:3:5: train.lr: no\n   3 | a\n     | ^\nfix: write `1`\n"
    assert read_problems(text) == [Problem(3, 5, "train.lr: no", "write `1`", "   3 | a\n     | ^")]


@pytest.mark.parametrize(
    ("text", "place", "fix", "mended"),
    [
        ("train:\n  ler: 1\n", (2, 3), "did you mean 'lr' or 'x'?", "train:\n  lr: 1\n"),
        ("seeds: 2\n", (1, 8), "write `[0, 1]` for 2 seeds", "seeds: [0, 1]\n"),
        ("a: '3'\n", (1, 4), "remove the quotes: write `3`", "a: 3\n"),
        ("a: !foo 3\n", (1, 4), "remove the tag '!foo'", "a: 3\n"),
        ("data: {}\n", (1, 1), "add `source: digits`", "data: {source: digits}\n"),
        ("a: 1\na: 2\n", (2, 1), "keep one of the two lines, or rename one", "a: 1\n"),
        ("epochs: 3\n", (1, 1), "move it below `train:`", "train: {epochs: 3}\n"),
        ("a: {b: 1, c: 2}\n", (1, 8), "leave `b` away", "a: {c: 2}\n"),
        ("a:\n   b: 1\n", (2, 4), "indent it by 2 spaces", "a:\n  b: 1\n"),
        ("a: 1\n", (1, 4), "think about it", None),
    ],
)
def test_a_fix_is_carried_out_by_its_words(text: str, place: tuple[int, int], fix: str, mended: str | None) -> None:
    found = mend(text.encode(), Problem(*place, "wrong", fix))
    assert (None if found is None else found.decode()) == mended
