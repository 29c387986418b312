"""One attempt from the inside: heartbeat, resuming, results, what it needs, and how it is asked to stop."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.core.train.checkpoint import save_checkpoint
from engine.core.train.loop import Stopped
from engine.errors import JobError, VersionError
from engine.home.commits import find_damage
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Order
from engine.run.attempt import Attempt
from engine.spec.job_settings import JobDetails, MeasureSettings, TrainSettings
from store.journal import read_journal
from tests.run.bench import TRAIN, TRAIN_JOB, write_spec

MINE = {"seq": 4, "seconds": 30.0, "host_peak_rss": 1 << 60}


@dataclass
class Clock:
    now: float = 500.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("engine.run.attempt.time.monotonic", made)
    return made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path, tmp_path / "cache")
    write_spec(made.job("train-1"), "train", {"pack": "pack-1"}, TRAIN_JOB)
    return made


def make(home: Home, number: int = 1, **details: Any) -> Attempt:
    write_json(home.job("train-1").details, details)
    return Attempt(Order(home, "train-1", number))


def lines(attempt: Attempt) -> list[dict[str, Any]]:
    return [dict(line) for line in read_journal(attempt.folder.journal)[0]]


def test_an_attempt_knows_its_job(home: Home) -> None:
    attempt = make(home, 3)
    assert (attempt.kind, attempt.needs) == ("train", {"pack": "pack-1"})
    assert attempt.settings(TrainSettings).train.epochs == TRAIN["epochs"]
    with pytest.raises(TypeError, match="train-1 has TrainSettings, no MeasureSettings"):
        attempt.settings(MeasureSettings)
    assert attempt.folder.root == home.job("train-1").attempt(3).root
    assert attempt.folder.root.is_dir()


def test_details_have_their_defaults_in_one_place(home: Home) -> None:
    assert make(home).details == JobDetails()
    assert make(home, memory="lean", workers=2).details == JobDetails(memory="lean", workers=2)
    with pytest.raises(VersionError, match=r"details.json: memory: Input should be 'standard' or 'lean'"):
        make(home, memory="x")


def test_a_metric_goes_to_journal_and_log(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    attempt = make(home)
    attempt.metric("loss", 0.25, 7, 2)
    (line,) = lines(attempt)
    assert [line[word] for word in ("name", "value", "step", "epoch")] == ["loss", 0.25, 7, 2]
    assert capsys.readouterr().out == "epoch 3 step 7 loss 0.25\n", "counted from 1, as progress is"


def test_heartbeats_come_once_a_second_and_at_each_phase(home: Home, clock: Clock) -> None:
    attempt = make(home)
    seen = []
    for seconds, phase, step in ((0.0, "train", 1), (0.9, "train", 2), (0.1, "train", 3), (0.1, "test", 4)):
        clock.now += seconds
        attempt.beat(phase, step=step)
        seen.append(json.loads(attempt.folder.heartbeat.read_text())["step"])
    clock.now += 0.95
    attempt.beat("test", step=5)
    seen.append(json.loads(attempt.folder.heartbeat.read_text())["step"])
    assert seen == [1, 1, 3, 4, 4]


def test_a_heartbeat_is_whole_and_says_who_and_where(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, replace, moved = make(home, 2), os.replace, list[str]()

    def look_and_replace(source: Path, target: Path) -> None:
        moved.append(json.loads(Path(source).read_text())["phase"])
        replace(source, target)

    monkeypatch.setattr(os, "replace", look_and_replace)
    monkeypatch.setattr("engine.run.attempt.time.time", lambda: 77.0)
    attempt.beat("train", step=5, loss=0.5)
    assert moved == ["train"]
    told = json.loads(attempt.folder.heartbeat.read_text())
    blank = {"steps": None, "epoch": None, "epochs": None, "rate": None}
    assert told == {**blank, "step": 5, "loss": 0.5, "attempt": 2, "pid": os.getpid(), "phase": "train", "at": 77.0}


def test_work_beats_and_leaves_when_asked(home: Home) -> None:
    attempt = make(home)
    attempt.watcher("pack")(3, 9)
    told = json.loads(attempt.folder.heartbeat.read_text())
    assert (told["phase"], told["step"], told["steps"]) == ("pack", 3, 9)
    attempt._stop = True
    with pytest.raises(Stopped):
        attempt.watch("pack", 4, 9)


def test_a_checkpoint_knows_only_lines_that_are_on_the_disk(
    home: Home, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, seen = make(home), list[Any]()
    attempt.extra = {"micro_batch": 8}
    attempt.metric("loss", 1.0, 0, 0)
    clock.now += 12.5
    monkeypatch.setattr(attempt.writer, "save", lambda state, step, before, _: seen.extend([state, step, before]))
    monkeypatch.setattr("engine.run.attempt.host_peak_rss", lambda: 321)
    attempt.save({"net": 1}, 6)
    mine = {"seq": attempt.journal.seq, "seconds": 12.5, "host_peak_rss": 321}
    assert attempt.journal.seq > 0
    assert seen == [{"net": 1, "micro_batch": 8, "attempt": mine}, 6, attempt.journal.sync]


@pytest.mark.parametrize(("error", "raises"), [(None, True), (Stopped(), True), (ValueError("bug"), False)])
def test_a_checkpoint_that_failed_counts_where_the_job_counts_on_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, error: BaseException | None, raises: bool
) -> None:
    attempt = make(home)

    def fail() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(attempt.writer, "settle", fail)
    if raises:
        with pytest.raises(OSError, match="the disk is full"):
            attempt.settle(error)
    else:
        attempt.settle(error)


def test_an_attempt_goes_on_from_the_newest_before_it(
    home: Home, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempt 10 from that of 9, not of 2; what comes after it does not count, nor its own."""
    for number, step in ((2, 50), (9, 40), (11, 90)):
        home.job("train-1").attempt(number).root.mkdir(parents=True)
        save_checkpoint(home.job("train-1").attempt(number).checkpoints, {"n": number, "attempt": MINE}, step)
    monkeypatch.setattr("engine.run.attempt.host_peak_rss", lambda: 5)
    attempt = make(home, 10)
    clock.now += 2.0
    found = attempt.resume()
    assert found is not None
    assert (found.state["n"], found.step) == (9, 40)
    assert (attempt.seconds(), attempt.peak_rss()) == (32.0, 1 << 60)
    (line,) = lines(attempt)
    assert [line[word] for word in ("type", "attempt", "step", "upto")] == ["from", 9, 40, 4]


