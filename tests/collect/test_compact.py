"""Finished journals become Parquet: the same rows, a tenth of the bytes, and nothing lost whenever it is killed."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from engine.collect import collect, rebuild
from engine.collect.compact import compact_journals
from engine.home.paths import AttemptFolder, Home
from store.journal import JournalWriter
from tests.collect.killing import digest_of
from tests.collect.reading import export_rows, log_steps, read_rows, read_steps
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome


@pytest.fixture
def compacting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compact journals of any size, and all of them however long that takes."""
    monkeypatch.setattr("engine.collect.SMALLEST", 0)
    monkeypatch.setattr("engine.collect.compact_journals", partial(compact_journals, seconds=math.inf))


def _journals(home: Home) -> list[str]:
    found = (path.name for path in home.jobs_root.glob("*/attempts/*/journal.*"))
    return sorted(name for name in found if name != "journal.parquet.json")


def _resumed_with_a_zombie(made: SyntheticHome, job: str) -> AttemptFolder:
    """A job whose second attempt went on from the first, which wrote on as a zombie; the second is committed."""
    made.job(job, "train")
    first, old = made.attempt(job, 1)
    log_steps(old, 1, 2, 3)
    second, new = made.attempt(job, 2)
    new.resumed(1, 2, 2)
    log_steps(new, 3, 4)
    log_steps(old, 4, 5, 6)
    old.close()
    new.close()
    made.outcome(first, "lost")
    made.finish(job, second)
    return second


def _every_kind(made: SyntheticHome, job: str) -> None:
    """A job with a line of each kind, and values that JSON has no word for."""
    made.job(job, "train")
    attempt, journal = made.attempt(job, 1)
    with journal:
        for step, value in enumerate((0.1, math.nan, math.inf, -math.inf, -0.0, 1e-300)):
            journal.metric("odd, \u201cname\u201d", value, step=step, epoch=0)
        where = {"device": "cpu", "precision": "fp32", "batch_size": 1, "threads": 2}
        journal.measurement("latency", math.nan, "ms", **where, p5=None, p95=math.inf, n=3)  # type: ignore[arg-type]
        journal.predictions("test", ["a", "b"], [0, 1], [1, 1], [0.5, math.nan])
        journal.predictions("val", [], [], [], [])
        journal.teacher("val", "top1", 0.7)
        for name, fact in (("text", "a\nb"), ("none", None), ("tree", {"x": [1, 2.5, "NaN"]}), ("number", 3)):
            journal.fact(name, fact)
    made.finish(job, attempt)


