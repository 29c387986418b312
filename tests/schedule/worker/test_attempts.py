"""What attempts leave behind, read without trust: torn files, ten after nine, and the last words of a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home, JobFolder
from engine.launch.shortages import FULL_DISK, NO_INODES
from engine.schedule.worker.attempts import (
    find_lack,
    last_line,
    last_words,
    made_progress,
    newest_number,
    read_progress,
    saved_step,
)


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return Home(tmp_path, tmp_path / "cache").job("train-1")


def save(job: JobFolder, number: int, text: str) -> None:
    folder = job.attempt(number).checkpoints
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pointer.json").write_text(text)


def test_a_pulse_changes_with_step_epoch_and_phase_only(job: JobFolder) -> None:
    attempt = job.attempt(1)
    attempt.root.mkdir(parents=True)
    assert read_progress(attempt) is None
    seen: list[object] = []
    for text in ('"step": 1', '"step": 2', '"step": 2, "epoch": 1', '"step": 2, "epoch": 1, "phase": "test"'):
        attempt.heartbeat.write_text(f'{{{text}, "at": {len(seen)}}}')
        seen.append(read_progress(attempt))
    assert len(set(seen)) == 4
    attempt.heartbeat.write_text('{"step": 2, "epoch": 1, "phase": "test", "at": 99}')
    assert read_progress(attempt) == seen[-1], "the time alone is no progress"


@pytest.mark.parametrize(("text", "step"), [('{"step": 7}', 7), ('{"step": "7"}', -1), ("{}", -1), ("{", -1)])
def test_the_saved_step_is_the_pointers(job: JobFolder, text: str, step: int) -> None:
    save(job, 1, text)
    assert saved_step(job.attempt(1)) == step
    assert saved_step(job.attempt(2)) == -1


def test_progress_is_a_newer_checkpoint_than_any_before(job: JobFolder) -> None:
    assert not made_progress(job, 1)
    save(job, 1, '{"step": 0}')
    assert made_progress(job, 1), "the first checkpoint of all"
    save(job, 2, '{"step": 9}')
    save(job, 3, '{"step": 9}')
    assert (made_progress(job, 2), made_progress(job, 3)) == (True, False)
    save(job, 4, '{"step": 5}')
    assert not made_progress(job, 4), "newer than the last, older than the second"
    save(job, 10, '{"step": 10}')
    assert made_progress(job, 10)
    assert made_progress(job, 2), "what came later does not count"


def test_attempt_ten_is_newer_than_nine(job: JobFolder) -> None:
    assert newest_number(job) == 0
    for number in (9, 10, 2):
        job.attempt(number).root.mkdir(parents=True)
    (job.root / "attempts" / "notes").mkdir()
    assert newest_number(job) == 10
    assert [attempt.number for attempt in job.attempts()] == [2, 9, 10]


def test_last_words_are_the_last_line_that_says_something(job: JobFolder) -> None:
    attempt = job.attempt(1)
    assert last_words(attempt) == ""
    attempt.root.mkdir(parents=True)
    attempt.log.write_text("one\n  two  \n\n   \n")
    assert last_words(attempt) == "two"
    attempt.log.write_text("\n \n")
    assert last_words(attempt) == ""


def test_a_fix_is_told_with_what_went_wrong(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("before\nno images\nfix: name a folder\n")
    assert last_line(log) == "no images · fix: name a folder"
    log.write_text("fix: name a folder\n")
    assert last_line(log) == "fix: name a folder"


def test_a_long_log_is_read_from_its_end_and_cut(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"x" * 100_000 + b"\n" + b"\xff" + b"y" * 400 + b"\n")
    assert last_line(log) == "\ufffd" + "y" * 299
    log.write_text("a\n" + "z" * 5000)
    assert last_line(log) == "z" * 300
    log.write_text("first\nfix: " + "z" * 4084)
    assert len(last_line(log)) == 300
    log.write_text("first\nfix: " + "z" * 4096)
    assert last_line(log) == "z" * 300, "only the last 4096 bytes are read"


@pytest.mark.parametrize(
    ("exit_status", "words", "trouble", "lack"),
    [
        (1, "it burst", "", ""),
        (1, "it burst", FULL_DISK, FULL_DISK),
        (1, "OSError: [Errno 122] Disk quota exceeded", "", "the disk quota is used up"),
        (
            1,
            "RuntimeError: Too many open files",
            "the disk is full",
            "too many files are open in one process (see ulimit -n)",
        ),
        (
            90,
            "No space left on device",
            NO_INODES,
            NO_INODES,
        ),
        (90, "No space left on device", "", "the disk is full"),
        (90, "", "", "the machine ran out of something"),
        (-7, "", "shm", "shared memory (/dev/shm) is full"),
    ],
)
def test_what_was_lacking_is_read_from_the_log_the_disk_and_the_exit(
    job: JobFolder, exit_status: int, words: str, trouble: str, lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = job.attempt(1)
    attempt.root.mkdir(parents=True)
    attempt.log.write_text(words)
    monkeypatch.setattr("engine.schedule.worker.attempts.home_trouble", lambda _: trouble)
    monkeypatch.setattr("engine.schedule.worker.attempts.room_trouble", lambda _: "full" if trouble == "shm" else "")
    home = Home(job.root.parent.parent, job.root.parent.parent / "cache")
    assert find_lack(home, attempt, exit_status) == lack
