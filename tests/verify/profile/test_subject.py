"""Which training is meant: of a spec the arm's, of a home what its name says; what trains nothing is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import DataError, HomeError, XpError
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.lookup import find_run
from engine.schedule.submit import submit_plan
from engine.verify.profile.subject import subject_of_home, subject_of_spec

TINY = Path(__file__).parents[2] / "resources" / "tiny.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = open_home(tmp_path_factory.mktemp("homes") / "home", create=True)
    submit_plan(make_plan(load_spec(TINY, ()), found), found)
    return found


def test_a_spec_means_the_training_that_its_submission_would_have(home: Home, tmp_path: Path) -> None:
    empty = open_home(tmp_path / "home", create=True)
    for arm in ("original", "distilled"):
        assert (
            subject_of_spec(load_spec(TINY, ()), arm, empty).job
            == find_run(home, f"tiny/{arm}", or_first=True).jobs["student"]
        )
    assert list(empty.jobs_root.iterdir()) == list(empty.experiments_root.iterdir()) == []


def test_the_first_arm_is_taken_and_the_others_are_named(home: Home) -> None:
    subject = subject_of_spec(load_spec(TINY, ()), None, home)
    assert subject.title == "tiny/original@0"
    assert "original, distilled, distilled_pruned" in subject.notes[0]
    assert subject_of_spec(load_spec(TINY, ()), "original", home).notes == ()


def test_settings_of_the_command_line_make_another_training(home: Home) -> None:
    changed = subject_of_spec(load_spec(TINY, ("train.batch_size=32",)), "original", home)
    assert changed.job != find_run(home, "tiny/original", or_first=True).jobs["student"]


@pytest.mark.parametrize("name", ["tiny/distilled", "tiny/distilled@0", "run", "job", "arm"])
def test_a_home_knows_it_by_every_name(home: Home, name: str) -> None:
    run = find_run(home, "tiny/distilled", or_first=True)
    named = {"run": run.run, "job": run.jobs["student"], "arm": "tiny"}.get(name, name)
    subject = subject_of_home(home, named, "distilled" if name == "arm" else None)
    assert subject.job == run.jobs["student"]
    assert set(subject.jobs) >= {run.jobs["student"], run.jobs["targets"], run.jobs["teacher"]}
    assert set(subject.needs) >= {"pack", "targets"}


def test_of_a_pruned_run_the_training_before_is_meant_and_said(home: Home) -> None:
    subject = subject_of_home(home, "tiny/distilled_pruned")
    assert subject.job.startswith("train-")
    assert "before pruning" in subject.notes[0]
    assert subject_of_home(home, find_run(home, "tiny/distilled_pruned", or_first=True).jobs["prune"]).is_pruned


def test_on_the_cpu_is_a_detail_and_no_other_training(home: Home) -> None:
    subject = subject_of_home(home, "tiny/original")
    assert subject.on_cpu().details.device == "cpu"
    assert subject.on_cpu().job == subject.job


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("tiny", "tiny has 3 arms"),
        ("pack", "trains nothing"),
        ("tiny/nobody", "no arm 'nobody'"),
        ("nothing", "nothing here is called 'nothing'"),
    ],
)
def test_what_is_no_training_is_refused_with_what_there_is(home: Home, name: str, what: str) -> None:
    named = find_run(home, "tiny/original", or_first=True).jobs["pack"] if name == "pack" else name
    with pytest.raises(XpError, match=what) as told:
        subject_of_home(home, named)
    assert told.value.fix


def test_an_arm_that_the_spec_has_not_is_refused_with_the_nearest(home: Home) -> None:
    with pytest.raises(XpError, match="no arm 'distiled'") as told:
        subject_of_spec(load_spec(TINY, ()), "distiled", home)
    assert "did you mean 'distilled'" in str(told.value)


def test_missing_images_are_named(home: Home, tmp_path: Path) -> None:
    away = ("data.source=folder", f"data.root={tmp_path}/away")
    with pytest.raises(DataError, match=r"nothing can be profiled: .*away"):
        subject_of_spec(load_spec(TINY, away), "original", home)


def test_a_job_of_another_version_is_refused(home: Home, tmp_path: Path) -> None:
    other = open_home(tmp_path / "home", create=True)
    folder = other.job("train-0123456789ab")
    folder.root.mkdir()
    folder.spec.write_text('{"version": 0, "kind": "train", "needs": {}, "settings": {}}')
    with pytest.raises(HomeError, match="version 0"):
        subject_of_home(other, folder.job)