def test_a_first_attempt_begins_at_the_beginning(home: Home, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.run.attempt.host_peak_rss", lambda: 5)
    attempt = make(home)
    assert attempt.resume() is None
    assert (lines(attempt), attempt.seconds(), attempt.peak_rss()) == ([], 0.0, 5)


def test_the_last_good_state_is_the_newest_attempts(home: Home) -> None:
    attempt = make(home, 10)
    assert attempt.last_good() == "it had no checkpoint yet"
    for number, step in ((9, 40), (2, 50)):
        home.job("train-1").attempt(number).root.mkdir(parents=True)
        save_checkpoint(home.job("train-1").attempt(number).checkpoints, {}, step)
    assert attempt.last_good() == "the last good state is the checkpoint of step 40"
    save_checkpoint(attempt.folder.checkpoints, {}, 60)
    save_checkpoint(attempt.folder.checkpoints, {}, 70)
    assert attempt.last_good() == "the last good state is the checkpoint of step 70"


def test_what_a_job_needs_has_to_be_named_and_done(home: Home) -> None:
    attempt = make(home)
    with pytest.raises(JobError, match="the settings name no teacher"):
        attempt.need("teacher")
    with pytest.raises(JobError, match=r"needs pack-1 \(pack\), which is not done") as absent:
        attempt.need("pack")
    assert "or copy jobs/pack-1 from a home that has it" in absent.value.fix
    home.job("pack-1").root.mkdir(parents=True)
    home.job("pack-1").spec.write_text("{}")
    with pytest.raises(JobError, match="which is not done") as waiting:
        attempt.need("pack")
    assert f"or run it here: python -m engine.run {home.job('pack-1').root}" in waiting.value.fix
    home.job("pack-1").result.write_text("{}")
    assert attempt.need("pack") == home.job("pack-1")


def test_a_result_says_what_was_done_and_the_first_counts(
    home: Home, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = make(home, 1), make(home, 2)
    clock.now += 1.23456
    second.write_result(7, {"top1": 0.5}, {"weights_sha256": "abc"})
    first.write_result(7, {"top1": 0.25})
    common = {"job": "train-1", "kind": "train", "steps": 7, "seconds": 1.235}
    told = json.loads(home.job("train-1").result.read_text())
    assert list(find_damage(home.job("train-1"), deep=True)) == []
    assert {one.pop("name") for one in told.pop("files")} == {"spec.json", "attempts/2/journal.jsonl"}
    assert len(told.pop("self")) == 64
    assert told == {**common, "attempt": 2, "figures": {"top1": 0.5}, "weights_sha256": "abc"}
    mine = json.loads(first.folder.result.read_text())
    assert (mine["attempt"], mine["figures"]) == (1, {"top1": 0.25})
    assert capsys.readouterr().out == "another attempt was first; its result counts\n"


def test_the_journal_is_on_the_disk_before_the_result(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, order = make(home), list[str]()

    def commit(job: object, folder: object) -> bool:
        order.append("commit")
        return True

    monkeypatch.setattr(attempt.journal, "sync", lambda: order.append("sync"))
    monkeypatch.setattr("engine.run.attempt.write_json", lambda path, value: order.append(path.name))
    monkeypatch.setattr("engine.home.paths.JobFolder.commit", commit)
    attempt.write_result(1, {})
    assert order == ["sync", "result.json", "commit"]


@pytest.fixture
def _handlers_come_back() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers_come_back")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2])
def test_each_signal_that_asks_to_end_is_heard(home: Home, number: signal.Signals) -> None:
    attempt = make(home)
    assert not attempt.should_stop()
    attempt.listen()
    assert not attempt.should_stop()
    signal.raise_signal(number)
    assert attempt.should_stop()
