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
from tests.analysis.answering import note_queries
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
    asked = note_queries(monkeypatch)
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


def test_what_is_asked_for_all_arms_at_once_is_known_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one_snapshot(_made(tmp_path).home) as held:
        expected = [held._ask("compare_runs", {"experiment": "paper", "arm": arm}) for arm in ("only", "other")]
        asked = note_queries(monkeypatch)
        held.ask_each("compare_runs", "arm", ["only", "other"], experiment="paper")
        assert [held.ask("compare_runs", experiment="paper", arm=arm) for arm in ("only", "other")] == expected
        assert len(expected[0]) == 1
    assert asked == ["compare_runs"]


def test_images_of_a_job_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"a": ("xy", "10"), "b": ("xy", "11"), "c": ("xz", "11")}
    asked: list[list[str]] = []

    def answer(_self: Snapshot, _query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        asked.append(values["jobs"])
        return [
            {"job": job, "images": told[job][0], "correct": told[job][1]}
            for job in values["jobs"] if job in told
        ]  # fmt: skip

    monkeypatch.setattr(Snapshot, "_ask", answer)
    with one_snapshot(_made(tmp_path).home) as held:
        first, second = held.ask_images(["b", "a"]), held.ask_images(["a", "c", "lost"])
    assert asked == [["a", "b"], ["c", "lost"]]
    assert [list(first[job].right) for job in "ab"] == [[True, False], [True, True]]
    assert first["a"].images == first["b"].images == second["a"].images != second["c"].images
    assert "lost" not in second


def test_what_is_worked_out_of_a_snapshot_is_worked_out_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    home = _made(tmp_path).home
    with one_snapshot(home) as held:
        assert [held.keep(("a",), make), held.keep(("b",), make), held.keep(("a",), make)] == [0, 1, 0]
    with one_snapshot(home) as other:
        assert other.keep(("a",), make) == 2, "of each snapshot"
