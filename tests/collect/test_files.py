"""The files of a home as rows, and looks of files, without a database."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.collect.files import (
    attempt_row,
    experiment_rows,
    job_row,
    provenance_row,
    read_published,
    sign_file,
    sign_job,
    sign_settled,
    size_of,
    state_of,
    time_text,
    winner_of,
)
from engine.home.files import write_json
from tests.helpers.synthetic import SyntheticHome

RUN: dict[str, Any] = {"run": "r", "arm": "a", "cell": "c", "seed": 1, "split": "s", "settings": {"x": 1}}


def test_record_becomes_rows_of_four_tables(tmp_path: Path) -> None:
    record = {
        "title": "T", "baseline": "a", "spec": {"name": "one"}, "submitted_at": 0, "claims": [{"id": "k", "arm": "a"}],
        "runs": [{**RUN, "jobs": {"student": "train-1", "prune": None}}, {**RUN, "run": "q", "jobs": {"student": "t"}}],
    }  # fmt: skip
    write_json(tmp_path / "12.json", record)
    tables = experiment_rows({"one": tmp_path / "12.json"})
    assert tables["experiments"] == [
        {
            "experiment": "one", "title": "T", "baseline": "a", "spec": {"name": "one"},
            "submitted_at": "1970-01-01 00:00:00", "submission": 12, "imported": None,
        }
    ]  # fmt: skip
    assert tables["claims"] == [{"id": "k", "arm": "a", "claim": "k", "experiment": "one"}]
    assert tables["raw.runs"] == [
        {**RUN, "experiment": "one", "jobs": None, "position": 0},
        {**RUN, "run": "q", "experiment": "one", "jobs": None, "position": 1},
    ]
    assert tables["raw.run_jobs"] == [
        {"experiment": "one", "run": "r", "job": "train-1", "role": "student"},
        {"experiment": "one", "run": "q", "job": "t", "role": "student"},
    ]


def test_trials_and_finals_stand_apart_and_a_search_says_what_was_asked(tmp_path: Path) -> None:
    words = {"arm": "a", "trial": 3, "why": "tpe", "refused": None, "settings": {"train.lr": 0.1}, "at": 0.0}
    told = [
        {**words, "trial_arm": "a-t003-e1", "stage": "train", "rung": 0},
        {**words, "trial_arm": "a-t003-e3", "stage": "train", "rung": 1},
        {**words, "trial_arm": "a-best", "stage": "final", "rung": 0},
    ]
    runs = [{**RUN, "run": one["trial_arm"], "arm": one["trial_arm"], "jobs": {}} for one in told]
    record = {"search": {"asked": 5, "stopped": True, "trials": told}, "runs": runs}
    write_json(tmp_path / "1.json", record)
    tables = experiment_rows({"one": tmp_path / "1.json"})
    assert tables["searches"] == [{"experiment": "one", "asked": 5, "stopped": True}]
    assert [(row["trial_arm"], row["stage"], row["rung"]) for row in tables["raw.trials"]] == [
        ("a-t003-e1", "train", 0), ("a-t003-e3", "train", 1), ("a-best", "final", 0),
    ]  # fmt: skip
    assert [(row["arm"], row["experiment"]) for row in tables["raw.runs"]] == [
        ("a-t003-e1", "one/trials"), ("a-t003-e3", "one/trials"), ("a-best", "one"),
    ]  # fmt: skip


def test_claims_of_the_spec_stand_in_for_those_of_the_record(tmp_path: Path) -> None:
    write_json(tmp_path / "1.json", {"spec": {"claims": [{"id": "k"}]}})
    tables = experiment_rows({"one": tmp_path / "1.json"})
    assert [claim["claim"] for claim in tables["claims"]] == ["k"]
    (tmp_path / "1.json").write_text("{")
    assert experiment_rows({"one": tmp_path / "1.json"})["raw.runs"] == []


def test_job_row_holds_its_settings_state_and_figures(made: SyntheticHome) -> None:
    job = made.home.job(made.job("train-a", "train", {"b": "pack-z", "a": "pack-y", "c": "pack-x"}, {"seed": 3}))
    about = {"job": "train-a", "kind": "train", "needs": ["pack-x", "pack-y", "pack-z"], "settings": {"seed": 3}}
    assert job_row(job, {"train-a": "paused"}) == {**about, "state": "paused", "seconds": None, "figures": None}
    assert job_row(job, {})["state"] == "queued"
    write_json(job.result, {"seconds": 4.0, "figures": {"x": 1}, "attempt": 3})
    assert job_row(job, {"train-a": "paused"}) == {**about, "state": "done", "seconds": 4.0, "figures": {"x": 1}}
    assert state_of(job, {"train-a": "failed"}) == "done"
    assert winner_of(job) == 3


def test_attempt_row_prefers_what_the_scheduler_said(made: SyntheticHome) -> None:
    made.job("train-a", "train")
    attempt, journal = made.attempt("train-a", 2)
    journal.close()
    write_json(attempt.handle, {"host": "h"})
    write_json(attempt.provenance, {"host": "p", "device": "cuda"})
    blank = dict.fromkeys(("reason", "slot", "started_at", "ended_at"))
    about = {"job": "train-a", "attempt": 2, "host": "h", "device": "cuda"}
    assert attempt_row("train-a", attempt, [("train-a", 1), ("train-b", 2)]) == {**about, **blank, "outcome": None}
    assert attempt_row("train-a", attempt, [("train-a", 2)]) == {**about, **blank, "outcome": "done"}
    said = {"outcome": "lost", "reason": "gone", "slot": "gpu:0", "started_at": 0, "ended_at": 60}
    write_json(attempt.outcome, said)
    attempt.handle.unlink()
    assert attempt_row("train-a", attempt, [("train-a", 2)]) == {
        **about, "host": "p", "outcome": "lost", "reason": "gone", "slot": "gpu:0",
        "started_at": "1970-01-01 00:00:00", "ended_at": "1970-01-01 00:01:00",
    }  # fmt: skip


def test_provenance_keeps_what_has_no_column_but_the_packages(made: SyntheticHome) -> None:
    made.job("train-a", "train")
    attempt, journal = made.attempt("train-a", 2)
    journal.close()
    about = {name: name for name in (
        "git_commit", "git_dirty", "python", "torch", "timm", "host", "device", "driver", "spec_digest", "data_digest",
        "code_digest", "changes_digest",
    )}  # fmt: skip
    write_json(attempt.provenance, {**about, "cpu_model": "x", "packages": ["many"]})
    assert provenance_row("train-a", attempt) == {"job": "train-a", "attempt": 2, **about, "more": {"cpu_model": "x"}}
    attempt.provenance.unlink()
    assert provenance_row("train-a", attempt) is None


def test_an_attempt_that_did_not_say_how_it_ran_ran_as_its_job_says(made: SyntheticHome) -> None:
    made.job("train-a", "train")
    attempt, journal = made.attempt("train-a", 1)
    journal.close()
    write_json(made.home.job("train-a").details, {"workers": 3})
    row = provenance_row("train-a", attempt)
    assert row is not None
    assert row["more"] == {"details": {"workers": 3}}
    write_json(attempt.provenance, {"device": "cpu", "details": {"workers": 1}})
    row = provenance_row("train-a", attempt)
    assert row is not None
    assert row["more"] == {"details": {"workers": 1}}


@pytest.mark.parametrize("name", ["journal", "compacted", "handle", "provenance", "outcome"])
def test_each_file_of_an_attempt_changes_the_look_of_its_job(made: SyntheticHome, name: str) -> None:
    job = made.home.job(made.job("train-a", "train"))
    job.attempt(1).root.mkdir(parents=True)
    before, settled = sign_job(job), sign_settled(job)
    getattr(job.attempt(1), name).write_text("1")
    assert sign_job(job) != before
    assert sign_settled(job) == settled, "one glance does not look into attempts"


def test_new_attempt_spec_or_result_changes_the_look_of_a_job(made: SyntheticHome) -> None:
    job = made.home.job(made.job("train-a", "train"))
    (job.root / "attempts").mkdir()
    os.utime(job.root / "attempts", ns=(1, 1))
    looks, settled = [sign_job(job)], [sign_settled(job)]
    changes: list[Callable[[], object]] = [
        lambda: job.spec.write_text("{}"),
        lambda: job.attempt(1).root.mkdir(),
        lambda: job.result.touch(),
    ]
    for change in changes:
        change()
        looks.append(sign_job(job))
        settled.append(sign_settled(job))
    assert len(set(looks)) == 4
    assert [one == other for one, other in itertools.pairwise(settled)] == [True, False, False]


def test_look_of_a_file_is_its_time_size_and_place(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert (sign_file(path), size_of(path)) == ("-", 0)
    path.write_text("12")
    os.utime(path, ns=(0, 255))
    first = sign_file(path)
    assert first == f"ff.2.{path.stat().st_ino:x}"
    (tmp_path / "b").write_text("34")
    os.utime(tmp_path / "b", ns=(0, 255))
    assert sign_file(tmp_path / "b") != first, "another file of the same time and size"
    assert size_of(path) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), (0, "1970-01-01 00:00:00"), (1.5, "1970-01-01 00:00:01.500000"), (1e300, None), ("soon", None),
        ("2026-01-02T03:04:05", "2026-01-02 03:04:05"), ("2026-01-02T03:04:05+02:00", "2026-01-02 01:04:05"),
    ],
)  # fmt: skip
def test_time_is_text_in_utc(value: object, text: str | None) -> None:
    assert time_text(value) == text


def test_published_rows_have_nulls_where_the_file_is_empty() -> None:
    rows = list(read_published())
    assert len(rows) > 10
    assert "" not in {value for row in rows for value in row.values()}
    assert any(row["change"] is None for row in rows)
