"""A finished home damaged at random: everything that matters is named, and nothing that is whole is lost.

The short form runs with the other tests; `make chaos` does a thousand and prints a table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.damages import Ravager, build_home


def ravage(folder: Path, count: int, seed: int) -> Ravager:
    ravager = Ravager(build_home(folder / "home").home, folder / "copy", seed)
    for _ in range(count):
        ravager.damage_once()
    return ravager


def test_thirty_damages_are_named_or_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.SMALLEST", 10_000)
    assert ravage(tmp_path, 30, seed=1).tally.total() == 30


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_a_thousand_damages_are_named_or_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.SMALLEST", 10_000)
    tally = ravage(tmp_path, 1000, seed=2).tally
    print(f"\n{tally.total()} damages")
    for what, number in sorted(tally.items()):
        print(f"  {what:40}{number:6}")
    assert tally.total() == 1000
