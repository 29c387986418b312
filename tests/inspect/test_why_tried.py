"""Why a trial and a final have their settings: told from the record that they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home, open_home
from engine.inspect.why_arms import explain_match
from engine.inspect.why_tried import searched_lines, trial_lines
from engine.schedule.growing import REMOVED
from engine.schedule.lookup import find_match
from engine.schedule.searched import ArmProgress, write_progress

HEAD = "a final of the search of s: trial 1 of arm a, trained anew"
FIDELITY = {"epochs": [3, 9], "keep": 2}


def trial(number: int, *, stage: str = "train", why: str = "tpe", rung: int = 0, **words: Any) -> dict[str, Any]:
    name = "a-best" if stage == "final" else f"a-t{number:03d}"
    told = {"trial": number, "arm": "a", "trial_arm": name, "settings": {"train.lr": 0.5}, "why": why, "stage": stage}
    return {**told, "at": 0.0, "refused": None, "rung": rung, "marks": {}, **words}


def record_of(*trials: dict[str, Any], **search: Any) -> dict[str, Any]:
    return {"name": "s", "spec": {"search": {"metric": "val_top1", **search}}, "search": {"trials": list(trials)}}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path, create=True)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (trial(3), "proposed by tpe, which was told of the 3 trials of this arm before it"),
        (trial(3, why="random"), "drawn by chance"),
        (trial(3, why="prior"), "one that the spec says to try first; what it leaves open was drawn"),
        (
            trial(3, why="promoted", rung=1),
            "those of the rung before, from which one in 2 goes on, or the best where they are too few",
        ),
    ],
)
def test_a_trial_says_by_whom_it_was_proposed(home: Home, told: dict[str, Any], why: str) -> None:
    lines = list(trial_lines(home, record_of(told, fidelity=FIDELITY), "a-t003"))
    rung, epochs = told["rung"] + 1, FIDELITY["epochs"][told["rung"]]  # type: ignore[index]  # a list of whole numbers
    assert lines == [
        f"  trial 3 of arm a in the search of s, rung {rung} of 2 ({epochs} epochs)",
        f"  why these settings: {why}",
        "  drawn: train.lr = 0.5",
    ]


def test_what_is_measured_first_or_refused_says_so(home: Home) -> None:
    record = record_of(
        trial(0, stage="measure"), trial(1, refused="params is 9, not below 5"), trial(2, refused=REMOVED)
    )
    assert "  trained only where its figures keep the bounds: these are measured first" in list(
        trial_lines(home, record, "a-t000")
    )
    assert "  refused, and not trained: params is 9, not below 5" in list(trial_lines(home, record, "a-t001"))
    assert "  it was removed, and does not count" in list(trial_lines(home, record, "a-t002"))


def test_a_final_names_its_trial_and_what_that_came_to(home: Home) -> None:
    record = record_of(trial(0), trial(1), trial(2, refused="it breaks a bound"), trial(1, stage="final"))
    why = "  why these settings: the best by val_top1, of 2 trials"
    assert list(trial_lines(home, record, "a-best"))[:2] == [f"  {HEAD}", why]
    home.experiment("s").mkdir(parents=True)
    write_progress(home, "s", [ArmProgress("a", 2, 2, 0, 0, 1, (("a-t001", {"val_top1": 0.8}),))])
    assert list(trial_lines(home, record, "a-best"))[1] == f"{why}: a-t001 came to val_top1 0.8"
    write_progress(home, "s", [ArmProgress("a", 2, 2, 0, 0, 1, (("a-t000", {"val_top1": 0.9}),))])
    assert list(trial_lines(home, record, "a-best"))[1] == why, "another trial is the best now"
    assert "  its settings are trained anew as a-best" in list(trial_lines(home, record, "a-t001"))
    assert "  its settings are trained anew as a-best" not in list(trial_lines(home, record, "a-t000"))


def test_a_final_of_a_front_says_so(home: Home) -> None:
    record = record_of(trial(1), trial(1, stage="final"), metric=["val_top1", "params"])
    assert list(trial_lines(home, record, "a-best"))[1].endswith("on the front of val_top1, params, of 1 trial")


def test_an_arm_that_nobody_searched_has_no_such_lines(home: Home) -> None:
    assert list(trial_lines(home, record_of(trial(0)), "plain")) == []
    assert list(trial_lines(home, {"name": "s", "spec": {}}, "plain")) == []


def test_trials_are_one_line_of_their_experiment() -> None:
    record = record_of(trial(0), trial(1), trial(2, refused="it breaks a bound"), trial(1, stage="final"))
    assert list(searched_lines(record, ["a-t000", "a-t001"])) == [
        "a: searched in 2 trainings of drawn settings, 1 refused; why one of them: xp why s/a-t000"
    ]
    assert list(searched_lines(record, ["plain"])) == []


def test_a_searched_experiment_is_told_on_one_screen(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="needs the extra `search`")
    from tests.search.objective import finish_open, make_spec, submit_study
    from tests.search.working import work_off

    home = open_home(tmp_path / "home", create=True)
    submit_study(home, make_spec(trials=3, final={"seeds": [1]}))
    work_off(home)
    finish_open(home)
    lines = list(explain_match(home, find_match(home, "study")))
    assert [line for line in lines if line.startswith("study-t")] == []
    assert "study: searched in 3 trainings of drawn settings; why one of them: xp why study/study-t000" in lines
    assert "  a final of the search of study: trial 1 of arm study, trained anew" in lines
    assert not any(line.startswith("  drawn: ") for line in lines)
    alone = list(explain_match(home, find_match(home, "study/study-t001")))
    assert "  trial 1 of arm study in the search of study" in alone
    assert any(line.startswith("  drawn: train.lr = ") for line in alone)
