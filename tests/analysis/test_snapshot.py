"""One state of the results, whatever is published while it is held."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.collect import collect
from engine.errors import QueryError
from engine.home.paths import open_home
from tests.helpers.synthetic import ARMS, SyntheticHome


def _made(folder: Path) -> SyntheticHome:
    made = SyntheticHome(folder / "home")
    made.experiment("paper", {"only": ARMS["original"]}, seeds=(0,))
    collect(made.home)
    return made


def test_snapshot_stays_as_it_was_opened(tmp_path: Path) -> None:
    made = _made(tmp_path)
    with one_snapshot(made.home) as held:
        made.experiment("other", {"only": ARMS["original"]}, seeds=(1,))
        collect(made.home)
        assert held.ask("claims_experiments") == [{"experiment": "paper"}]
        with one_snapshot(made.home) as newer:
            assert newer.ask("claims_experiments") == [{"experiment": "other"}, {"experiment": "paper"}]


def test_snapshot_that_is_handed_down_is_the_same_and_stays_open(tmp_path: Path) -> None:
    with one_snapshot(_made(tmp_path).home) as held:
        with one_snapshot(held) as handed:
            assert handed is held
        assert held.ask("report_about", name="paper")[0]["title"] == "The paper experiment"


def test_unknown_experiment_brings_the_nearest(tmp_path: Path) -> None:
    with one_snapshot(_made(tmp_path).home) as held:
        held.check_experiment("paper")
        with pytest.raises(QueryError, match=r"(?s)no experiment 'papr' in the results.*did you mean 'paper'"):
            held.check_experiment("papr")


def test_home_without_results_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"(?s)no results yet.*xp submit SPEC"), one_snapshot(open_home(tmp_path)):
        pass


def test_what_was_asked_before_is_not_asked_again_and_no_answer_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = Snapshot._ask

    def note(self: Snapshot, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        asked.append(query)
        return real(self, query, values)

    monkeypatch.setattr(Snapshot, "_ask", note)
    with one_snapshot(_made(tmp_path).home) as held:
        for _ in range(2):
            rows = held.ask("compare_runs", experiment="paper", arm="only")
            assert len(rows) == 1
            rows.clear()
            held.ask("compare_images", jobs=["train-1"])
        held.ask("compare_runs", experiment="paper", arm="other")
    assert asked == ["compare_runs", "compare_images", "compare_images", "compare_runs"], (
        "lists are asked for each time"
    )
