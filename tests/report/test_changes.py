"""The change column of a report: paired, and silent where the seeds cannot speak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.collect import collect
from engine.report import make_report
from store.journal import JournalWriter
from tests.synthetic import Arm, SyntheticHome

LONG = Arm(0.63, kind="longformer")


def _set_accuracy(made: SyntheticHome, run: dict[str, Any], value: float) -> None:
    """Log a test accuracy after the one that is there: the last one counts."""
    with JournalWriter(made.home.job(run["jobs"]["student"]).attempt(1).journal) as journal:
        journal.metric("test_top1", value, step=99, epoch=2)


def _report(folder: Path, accuracies: tuple[float, ...], **more: Any) -> str:
    """Return the report of two arms over half as many seeds as there are accuracies, in Markdown."""
    made = SyntheticHome(folder / "home")
    runs = made.experiment("paper", {"a": Arm(), "b": LONG}, tuple(range(len(accuracies) // 2)), **more)
    for run, accuracy in zip(runs, accuracies, strict=True):
        _set_accuracy(made, run, accuracy)
    collect(made.home)
    return make_report(made.home, "paper", ("md",), folder / "report")[0].read_text()


def _change_of(text: str, arm: str) -> str:
    row = next(line for line in text.splitlines() if line.startswith(f"| {arm} "))
    return row.strip("|").split("|")[2].strip()


def test_seeds_that_all_differ_alike_get_no_interval_and_no_dagger(tmp_path: Path) -> None:
    text = _report(tmp_path, (0.90, 0.80, 0.89, 0.79))
    assert _change_of(text, "b") == "-1.0"
    assert "†" not in text
    assert "No ± for b: all seeds differ by exactly as much" in text


def test_seeds_that_tell_two_arms_apart_get_a_dagger(tmp_path: Path) -> None:
    text = _report(tmp_path, (0.90, 0.80, 0.85, 0.70, 0.602, 0.65))
    assert _change_of(text, "b").endswith(" †")
    assert "† p < 0.05" in text


def test_training_that_ran_away_is_left_out_of_the_change(tmp_path: Path) -> None:
    text = _report(tmp_path, (0.90, 0.80, 0.85, 0.88, float("nan"), 0.84))
    assert _change_of(text, "b").startswith("-1.5 ± ")
    assert "b data.split=60/20/20: 1 seeds have a test_top1 that is no number" in text


def test_numbers_of_claims_name_their_runs(tmp_path: Path) -> None:
    about = {"id": "one", "text": "B wins.", "metric": "test_top1", "arm": "b", "against": "a", "expect": "greater"}
    _report(tmp_path, (0.90, 0.80, 0.85, 0.88, 0.83, 0.84), claims=(about,))
    made = SyntheticHome(tmp_path / "home")
    page = make_report(made.home, "paper", ("html",), tmp_path / "html")[0].read_text()
    cell = next(part for part in page.split("<td") if "test_top1 " in part and "points" in part)
    assert "run-" in cell
