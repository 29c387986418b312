"""A finished home damaged at random: everything that matters is named, and nothing that is whole is lost.

The short form runs with the other tests; `make chaos` does a thousand and prints a table.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.damages import Ravager, build_home


def ravage(folder: Path, count: int, seed: int, most: int) -> Counter[str]:
    """Do at least `count` damages, up to `most` at once, and return what became of them."""
    ravager, done = Ravager(build_home(folder / "home").home, folder / "copy", seed), 0
    while done < count:
        done += ravager.round(ravager.chance.randint(1, most))
    return ravager.tally


def test_thirty_damages_are_named_or_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.SMALLEST", 10_000)
    assert ravage(tmp_path, 30, seed=1, most=8).total() >= 30


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_a_thousand_damages_are_named_or_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.SMALLEST", 10_000)
    tally = ravage(tmp_path, 1000, seed=2, most=8)
    print(f"\n{tally.total()} damages")
    for what, number in sorted(tally.items()):
        print(f"  {what:40}{number:6}")
    assert tally.total() >= 1000
