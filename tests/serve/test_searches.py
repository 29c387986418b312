"""What a page shows of a search: how far each arm is, the best or the front, and the trials with their runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.home.records import read_record
from engine.schedule.growing import DUE, mark_search
from engine.schedule.searched import ArmProgress, tell_problem, write_progress
from engine.serve import searches
from engine.serve.searches import Searched, TrialRow, read_search
from engine.serve.site import Site
from engine.serve.view import Asked
from store.results import open_snapshot
from tests.search.objective import make_spec, submit_study


def search_of(home: Home, name: str, **words: str) -> Searched | None:
    site = Site(home)
    with site.snapshot() as snapshot:
        return read_search(Asked(site, {}, {word: (value,) for word, value in words.items()}), snapshot, name)


def shown(home: Home, name: str, **words: str) -> Searched:
    found = search_of(home, name, **words)
    assert found is not None
    return found


def names(rows: tuple[TrialRow, ...]) -> list[str]:
    return [row.name for row in rows]


def test_an_arm_shows_its_counts_and_its_best_with_run_and_settings(searched_home: Home) -> None:
    found = shown(searched_home, "study")
    (arm,) = found.arms
    assert (arm.arm, arm.progress.done, arm.progress.asked) == ("sought", 4, 4)
    with open_snapshot(searched_home) as db:
        best = db.execute(
            "select trial_arm, run, val_top1, drawn->>'$.\"train.lr\"' from trials"
            " where experiment = 'study' order by val_top1 desc"
        ).fetchone()
    assert best is not None
    (row,) = arm.best
    assert (row.name, row.run, row.figures) == (best[0], best[1], (f"{100 * best[2]:.2f}",))
    assert dict(row.drawn)["lr"] == f"{float(best[3]):.4g}"
    assert (found.is_front, found.is_open, found.headings) == (False, False, ("val top-1 [%]",))
    runs = {run["arm"]: run["run"] for run in read_record(searched_home.records("study")[-1])["runs"]}
    assert {one.name: one.run for one in found.trials} == {
        f"sought-t00{at}": runs[f"sought-t00{at}"] for at in range(4)
    }


def test_trials_come_best_first_or_newest_first(searched_home: Home) -> None:
    found = shown(searched_home, "study")
    figures = [float(row.figures[0]) for row in found.trials]
    assert figures == sorted(figures, reverse=True)
    assert [row.is_best for row in found.trials] == [True, False, False, False]
    newest = shown(searched_home, "study", trials="newest")
    assert names(newest.trials) == [f"sought-t00{at}" for at in (3, 2, 1, 0)]


def test_of_several_figures_there_is_a_front(searched_home: Home) -> None:
    found = shown(searched_home, "front")
    with open_snapshot(searched_home) as db:
        points = db.execute(
            "select trial_arm, val_top1, epochs_spent from trials where experiment = 'front' and state = 'done'"
        ).fetchall()
    best = {
        name for name, top1, epochs in points
        if not any(a >= top1 and b <= epochs and (a, b) != (top1, epochs) for _, a, b in points)
    }  # fmt: skip
    assert set(names(found.front)) == best
    assert {row.name for row in found.trials if row.is_best} == best
    assert found.front == found.arms[0].best
    assert shown(searched_home, "study").front == ()


def test_refused_trials_come_last_and_say_why(searched_home: Home) -> None:
    found = shown(searched_home, "front")
    refused = [row for row in found.trials if row.state == "refused"]
    assert len(refused) == found.arms[0].progress.refused > 0
    assert found.trials[-len(refused) :] == tuple(refused)
    assert {row.figures for row in refused} == {("\N{EN DASH}", "\N{EN DASH}")}
    assert all("the rate would never fall" in row.note for row in refused)


def test_many_trials_have_pages(searched_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "PER_PAGE", 3)
    first, last = (shown(searched_home, "study", page=page, trials="newest") for page in ("1", "2"))
    assert names(first.trials + last.trials) == [f"sought-t00{at}" for at in (3, 2, 1, 0)]
    assert (first.paging.after, last.paging.before) == ("trials=newest&page=2", "trials=newest&page=1")


def test_one_that_was_not_looked_at_has_no_trials_yet(searched_home: Home) -> None:
    found = shown(searched_home, "fresh")
    assert (found.arms, found.trials, found.is_open) == ((), (), True)


def test_before_the_first_results_what_the_last_look_said_is_shown(tmp_path: Path) -> None:
    home = open_home(tmp_path, create=True)
    home.experiment("s").mkdir(parents=True)
    write_progress(home, "s", [ArmProgress("s", 9, 1, 2, 0, 0, (("s-t000", {"val_top1": 0.5}),))])
    found = shown(home, "s")
    assert found.headings == ("val top-1 [%]",)
    assert [(row.name, row.run, row.figures) for row in found.arms[0].best] == [("s-t000", "", ("50.00",))]
    assert found.trials == ()


def test_why_a_look_failed_is_shown(searched_home: Home, tmp_path: Path) -> None:
    home = open_home(tmp_path, create=True)
    home.experiment("s").mkdir(parents=True)
    mark_search(home, "s", DUE)
    tell_problem(home, "s", "it cannot be drawn")
    found = shown(home, "s")
    assert found.problem == "it cannot be drawn"
    assert shown(searched_home, "fresh").problem == ""


def test_what_nobody_searches_has_no_search(done_home: Home) -> None:
    assert search_of(done_home, "study") is None


def test_settings_are_named_as_short_as_they_are_told_apart() -> None:
    paths = {"train.lr", "distill.temperature", "train.epochs", "teacher.train.epochs"}
    assert searches._short_names(paths) == {
        "train.lr": "lr", "distill.temperature": "temperature", "train.epochs": "train.epochs",
        "teacher.train.epochs": "teacher.train.epochs",
    }  # fmt: skip


@pytest.mark.parametrize(("done", "is_stopped", "least"), [(4, False, 10), (4, True, 9), (9, True, 10), (9, False, 10)])
def test_one_that_was_stopped_short_may_go_on_as_far_as_before(
    tmp_path: Path, done: int, is_stopped: bool, least: int
) -> None:
    home = open_home(tmp_path, create=True)
    submit_study(home, make_spec(trials=9))
    write_progress(home, "study", [ArmProgress("study", 9, done, 0, 0, 0, (), is_stopped)])
    assert shown(home, "study").least == least


def test_what_was_never_submitted_here_cannot_be_extended(tmp_path: Path) -> None:
    home = open_home(tmp_path, create=True)
    home.experiment("study").mkdir(parents=True)
    write_progress(home, "study", [ArmProgress("study", 9, 9, 0, 0, 0, ())])
    assert shown(home, "study").least == 0
