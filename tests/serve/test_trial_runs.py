"""Runs of trials among all runs: as which they stand, and that nobody sees what they told of test images."""

from __future__ import annotations

from pathlib import Path

from engine.home.paths import Home, open_home
from engine.schedule.searched import ArmProgress, write_progress
from engine.serve.run_rows import RunTable
from engine.serve.site import Site
from engine.serve.trial_runs import TrialNames, is_of_trials, is_unseen, submitted_as


def test_they_stand_beside_their_experiment() -> None:
    assert (submitted_as("study/trials"), submitted_as("study")) == ("study", "study")
    assert (is_of_trials("study/trials"), is_of_trials("study")) == (True, False)


def test_test_figures_of_trials_are_not_seen() -> None:
    assert is_unseen("study/trials", "test_top1")
    assert not is_unseen("study/trials", "val_top1")
    assert not is_unseen("study", "test_top1")


def test_runs_of_the_queue_are_told_by_their_arms(tmp_path: Path) -> None:
    home = open_home(tmp_path, create=True)
    home.experiment("study").mkdir(parents=True)
    write_progress(home, "study", [ArmProgress("sought", 4, 4, 0, 0, 0, ())])
    names = TrialNames(home)
    arms = ("sought-t000", "sought-best", "plain", "plain-t000")
    assert [names.place("study", arm) for arm in arms] == ["study/trials", "study", "study", "study"]
    assert names.place("other", "sought-t000") == "other"


def test_the_table_of_runs_has_them_once_with_figures_and_states(searched_home: Home) -> None:
    with Site(searched_home).snapshot() as snapshot:
        table = RunTable(searched_home, snapshot)
        trials = [line for line in table.lines if line.experiment == "study/trials"]
        assert [line.arm for line in trials] == [f"sought-t00{at}" for at in range(4)]
        assert {line.state for line in table.lines} == {"done"}
        assert len({line.run for line in table.lines}) == len(table.lines)
        own = [line for line in table.lines if line.experiment == "study"]
        assert {line.arm for line in own} == {"plain", "sought-best"}
        val, test = (table.values(name) for name in ("val_top1", "test_top1"))
        assert None not in [*map(val, trials), *map(val, own), *map(test, own)]
        assert {*map(test, trials)} == {None}
        assert {*map(table.values("test_top1:last"), trials)} == {None}
        alone = RunTable(searched_home, snapshot, "study/trials")
        assert "test_top1" not in alone.filled
        assert "val_top1" in alone.filled


def test_what_the_results_have_not_yet_stands_where_it_will(searched_home: Home) -> None:
    lines = RunTable(searched_home, None).lines
    assert {line.arm for line in lines if line.experiment == "study"} == {"plain", "sought-best"}
    assert {line.arm for line in lines if line.experiment == "study/trials"} == {f"sought-t00{at}" for at in range(4)}
