"""Frozen numbers tell what of a paper is not as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.freeze import freeze_numbers, list_changes
from engine.collect import collect, rebuild
from engine.errors import QueryError
from engine.home.pins import read_pins
from tests.analysis.answering import Answer, Answers
from tests.helpers.synthetic import ARMS, SyntheticHome

OWN = "from the same runs: their jobs hold other figures now"
SPREAD = "from the same runs: the same mean with another spread"


def _made(folder: Path) -> SyntheticHome:
    made = SyntheticHome(folder / "home")
    made.experiment("paper", {name: ARMS[name] for name in ("original", "proposed")}, (0, 1))
    collect(made.home)
    return made


def test_nothing_changes_by_a_rebuild(tmp_path: Path) -> None:
    made = _made(tmp_path)
    path = freeze_numbers(made.home, "paper", tmp_path / "frozen.json")
    rebuild(made.home)
    assert list_changes(made.home, "paper", path) == []


def test_the_home_knows_what_rests_on_it(tmp_path: Path) -> None:
    made = _made(tmp_path)
    path = freeze_numbers(made.home, "paper", tmp_path / "frozen.json")
    (pin,) = read_pins(made.home, "paper")
    assert (pin.about.kind, pin.about.path) == ("frozen numbers", str(path))
    assert set(pin.about.runs) == {run["run"] for run in json.loads(made.home.records("paper")[0].read_text())["runs"]}


def test_more_seeds_and_a_lost_arm_are_named(tmp_path: Path) -> None:
    made = _made(tmp_path)
    path = freeze_numbers(made.home, "paper", tmp_path / "frozen.json")
    runs = made.experiment("paper", {"original": ARMS["original"]}, (2,))
    made.record("paper", [*made_runs(made), *runs], "original")
    collect(made.home)
    changes = {(one.arm, one.metric): str(one) for one in list_changes(made.home, "paper", path)}
    assert "n=2 -> " in changes["original", "test_top1"]
    assert "n=3" in changes["original", "test_top1"]
    assert "gone" in changes["proposed", "test_top1"]


def made_runs(made: SyntheticHome) -> list[dict[str, object]]:
    record = json.loads(made.home.records("paper")[0].read_text())
    return [run for run in record["runs"] if run["arm"] == "original"]


def test_other_files_and_names_are_refused(tmp_path: Path) -> None:
    made = _made(tmp_path)
    with pytest.raises(QueryError, match="did you mean 'paper'"):
        freeze_numbers(made.home, "papr", tmp_path / "frozen.json")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(QueryError, match="no file of frozen numbers"):
        list_changes(made.home, "paper", tmp_path / "other.json")
    (tmp_path / "half.json").write_text('{"version": 1}')
    with pytest.raises(QueryError, match="no file of frozen numbers"):
        list_changes(made.home, "paper", tmp_path / "half.json")
    (tmp_path / "noise.json").write_bytes(bytes(range(256)))
    with pytest.raises(QueryError, match="cannot read"):
        list_changes(made.home, "paper", tmp_path / "noise.json")


def test_a_name_finds_its_file_and_an_unknown_one_brings_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _made(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert freeze_numbers(made.home, "paper") == Path("paper.frozen.json")
    assert list_changes(made.home, "paper", "paper") == []
    with pytest.raises(QueryError, match=r"(?s)no frozen numbers 'papr'.*did you mean 'paper'"):
        list_changes(made.home, "paper", "papr")


def test_frozen_numbers_are_never_overwritten_by_others(tmp_path: Path) -> None:
    made = _made(tmp_path)
    path = freeze_numbers(made.home, "paper", tmp_path / "frozen.json")
    before = path.read_text()
    assert freeze_numbers(made.home, "paper", path) == path
    runs = made.experiment("paper", {"original": ARMS["original"]}, (2,))
    made.record("paper", runs, "original")
    collect(made.home)
    with pytest.raises(QueryError, match="other content"):
        freeze_numbers(made.home, "paper", path)
    assert path.read_text() == before


def test_frozen_numbers_of_another_experiment_are_not_held_against_this_one(tmp_path: Path) -> None:
    made = _made(tmp_path)
    made.experiment("other", {"original": ARMS["original"]}, (0,))
    collect(made.home)
    path = freeze_numbers(made.home, "other", tmp_path / "other.json")
    with pytest.raises(QueryError, match="the numbers of 'other', not of 'paper'"):
        list_changes(made.home, "paper", path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    made = _made(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(QueryError, match="cannot write the frozen numbers"):
        freeze_numbers(made.home, "paper", tmp_path / "file" / "frozen.json")


# Against rows written by hand -----------------------------------------------------------------------------------------

ROW: dict[str, Any] = {
    "arm": "a",
    "cell": "one",
    "metric": "test_top1",
    "n": 3,
    "mean": 0.6,
    "std": 0.02,
    "runs": ["r1"],
}


def _changes(folder: Path, first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[str]:
    """Freeze the rows of `first` and return what `second` says of them."""
    folder.mkdir(exist_ok=True)
    before, now = (Answers(answer=_rows_of("paper", rows)) for rows in (first, second))
    path = freeze_numbers(before, "paper", folder / "frozen.json")
    return [str(one) for one in list_changes(now, "paper", path)]


def _rows_of(name: str, rows: list[dict[str, Any]]) -> Answer:
    return lambda query, _values: [{"experiment": name}] if query == "claims_experiments" else rows


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"mean": 0.6 + 1e-13, "std": 0.02 - 1e-13}, []),
        ({"mean": 0.6 + 1e-11}, ["a [one] test_top1: 0.6, std 0.02, n=3 -> 0.6, std 0.02, n=3, " + OWN]),
        ({"mean": 0.605}, ["a [one] test_top1: 0.6, std 0.02, n=3 -> 0.605, std 0.02, n=3, " + OWN]),
        ({"std": 0.03}, ["a [one] test_top1: 0.6, std 0.02, n=3 -> 0.6, std 0.03, n=3, " + SPREAD]),
        ({"std": None}, ["a [one] test_top1: 0.6, std 0.02, n=3 -> 0.6, n=3, " + SPREAD]),
        (
            {"n": 4},
            ["a [one] test_top1: 0.6, std 0.02, n=3 -> 0.6, std 0.02, n=4, from the same runs: n=4 now, n=3 before"],
        ),
        (
            {"mean": 0.5, "runs": ["r2"]},
            ["a [one] test_top1: 0.6, std 0.02, n=3 -> 0.5, std 0.02, n=3, by other runs: 1 run more and 1 run fewer"],
        ),
        ({"mean": None}, ["a [one] test_top1: 0.6, std 0.02, n=3 -> none, " + OWN]),
        (
            {"cell": "two"},
            [
                "a [one] test_top1: gone (0.6, std 0.02, n=3), with its whole cell",
                "a [two] test_top1: new (0.6, std 0.02, n=3), with its whole cell",
            ],
        ),
    ],
)
def test_each_part_of_a_number_is_held_to_the_last_digits(
    tmp_path: Path, changes: dict[str, Any], said: list[str]
) -> None:
    assert _changes(tmp_path, [ROW], [ROW | changes]) == said


def test_the_tolerance_is_relative_to_large_numbers(tmp_path: Path) -> None:
    large = ROW | {"metric": "params", "mean": 2e7, "std": 0.0}
    assert _changes(tmp_path, [large], [large | {"mean": 2e7 + 1e-6}]) == []
    assert len(_changes(tmp_path / "more", [large], [large | {"mean": 2e7 + 1e-4}])) == 1


def test_changes_come_in_the_order_of_arms_cells_and_metrics(tmp_path: Path) -> None:
    names = [("b", "one", "x"), ("a", "two", "x"), ("a", "one", "y"), ("a", "one", "x")]
    rows = [ROW | dict(zip(("arm", "cell", "metric"), name, strict=True)) for name in names]
    found = _changes(tmp_path, rows, [row | {"mean": 0.1} for row in rows])
    assert [line.partition(":")[0] for line in found] == ["a [one] x", "a [one] y", "a [two] x", "b [one] x"]


@pytest.mark.parametrize("missing", ["experiment", "cells", "version"])
def test_a_file_that_lacks_a_part_is_no_frozen_table(tmp_path: Path, missing: str) -> None:
    whole = {"version": 1, "experiment": "paper", "cells": []}
    path = tmp_path / "half.json"
    path.write_text(json.dumps({name: value for name, value in whole.items() if name != missing}))
    with pytest.raises(QueryError, match="no file of frozen numbers"):
        list_changes(SyntheticHome(tmp_path / "home").home, "paper", path)
    path.write_text(json.dumps(whole | {"version": 2}))
    with pytest.raises(QueryError, match="no file of frozen numbers"):
        list_changes(SyntheticHome(tmp_path / "home").home, "paper", path)


def test_equal_numbers_of_another_experiment_are_other_content(tmp_path: Path) -> None:
    paper, other = (Answers(answer=_rows_of(name, [ROW])) for name in ("paper", "other"))
    path = freeze_numbers(paper, "paper", tmp_path / "frozen.json")
    with pytest.raises(QueryError, match="other content"):
        freeze_numbers(other, "other", path)


def cell(metric: str = "test_top1", arm: str = "a", **more: Any) -> dict[str, Any]:
    return {"arm": arm, "cell": "one", "metric": metric, "n": 2, "mean": 0.5, "std": 0.1, "runs": ["r1", "r2"], **more}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (cell(mean=0.6), OWN),
        (cell(n=1, std=None), "from the same runs: n=1 now, n=2 before"),
        (cell(std=None), SPREAD),
        (cell(mean=0.6, n=3, runs=["r1", "r2", "r3"]), "by other runs: 1 run more"),
        (cell(mean=0.6, runs=["r1", "r3"]), "by other runs: 1 run more and 1 run fewer"),
    ],
)
def test_a_changed_number_says_why(tmp_path: Path, now: dict[str, Any], reason: str) -> None:
    (change,) = changed(tmp_path, [cell()], [now])
    assert str(change).endswith(f", {reason}")


def test_new_and_lost_numbers_say_whether_their_arm_stays(tmp_path: Path) -> None:
    found = changed(tmp_path, [cell(), cell(arm="gone")], [cell(), cell("epochs_spent"), cell(arm="new")])
    assert {(one.arm, one.metric): one.reason for one in found} == {
        ("a", "epochs_spent"): "this figure alone",
        ("gone", "test_top1"): "with its whole cell",
        ("new", "test_top1"): "with its whole cell",
    }


def changed(folder: Path, before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[Any]:
    path = folder / "p.frozen.json"
    path.write_text(json.dumps({"version": 1, "experiment": "p", "cells": before}))

    def answer(query: str, values: Any) -> Sequence[Mapping[str, Any]]:
        return now if query == "freeze_cells" else [{"experiment": "p"}]

    return list_changes(Answers(answer=answer), "p", path)
