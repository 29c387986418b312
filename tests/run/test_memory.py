"""How many images a step takes at once: halved each time that memory ran out, kept by checkpoints, told in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine import run
from engine.core.train.checkpoint import State
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Order
from engine.launch.exits import Exit
from engine.run.attempt import Attempt
from engine.run.memory import OutOfMemory, find_micro_batch, watch_memory
from engine.schedule.policy import Ending, Spent, decide
from engine.schedule.worker.attempts import last_line
from tests.run.bench import TRAIN_JOB, write_spec

PLAIN, NORMED = nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.1))


def make_attempt(folder: Path, ooms: int, on_oom: str) -> Attempt:
    home = Home(folder, folder / "cache")
    write_spec(home.job("train-1"), "train", {}, TRAIN_JOB)
    write_json(home.job("train-1").details, {"on_oom": on_oom})
    return Attempt(Order(home, "train-1", ooms + 1, ooms=ooms))


@pytest.mark.parametrize(
    ("network", "on_oom", "ooms", "state", "images"),
    [
        (PLAIN, "auto", 0, None, 100),
        (PLAIN, "auto", 1, None, 50),
        (PLAIN, "auto", 3, None, 13),
        (PLAIN, "auto", 12, None, 1),
        (PLAIN, "auto", 0, {"micro_batch": 25}, 25),
        (PLAIN, "auto", 1, {"micro_batch": 25}, 25),
        (PLAIN, "stop", 2, None, 100),
        (NORMED, "auto", 2, None, 100),
        (NORMED, "split", 2, None, 25),
        (NORMED, "split", 12, None, 2),
    ],
)
def test_micro_batches_halve_where_they_may_and_never_grow_again(
    tmp_path: Path, network: nn.Module, on_oom: str, ooms: int, state: State | None, images: int
) -> None:
    attempt = make_attempt(tmp_path, ooms, on_oom)
    room = find_micro_batch(attempt, network, 100, state)
    assert room.images == images
    assert attempt.extra == ({"micro_batch": images} if images < 100 else {})
    assert ("micro_batch" in attempt.folder.journal.read_text()) == (images < 100)


@pytest.mark.parametrize(
    ("network", "on_oom", "ooms", "words", "is_final"),
    [
        (PLAIN, "auto", 0, "with 100 images at once: the next attempt takes 50, in steps of 100 as before", False),
        (PLAIN, "auto", 6, "with 2 images at once: the next attempt takes 1", False),
        (PLAIN, "auto", 7, "with 1 images at once, which is as few as can be", True),
        (NORMED, "auto", 0, "another experiment", False),
        (NORMED, "auto", 1, "another experiment", True),
        (PLAIN, "stop", 1, "train.memory: lean (of a trained teacher: teacher.train); or say train.on_oom", True),
    ],
)
def test_what_comes_next_is_told(
    tmp_path: Path, network: nn.Module, on_oom: str, ooms: int, words: str, is_final: bool
) -> None:
    attempt = make_attempt(tmp_path, ooms, on_oom)
    room = find_micro_batch(attempt, network, 100, None)
    with pytest.raises(OutOfMemory) as caught, watch_memory(attempt, room):
        raise MemoryError
    assert words in str(caught.value)
    assert caught.value.is_final == is_final


def test_other_errors_pass_as_they_are(tmp_path: Path) -> None:
    attempt = make_attempt(tmp_path, 0, "auto")
    room = find_micro_batch(attempt, PLAIN, 100, None)
    with pytest.raises(KeyError), watch_memory(attempt, room):
        raise KeyError("x")


@pytest.mark.parametrize(
    ("job", "fix"),
    [
        ("measure-1", "smaller measure.batch_sizes"),
        ("targets-1", "a smaller teacher"),
        ("train-1", "a smaller train.batch_size"),
    ],
)
def test_any_job_that_runs_out_says_what_to_change_and_is_tried_once_more(
    job: str, fix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run_out(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. " + "Long advice. " * 60)

    monkeypatch.setattr(run, "_run_job", run_out)
    orders = [Order(Home(tmp_path, tmp_path), job, 1, ooms=ooms) for ooms in (0, 1)]
    assert [run.main(order) for order in orders] == [Exit.OUT_OF_MEMORY, Exit.NO_MEMORY]
    (tmp_path / "log.txt").write_text(capsys.readouterr().err)
    told = decide(Ending(Exit.NO_MEMORY, last_words=last_line(tmp_path / "log.txt")), Spent()).reason
    assert told.startswith("out of memory (CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert f"fix: take {fix}" in told
