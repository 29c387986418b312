"""A foreign run as a job folder: whole, with every value, and with nothing that could harm a home."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from engine.collect import collect
from engine.errors import DataError
from engine.exchange.folders import read_renaming, write_run
from engine.exchange.foreign import BrokenRun, ForeignRun, Series, Values
from engine.home.commits import find_damage
from engine.home.paths import Home, open_home
from store.journal import read_journal
from store.points import read_metrics
from store.results import run_query

T = 1_700_000_000.0


def foreign(series: dict[str, Series], **words: Any) -> ForeignRun:
    about = {"started": T, "ended": T + 60, "status": "FINISHED", **words}
    return ForeignRun("g", "r1", "net", Path("there"), lambda: Values(dict(series)), **about)


@pytest.fixture
def empty(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def test_job_is_whole_and_twice_the_same_is_one(empty: Home) -> None:
    run = foreign({"x": Series([0], [T], [0.5])}, params={"lr": 0.1})
    first, second = (write_run(empty, "mlflow", run, ()) for _ in range(2))
    assert (first.job, first.is_new, second.is_new) == (second.job, True, False)
    assert [folder.job for folder in empty.jobs()] == [first.job]
    assert list(find_damage(empty.job(first.job), deep=True)) == []
    assert [path.name for path in empty.jobs_root.iterdir()] == [first.job], "nothing is left beside it"


@pytest.mark.parametrize("change", [{"params": {"lr": 0.2}}, {"status": "FAILED"}, {"tags": {"a": "b"}}])
def test_what_is_told_otherwise_is_another_job(empty: Home, change: dict[str, Any]) -> None:
    series = {"x": Series([0], [T], [0.5])}
    jobs = {write_run(empty, "mlflow", foreign(series, **words), ()).job for words in ({}, change)}
    assert len(jobs) == 2


def test_journal_has_each_value_in_the_writers_layout(empty: Home) -> None:
    values = [0.1, math.nan, math.inf, -math.inf, 1e-300]
    series = {"a, b": Series(list(range(5)), [T + at for at in range(5)], values), "epoch": Series([3], [T], [1.0])}
    written = write_run(empty, "wandb", foreign(series), ())
    data = empty.job(written.job).attempt(1).journal.read_bytes()
    lines, _ = read_journal(empty.job(written.job).attempt(1).journal)
    assert [line["seq"] for line in lines] == list(range(1, 7))
    assert str([line["value"] for line in lines[:5]]) == str(values)
    assert [line["epoch"] for line in lines[:5]] == [0, 1, 2, 1, 4], "what was logged as the epoch of step 3 is 1"
    assert read_metrics(data).names == ("a, b", "epoch")
    assert (written.values, written.not_finite, written.repeated) == (6, 3, 0)


def test_odd_names_times_and_steps_do_no_harm_to_a_home(empty: Home) -> None:
    series = {
        "nul\0 \udc80 \x1b[31m 'quote' \"\n": Series(
            [1 << 40, -(1 << 50), 0], [1e300, math.nan, None], [1.0, 2.0, 3.0]
        ),
    }
    params = {"a\0": "b\udc80\0", "n": math.nan, "deep": {"x": [1 << 70, math.inf]}, "when": object}
    write_run(empty, "wandb", foreign(series, params=params, started=1e300, ended=-1e300, note="\0"), ())
    assert collect(empty).damaged == ()
    rows = run_query(empty, 'select step, value, epoch, "at" from metrics order by value').rows
    assert [row[:3] for row in rows] == [(1 << 40, 1.0, 0), (-(1 << 50), 2.0, 0), (0, 3.0, 0)]
    told = run_query(empty, "select settings from jobs").rows[0][0]
    assert json.loads(told)["params"]["deep"] == {"x": [str(1 << 70), "inf"]}


def test_step_of_more_than_64_bits_breaks_the_run(empty: Home) -> None:
    with pytest.raises(BrokenRun, match="64-bit"):
        write_run(empty, "wandb", foreign({"x": Series([1 << 63], [T], [1.0])}), ())
    assert list(empty.jobs_root.iterdir()) == []


def test_repeated_steps_are_kept_and_counted(empty: Home) -> None:
    written = write_run(empty, "mlflow", foreign({"x": Series([5, 5, 5], [T, T, T], [1.0, 2.0, 3.0])}), ())
    assert written.repeated == 2
    collect(empty)
    assert run_query(empty, "select last, n from metrics_last").rows == [(3.0, 3)]


def test_renamed_metric_stands_beside_the_old_one(empty: Home) -> None:
    series = {"acc": Series([0, 1], [T, T], [50.0, 90.0])}
    write_run(empty, "mlflow", foreign(series), (read_renaming("acc%=val_top1"),))
    collect(empty)
    rows = run_query(empty, "select name, last from metrics_last order by name").rows
    assert rows == [("acc", 90.0), ("val_top1", 0.9)]


def test_per_cents_do_not_pass_as_shares(empty: Home) -> None:
    with pytest.raises(DataError) as error:
        write_run(empty, "mlflow", foreign({"acc": Series([0], [T], [90.0])}), (read_renaming("acc=val_top1"),))
    assert "--map acc%=val_top1" in error.value.fix


@pytest.mark.parametrize("text", ["acc", "=val_top1", "%=val_top1", "acc=", "acc=val_topp1", "acc=params"])
def test_renaming_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DataError) as error:
        read_renaming(text)
    assert error.value.fix
