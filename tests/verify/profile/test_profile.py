"""A profile trains in a scratch home as a job would, adds up, leaves nothing behind, and says what keeps it from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import AttemptFolder, Home, open_home
from engine.launch import CPU_SLOT
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.lookup import find_run
from engine.schedule.slot_marks import SlotMarks
from engine.schedule.submit import submit_plan
from engine.verify.profile import profile as module
from engine.verify.profile.profile import Wanted, choose_slot, profile_training
from engine.verify.profile.subject import Subject, subject_of_home, subject_of_spec

TINY = Path(__file__).parents[2] / "resources" / "tiny.yaml"
GPU = ("resources.gpus=1",)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def ask(home: Home, *words: str) -> Result:
    return CliRunner().invoke(app, ["profile", *words, "--home", str(home.root)])


def files_of(home: Home) -> set[str]:
    """Return what lies in a home, its cache and the locks of scratch homes left out."""
    kept = (path.relative_to(home.root).as_posix() for path in home.root.rglob("*") if path.is_file())
    return {name for name in kept if not name.startswith(("cache/", "verify.lock"))}


def test_a_taught_training_is_profiled_before_its_teacher_is_trained(home: Home, tmp_path: Path) -> None:
    picture = tmp_path / "step.svg"
    answer = ask(home, str(TINY), "--arm", "distilled", "--steps", "4", "--json", "-o", str(picture))
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert told["about"]["taught"] == "made up"
    assert "answers are made up, as targets-" in answer.stderr
    for step in told["steps"]:
        assert step["parts"] is None or sum(step["parts"].values()) == pytest.approx(step["wall"], rel=0.05)
    assert [step["parts"] is None for step in told["steps"]].count(False) >= 4
    for part in ("forward", "backward", "optimizer", "teacher"):
        assert told["parts"][part]["mean"] > 0, part
    assert told["checkpoint"]["waits"] > 0
    assert told["card"] is None
    assert picture.read_text().startswith("<svg")
    assert files_of(home) == set()
    assert list(home.verify_root.iterdir()) == []


@pytest.mark.slow
def test_a_submitted_run_is_profiled_and_its_home_stays_as_it_is(home: Home) -> None:
    submit_plan(make_plan(load_spec(TINY, ()), home), home)
    before = {name: (home.root / name).read_bytes() for name in files_of(home)}
    answer = ask(home, "tiny/original@1", "--steps", "3")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith(f"tiny/original@1 ({find_run(home, 'tiny/original@1').jobs['student']})")
    assert "\na step" in answer.stdout
    after = {name: (home.root / name).read_bytes() for name in files_of(home)}
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} <= {
        "queue.db-shm", "queue.db-wal",
    }  # fmt: skip


def subject(home: Home, *words: str, **details: Any) -> Subject:
    return subject_of_spec(load_spec(TINY, words), "original", home, **details)


def test_a_gpu_is_taken_where_there_is_one_and_asked_for_in_vain_where_there_is_none(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "list_gpus", lambda: ["GPU-a", "GPU-b"])
    assert choose_slot(subject(home), home) == CPU_SLOT
    assert choose_slot(subject(home, *GPU), home) == "GPU-a"
    assert choose_slot(subject(home, *GPU).on_cpu(), home) == CPU_SLOT
    SlotMarks(home).put("GPU-a", "ECC", "train-1", 1, is_shut=True)
    assert choose_slot(subject(home, *GPU), home) == "GPU-b"
    SlotMarks(home).put("GPU-b", "ECC", "train-1", 1, is_shut=True)
    with pytest.raises(XpError, match="every GPU here is shut out"):
        choose_slot(subject(home, *GPU), home)
    monkeypatch.setattr(module, "list_gpus", list)
    with pytest.raises(XpError, match="there is none here"):
        choose_slot(subject(home, *GPU), home)


def test_the_shape_of_what_is_not_pruned_yet_is_not_known(home: Home) -> None:
    submit_plan(make_plan(load_spec(TINY, ()), home), home)
    pruned = subject_of_home(home, find_run(home, "tiny/distilled_pruned", or_first=True).jobs["prune"])
    with pytest.raises(XpError, match="the pruned shape is not known"):
        profile_training(pruned, home, Wanted(3), lambda line: None)
    assert list(home.verify_root.iterdir()) == []


def test_what_the_child_failed_of_is_told_as_it_says_it(tmp_path: Path) -> None:
    folder = AttemptFolder(tmp_path / "attempts" / "1")
    folder.root.mkdir(parents=True)
    assert "it ended with status -9" in str(module._fault_of(folder, -9))
    folder.log.write_text("one\n\ntwo\nthree\nValueError: four\n")
    assert "two; three; ValueError: four" in str(module._fault_of(folder, 1))
    write_json(folder.root / "fault.json", {"what": "no room", "where": "there", "fix": "make some"})
    assert str(module._fault_of(folder, 88)) == "there: no room\nfix: make some"


def test_what_takes_long_is_said_with_its_count() -> None:
    assert module._tell_beat({"phase": "pack", "step": 5, "steps": 9}) == "pack: 5 of 9"
    assert module._tell_beat({}) == "starting"