@pytest.mark.usefixtures("compacting")
def test_compaction_and_rebuilds_change_no_row(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    made.experiment("paper", ARMS)
    _resumed_with_a_zombie(made, "train-a")
    _every_kind(made, "train-b")
    monkeypatch.setattr("engine.collect.SMALLEST", 1 << 40)
    collect(made.home)
    before = export_rows(made.home)
    assert set(_journals(made.home)) == {"journal.jsonl"}
    monkeypatch.setattr("engine.collect.SMALLEST", 0)
    collect(made.home)
    assert "journal.parquet" in _journals(made.home)
    assert read_steps(made.home, "train-a") == [1, 2, 3, 4]
    assert export_rows(made.home) == before
    rebuild(made.home)
    assert export_rows(made.home) == before
    kept = [path for path in made.home.jobs_root.glob("*/attempts/*/journal.jsonl") if path.stat().st_size]
    assert kept == []


@pytest.mark.usefixtures("compacting")
def test_compacted_home_is_read_once_and_a_new_attempt_alone_is_added(made: SyntheticHome) -> None:
    _resumed_with_a_zombie(made, "train-a")
    collect(made.home)
    report = collect(made.home)
    assert (report.jobs, report.bytes, report.is_published) == (0, 0, False)
    _, journal = made.attempt("train-a", 3)
    journal.metric("train_loss", 9.0, step=9, epoch=0)
    journal.close()
    report = collect(made.home)
    assert report.jobs == 1
    assert 0 < report.bytes < 200
    assert read_steps(made.home, "train-a") == [1, 2, 3, 4]


def test_large_journal_shrinks_and_small_and_running_ones_stay(made: SyntheticHome) -> None:
    made.job("train-a", "train")
    attempt, journal = made.attempt("train-a", 1)
    log_steps(journal, *range(5000))
    journal.close()
    size = attempt.journal.stat().st_size
    _, running = made.attempt(made.job("train-b", "train"), 1)
    log_steps(running, *range(5000))
    running.close()
    made.done("pack-a", "pack")
    made.finish("train-a", attempt)
    collect(made.home)
    assert attempt.compacted.stat().st_size < size / 8
    assert _journals(made.home) == ["journal.jsonl", "journal.jsonl", "journal.parquet"]
    assert read_steps(made.home, "train-a") == list(range(5000))


@pytest.mark.usefixtures("compacting")
@pytest.mark.parametrize("line", ['{"v":1,"seq":9', '{"v":2,"seq":9,"type":"metric"}', '{"v":1,"seq":9,"type":"new"}'])
def test_journal_with_a_line_that_is_not_understood_stays(made: SyntheticHome, line: str) -> None:
    made.job("train-a", "train")
    attempt, journal = made.attempt("train-a", 1)
    log_steps(journal, 1)
    journal.close()
    with open(attempt.journal, "a") as handle:
        handle.write(line + "\n")
    made.finish("train-a", attempt)
    collect(made.home)
    assert _journals(made.home) == ["journal.jsonl"]
    assert read_steps(made.home, "train-a")[0] == 1


@pytest.mark.usefixtures("compacting")
def test_older_journal_copied_beside_the_compacted_one_does_not_count(made: SyntheticHome) -> None:
    winner = _resumed_with_a_zombie(made, "train-a")
    part = winner.journal.read_bytes().splitlines(keepends=True)[0]
    collect(made.home)
    before = export_rows(made.home)
    winner.journal.write_bytes(part)
    rebuild(made.home)
    assert export_rows(made.home) == before


@pytest.mark.usefixtures("compacting")
def test_damaged_compacted_journal_is_named_and_stops_nothing_else(
    made: SyntheticHome, caplog: pytest.LogCaptureFixture
) -> None:
    winner = _resumed_with_a_zombie(made, "train-a")
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    collect(made.home)
    whole = winner.compacted.read_bytes()
    winner.compacted.write_bytes(whole[:100])
    with caplog.at_level(logging.WARNING):
        rebuild(made.home)
    assert str(winner.compacted) in caplog.text
    assert read_rows(made.home, "select count(*) from results where test_top1 is not null") == [(1,)]
    winner.compacted.write_bytes(whole)
    rebuild(made.home)
    assert read_steps(made.home, "train-a") == [1, 2, 3, 4]


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_compaction_killed_at_any_line_loses_and_repeats_nothing(
    made: SyntheticHome, tmp_path: Path, stride: int
) -> None:
    _every_kind(made, "train-b")
    (tmp_path / "killed").mkdir()
    command = [
        sys.executable,
        "-m",
        "tests.collect.killing",
        str(made.home.root),
        str(tmp_path / "killed"),
        str(stride),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert answer.returncode == 0, answer.stderr
    seen = json.loads(answer.stdout)
    assert len(seen) > 30 / stride
    collect(made.home)
    assert seen == [[digest_of(made.home)] * 2 + [0, 1, 0]] * len(seen)


def test_zombie_that_writes_on_after_the_compaction_does_no_harm(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.collect.SMALLEST", 0)
    made.job("train-a", "train")
    first, zombie = made.attempt("train-a", 1)
    log_steps(zombie, 1, 2)
    second, journal = made.attempt("train-a", 2)
    log_steps(journal, 1, 2, 3)
    journal.close()
    made.outcome(first, "lost")
    made.finish("train-a", second)
    collect(made.home)
    log_steps(zombie, 50)
    zombie.close()
    with JournalWriter(first.journal) as again:
        log_steps(again, 60)
    collect(made.home)
    rebuild(made.home)
    assert read_steps(made.home, "train-a") == [1, 2, 3]
