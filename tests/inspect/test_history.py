"""Each submission says what changed since the one before, and what its own jobs came to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.collect import collect
from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.home.records import read_record
from engine.home.seals import SELF, seal
from engine.inspect.history import read_history, setting_changes
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two arms; then one of them is trained otherwise, and another one comes."""
    made = SyntheticHome(tmp_path_factory.mktemp("homes") / "home", sealed=True)
    first = made.experiment("paper", {name: ARMS[name] for name in ("original", "proposed")}, seeds=(0, 1))
    again = [{**run, "settings": dict(run["settings"])} for run in first]
    for run in again[2:]:
        job = made.train(f"train-more-{run['seed']}", Arm(0.9), run["seed"])
        run |= {"run": f"run-more-{run['seed']}", "jobs": {**run["jobs"], "student": job}}
        run["settings"] |= {"train": {**run["settings"]["train"], "epochs": 9}}
    extra = {**again[0], "run": "run-extra", "arm": "extra"}
    made.record("paper", [*again, extra], "original")
    collect(made.home)
    return made.home


def test_each_submission_has_its_own_results(home: Home) -> None:
    first, second = read_history(home, "paper")
    assert (first.number, first.runs, first.changes, first.settings) == (1, 4, (), ())
    means = {one.arm: one.mean for one in first.results}, {one.arm: one.mean for one in second.results}
    assert means[0]["original"] == means[1]["original"]
    assert (means[0]["proposed"] or 1) < 0.8 < (means[1]["proposed"] or 0)
    assert all(one.std for one in first.results)


def test_changes_are_those_of_runs_and_settings(home: Home) -> None:
    second = read_history(home, "paper")[1]
    assert second.settings == ("train.epochs: 3 -> 9 (2 runs)",)
    assert [line.split(",")[0] for line in second.changes] == ["new: extra", "changed: proposed", "changed: proposed"]


def test_another_metric_may_be_asked_for(home: Home) -> None:
    (first, _) = read_history(home, "paper", "val_loss")
    assert [one.mean for one in first.results] == pytest.approx([1.1, 1.1])
    with pytest.raises(XpError, match=r"(?s)no job of it logged 'val_los'.*did you mean 'val_loss'"):
        read_history(home, "paper", "val_los")


def test_what_was_removed_since_is_missing(home: Home, tmp_path: Path) -> None:
    copy = Home(tmp_path / "home", tmp_path / "home" / "cache")
    shutil.copytree(home.root, copy.root)
    shutil.rmtree(copy.job("train-more-1").root)
    collect(copy)
    second = read_history(copy, "paper")[1]
    assert {one.arm: (one.n, one.runs) for one in second.results}["proposed"] == (1, 2)


def test_a_damaged_submission_stops_no_other(home: Home, tmp_path: Path) -> None:
    copy = Home(tmp_path / "home", tmp_path / "home" / "cache")
    shutil.copytree(home.root, copy.root)
    (copy.experiment("paper") / "1.json").write_text("{}")
    first, second = read_history(copy, "paper")
    assert "damaged" in first.damage
    assert (second.changes, len(second.results)) == ((), 3)
    assert second.as_json()["damage"] is None


def test_trials_have_no_figure_of_test_images(home: Home, tmp_path: Path) -> None:
    copy = Home(tmp_path / "home", tmp_path / "home" / "cache")
    shutil.copytree(home.root, copy.root)
    path = copy.experiment("paper") / "1.json"
    stages = {"original": "train", "proposed": "final"}
    trials = [{"trial_arm": arm, "arm": "a", "trial": 0, "stage": stage} for arm, stage in stages.items()]
    unsealed = {key: value for key, value in read_record(path).items() if key != SELF}
    write_json(path, seal({**unsealed, "search": {"trials": trials}}))
    first, second = read_history(copy, "paper")
    assert ([one.arm for one in first.results], first.unseen, first.as_json()["trials_left_out"]) == (
        ["proposed"],
        1,
        1,
    )
    assert (len(second.results), second.unseen) == (3, 0)
    (first, _) = read_history(copy, "paper", "val_loss")
    assert ([one.arm for one in first.results], first.unseen) == (["original", "proposed"], 0)


def test_an_unknown_experiment_brings_the_nearest(home: Home) -> None:
    with pytest.raises(XpError, match=r"(?s)no experiment 'papr'.*did you mean 'paper'"):
        read_history(home, "papr")


def test_settings_that_came_or_went_are_told() -> None:
    def record(**settings: Any) -> dict[str, Any]:
        return {"runs": [{"arm": "a", "cell": "default", "seed": 0, "settings": settings}]}

    assert setting_changes(record(x=1), record(x=2, y="z")) == ("x: 1 -> 2 (1 run)", 'y: null -> "z" (1 run)')
    assert setting_changes(record(x=1), record(x=1.0)) == ()
