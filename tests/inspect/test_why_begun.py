"""Where a training began: with which shorter one, after how many epochs; or why that is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.collect import collect
from engine.home.files import write_json
from engine.home.paths import Home
from engine.home.seals import seal
from engine.inspect.why import explain_job
from engine.inspect.why_begun import explain_beginnings
from tests.helpers.synthetic import SyntheticHome
from tests.inspect.test_why_arms import submit
from tests.run.bench import TRAIN_JOB, write_spec

BEGAN = {"job": "train-a1", "attempt": 1, "epoch": 2, "step": 20, "seconds": 75.0}


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    """Of `first` the training of seed 0 may go on from that of seed 1."""
    made = SyntheticHome(tmp_path)
    submit(made.home, "first", 10.0, "a")
    for job, begins in (("train-a0", ["train-a1", "train-x"]), ("train-a1", [])):
        write_spec(made.home.job(job), "train", {}, TRAIN_JOB)
        write_json(made.home.job(job).details, seal({"begins": begins}))
    return made


def begin(made: SyntheticHome, began: dict[str, Any] | None, *, is_done: bool = True) -> Home:
    attempt, journal = made.attempt("train-a0", 1)
    with journal:
        if began is not None:
            journal.fact("begins", began)
        journal.metric("val_top1", 0.5, step=30, epoch=3)
    if is_done:
        made.finish("train-a0", attempt)
    return made.home


def line_of(home: Home) -> str:
    return explain_beginnings(home, ["train-a0", "train-a1"])["train-a0"]


def test_it_names_the_training_that_it_went_on_from(made: SyntheticHome) -> None:
    home = begin(made, BEGAN)
    collect(home)
    wanted = "goes on from train-a1 (student of first/a@1) after 2 epochs, 1m15s of training that it did not do again"
    assert explain_beginnings(home, ["train-a0", "train-a1"]) == {"train-a0": wanted}
    assert f"  {wanted}" in list(explain_job(home, "train-a0"))


def test_one_that_is_under_way_tells_it_as_soon_as_it_is_known(made: SyntheticHome) -> None:
    home = begin(made, BEGAN, is_done=False)
    assert line_of(home).endswith("whether it does is not in the results yet, xp logs train-a0 says it")
    collect(home)
    assert line_of(home).startswith("goes on from train-a1 (student of first/a@1) after 2 epochs")


def test_one_that_began_anew_says_where_the_reason_stands(made: SyntheticHome) -> None:
    home = begin(made, None)
    collect(home)
    assert line_of(home) == (
        "began at its start: nothing to go on from was left by train-a1 (student of first/a@1), train-x; "
        "xp logs train-a0 says why"
    )


def test_one_epoch_is_no_epochs(made: SyntheticHome) -> None:
    home = begin(made, {**BEGAN, "epoch": 1})
    collect(home)
    assert " after 1 epoch, " in line_of(home)


def test_one_that_has_not_started_tells_what_it_looks_for(made: SyntheticHome) -> None:
    assert line_of(made.home) == (
        "goes on from the longest of these that is there when it starts: train-a1 (student of first/a@1), train-x"
    )


def test_a_training_without_shorter_ones_has_no_such_line(made: SyntheticHome) -> None:
    assert explain_beginnings(made.home, ["train-a1", "train-nowhere"]) == {}
