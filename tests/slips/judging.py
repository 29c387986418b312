"""Slips judged: takes good texts, a count and a seed, gives what became of each slip, and the rates.

A slip is `legal` where the spec is valid with it; of the others count whether the line was right, whether there was a
traceback, and whether the fix, carried out by its words, takes the problem away without making another.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.slips.changes import Slip, slips
from tests.slips.goods import SPECS, good_specs
from tests.slips.mending import mend
from tests.slips.telling import Problem, Told, validate


@dataclass(frozen=True)
class Outcome:
    """`verdict`: legal, broken (a traceback or a wrong exit code), or told; the rest is of what was told."""

    name: str
    slip: Slip
    told: Told
    verdict: str
    is_placed: bool = False
    is_mended: bool = False
    after: str = ""

    @property
    def first(self) -> Problem | None:
        return self.told.problems[0] if self.told.problems else None


@dataclass(frozen=True)
class Rates:
    slips: int
    legal: int
    broken: int
    placed: float
    mended: float


def judge_slips(folder: Path, count: int, seed: int, goods: dict[str, str] | None = None) -> list[Outcome]:
    """Judge `count` slips, in a folder that holds all that the good texts extend."""
    for file in SPECS.glob("_*.yaml"):
        shutil.copy(file, folder)
    return [judge(folder, name, slip) for name, slip in slips(goods or good_specs(), count, seed)]


def judge(folder: Path, name: str, slip: Slip) -> Outcome:
    told = validate(folder, slip.raw)
    if told.code == 0:
        return Outcome(name, slip, told, "legal")
    if told.code != 2 or not told.problems:
        return Outcome(name, slip, told, "broken")
    first = told.problems[0]
    mended = mend(slip.raw, first)
    after = validate(folder, mended) if mended is not None else None
    return Outcome(
        name, slip, told, "told", first.line in slip.lines, after is not None and _is_gone(first, told, after),
        "" if mended is None else mended.decode(),
    )  # fmt: skip


def _is_gone(problem: Problem, before: Told, after: Told) -> bool:
    """Whether the problem is gone and nothing came in its place that was not there."""
    old = {one.what for one in before.problems}
    return after.code == 0 or (bool(after.problems) and all(one.what in old - {problem.what} for one in after.problems))


def count_rates(outcomes: Iterable[Outcome]) -> Rates:
    kinds = list(outcomes)
    verdicts = Counter(one.verdict for one in kinds)
    told = [one for one in kinds if one.verdict == "told"]
    share = max(1, len(told))
    return Rates(
        len(kinds), verdicts["legal"], verdicts["broken"],
        sum(one.is_placed for one in told) / share, sum(one.is_mended for one in told) / share,
    )  # fmt: skip
