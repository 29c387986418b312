"""What a job's process exits with, what it says of it, and what it does around its runner; no job is run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import BaseModel, ValidationError

from engine import run
from engine.core.train.loop import Stopped
from engine.core.train.soundness import Diverged
from engine.errors import DataError, HomeError, JobError
from engine.home.files import read_json, write_json
from engine.home.paths import Home
from engine.launch import Order
from engine.launch.exits import Exit
from engine.run import RUNNERS, _exit_status
from engine.run.attempt import Attempt
from engine.run.memory import OutOfMemory
from engine.spec.job_kinds import KINDS
from tests.run.bench import TRAIN_JOB, write_spec


class Whole(BaseModel):
    number: int


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate({"number": "x"})
    return caught.value


def raised(error: ValueError) -> ValueError:
    with pytest.raises(ValueError, match="a bug") as caught:
        raise error
    return caught.value


def nothing_less() -> OutOfMemory:
    error = OutOfMemory("nothing less")
    error.is_final = True
    return error


NO_MEMORY = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


@pytest.mark.parametrize(
    ("error", "ooms", "status"),
    [
        (Stopped(), 0, 85),
        (Diverged("the loss is nan"), 0, 87),
        (OutOfMemory("less"), 5, 86),
        (nothing_less(), 0, 89),
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), 0, 86),
        (NO_MEMORY, 0, 86),
        (NO_MEMORY, 1, 89),
        (JobError("no"), 0, 88),
        (DataError("no"), 0, 88),
        (HomeError("no"), 0, 1),
        (invalid(), 0, 88),
        (ValueError("no"), 0, 1),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), 0, 1),
        (JobError("CUDA error: device-side assert triggered"), 0, 1),  # another card may do it
        (KeyboardInterrupt(), 0, 1),
    ],
)
def test_each_error_has_its_exit_status(error: BaseException, ooms: int, status: int) -> None:
    assert _exit_status(error, "measure-1", ooms) == status


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Diverged("the loss is nan"), "the loss is nan\nfix: take a smaller train.lr"),
        (JobError("no images", where="here", fix="add some"), "here: no images\nfix: add some\n"),
        (NO_MEMORY, "fix: take smaller measure.batch_sizes; or see"),
        (raised(ValueError("a bug")), "Traceback"),
    ],
)
def test_an_error_is_told_in_words_and_a_fault_with_its_trace(
    error: BaseException, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person can mend shows no traceback; what is our fault does."""
    _exit_status(error, "measure-1", 0)
    told = capsys.readouterr()
    assert words in (told.err if words != "Traceback" else told.err[:9])
    assert ("Traceback" in told.err) == (words == "Traceback")
    assert told.out == ""


def test_what_a_gpu_failed_by_is_the_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    said = "CUDA error: an illegal memory access was encountered\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1"
    _exit_status(RuntimeError(said), "train-1", 0)
    told = capsys.readouterr().err.splitlines()
    assert told[:2] == [f"RuntimeError: {said.splitlines()[0]}", said.splitlines()[1]]
    assert told[-1] == "the GPU failed: an illegal memory access was encountered"


def test_the_allocators_words_are_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    _exit_status(MemoryError("x" * 500 + "\nand more"), "train-1", 0)
    _exit_status(MemoryError(), "train-1", 0)
    first, _, second, _ = capsys.readouterr().err.splitlines()
    assert first == f"out of memory ({'x' * 120})"
    assert second == "out of memory (MemoryError)"


@pytest.mark.parametrize(
    ("job", "words"),
    [("targets-1", "teacher or data.image_size"), ("explain-1", "explain.images"), ("pack-1", "data.short_side")],
)
def test_each_kind_of_job_has_its_own_fix(job: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    _exit_status(MemoryError(), job, 0)
    assert words in capsys.readouterr().err


def test_every_kind_of_job_has_a_runner() -> None:
    assert {kind: runner.__name__ for kind, runner in RUNNERS.items()} == {kind: f"run_{kind}" for kind in KINDS}


def test_a_job_of_another_version_fails_for_good(order: Order, capsys: pytest.CaptureFixture[str]) -> None:
    """Half understood it would train something else: one line says what it is, the next what to do."""
    job = order.home.job(order.job)
    write_json(job.spec, {**read_json(job.spec), "version": 1})
    assert run.main(order) == Exit.FAILED
    what, fix = capsys.readouterr().err.splitlines()
    assert what == (
        f"{job.spec}: train-1 was made by another version of xp: version 1 of job settings, and this xp has version 2"
    )
    assert fix.startswith("fix: submit its experiment again")
    assert job.attempts() == []


# Around the runner ----------------------------------------------------------------------------------------------------


@pytest.fixture
def order(tmp_path: Path) -> Order:
    home = Home(tmp_path, tmp_path / "cache")
    job = home.job("train-1")
    write_spec(job, "train", {}, TRAIN_JOB)
    return Order(home, "train-1", 1)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What an attempt was asked: to listen, and to settle with what error."""
    made: list[object] = []
    monkeypatch.setattr(Attempt, "listen", lambda attempt: made.append("listen"))
    monkeypatch.setattr(Attempt, "settle", lambda attempt, error: made.append(error))
    return made


def test_a_job_listens_runs_and_settles(order: Order, calls: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNNERS, "train", lambda attempt: calls.append(attempt.kind))
    assert run.main(order) == 0
    assert calls == ["listen", "train", None]


def test_a_job_that_fails_settles_with_its_error(
    order: Order, calls: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = JobError("no")

    def fail(attempt: Attempt) -> None:
        raise error

    monkeypatch.setitem(RUNNERS, "train", fail)
    assert run.main(order) == 88
    assert calls == ["listen", error]


def test_a_job_that_diverged_tells_its_last_good_state(
    order: Order, calls: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(attempt: Attempt) -> None:
        raise Diverged("the loss is nan")

    monkeypatch.setitem(RUNNERS, "train", fail)
    assert run.main(order) == 87
    assert "the loss is nan; it had no checkpoint yet\n" in capsys.readouterr().err


def test_a_fault_of_the_last_checkpoint_is_a_fault_of_the_job(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    def settle(attempt: Attempt, error: BaseException | None) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Attempt, "settle", settle)
    monkeypatch.setitem(RUNNERS, "train", lambda attempt: None)
    assert run.main(order) == 1


def test_a_job_that_is_done_already_starts_nothing(order: Order, calls: list[object]) -> None:
    job = order.home.job("train-1")
    job.result.write_text("{}")
    assert run.main(order) == 0
    assert (calls, job.attempts()) == ([], [])


@pytest.mark.parametrize(("ooms", "status"), [(0, 86), (1, 89)])
def test_a_second_want_of_memory_is_final(
    order: Order, calls: list[object], monkeypatch: pytest.MonkeyPatch, ooms: int, status: int
) -> None:
    def fail(attempt: Attempt) -> None:
        raise MemoryError

    monkeypatch.setitem(RUNNERS, "train", fail)
    assert run.main(replace(order, ooms=ooms)) == status


def test_preparing_learns_the_code_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(run, "read_code", lambda: read.append(1))
    run.prepare()
    assert read == [1]
