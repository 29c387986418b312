"""The whole flow as a person runs it: submit, kill what runs, submit again, ask, report, rebuild."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.home.files import read_json
from engine.home.paths import Home, open_home
from engine.schedule.worker import scheduler_alive
from store.results import open_snapshot
from tests.flow.commands import CANARY, RESOURCES, ask, forked, xp

TINY = RESOURCES / "tiny.yaml"
PATIENCE = 240.0


def wait_until(holds: Callable[[], Any]) -> Any:
    """Return the first true value of `holds`, looked at often."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = holds()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("it never came true")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the tiny experiment ran to its end without disturbance."""
    home = tmp_path_factory.mktemp("flow") / "home"
    xp(home, "submit", TINY, "--wait")
    return home


def test_every_run_ends_with_its_numbers(done: Path) -> None:
    rows = ask(done, "select arm, seed, test_top1, params, infer_images_per_second, host_peak_rss from results")
    assert sorted((row["arm"], row["seed"]) for row in rows) == [
        (arm, seed) for arm in ("distilled", "distilled_pruned", "original") for seed in (0, 1)
    ]
    assert all(row[name] is not None for row in rows for name in row)


def test_learning_is_better_than_chance(done: Path) -> None:
    (row,) = ask(done, "select mean, n from cells where metric = 'test_top1' and arm = 'original'")
    assert row["n"] == 2
    assert row["mean"] > 0.2


def test_the_manifest_of_each_split_can_be_queried(done: Path) -> None:
    sizes = ask(done, "select part, count(*) as n from splits group by job, part")
    assert {(row["part"], row["n"]) for row in sizes} == {("train", 1078), ("val", 362), ("test", 357)}
    (row,) = ask(done, "select count(distinct digest) as splits, count(distinct sample) as samples from splits")
    assert (row["splits"], row["samples"]) == (1, 1797)
    wrong = "select count(*) as n from predictions p join splits s using (job, sample) where p.part <> s.part"
    assert ask(done, wrong)[0]["n"] == 0
    (split,) = ask(done, "select distinct value ->> '$.digest' as digest from facts where name = 'split'")
    assert len(split["digest"]) == 64


def test_every_epoch_is_logged_once(done: Path) -> None:
    counts = ask(done, "select job, name, epoch, count(*) as n from metrics group by all")
    assert {row["n"] for row in counts} == {1}
    assert {"train_loss", "val_loss", "val_top1", "lr", "test_top1"} <= {row["name"] for row in counts}


def test_pruned_network_is_smaller_by_what_was_asked(done: Path) -> None:
    rows = ask(done, "select arm, max(params) as params from results group by arm")
    params = {row["arm"]: row["params"] for row in rows}
    assert abs(1 - params["distilled_pruned"] / params["distilled"] - 0.2) <= 0.02


def test_second_submit_does_nothing_and_plan_reuses_all(done: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.glob("jobs/*/attempts/*/result.json")}
    xp(done, "submit", TINY, "--wait")
    plan = json.loads(forked(done, "plan", TINY, "--json"))
    assert all(job["reused"] for job in plan["jobs"])
    assert (plan["seconds"], plan["bytes"]) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in done.glob("jobs/*/attempts/*/result.json")} == before


def test_rebuild_brings_every_row_back(done: Path) -> None:
    names = ("runs", "jobs", "run_jobs", "attempts", "metrics", "predictions", "measurements", "teachers", "provenance")
    before = {name: table_rows(done, name) for name in names}
    assert all(before.values())
    (done / "results.duckdb").unlink()
    xp(done, "rebuild")
    assert {name: table_rows(done, name) for name in names} == before


def table_rows(home: Path, name: str) -> list[tuple[Any, ...]]:
    """All rows of a table, read here: a command for each would take longer than the rebuild."""
    with open_snapshot(home) as db:
        return db.execute(f"select * from {name} order by all").fetchall()


@pytest.fixture(scope="module")
def paths(done: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of the report, which is made once."""
    return [Path(line) for line in xp(done, "report", "tiny", "-o", tmp_path_factory.mktemp("report")).split()]


def test_report_shows_every_arm_and_stands_alone(paths: list[Path]) -> None:
    page = next(path for path in paths if path.suffix == ".html").read_text()
    assert all(arm in page for arm in ("original", "distilled", "distilled_pruned"))
    assert "<svg" in page
    assert "data:image/png;base64," in page
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert "| original" in next(path for path in paths if path.suffix == ".md").read_text()


def test_no_secret_of_the_environment_is_written_anywhere(done: Path, paths: list[Path]) -> None:
    """Every command here has them in its environment (tests/flow/commands.py), the one that ran the jobs too."""
    xp(done, "doctor")
    folders = {done, *(path.parent for path in paths)}
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    "query",
    ["create table a (b int)", "delete from runs", "copy runs to 'a.csv'", "select * from read_text('/etc/hosts')"],
)
def test_query_that_would_write_or_read_outside_is_refused(done: Path, query: str) -> None:
    digest = (done / "results.duckdb").read_bytes()
    forked(done, "sql", query, code=2)
    assert (done / "results.duckdb").read_bytes() == digest


def test_killed_job_and_scheduler_change_nothing_in_the_end(done: Path, tmp_path: Path) -> None:
    """SIGKILL to training in mid-epoch, then to the scheduler: bit-identical weights, every epoch's metric once."""
    root = tmp_path / "home"
    xp(root, "submit", TINY, "--set", "seeds=[0]")
    home = open_home(root)
    wait_until(lambda: home.scheduler_file.exists())
    os.kill(wait_until(lambda: _training_process(home, 0)), signal.SIGKILL)
    os.kill(wait_until(lambda: _training_process(home, 1)), signal.SIGKILL)
    scheduler = read_json(home.scheduler_file)["pid"]
    wait_until(lambda: _training_process(home, 0))
    os.kill(scheduler, signal.SIGKILL)
    wait_until(lambda: not scheduler_alive(home))
    assert ask(root, "select count(*) as n from runs")[0]["n"] == 3
    xp(root, "submit", TINY, "--set", "seeds=[0]", "--wait")
    assert _weights_of(home) == {
        job: digest for job, digest in _weights_of(open_home(done)).items() if job in _weights_of(home)
    }
    counts = ask(root, "select count(*) as n from metrics group by job, name, epoch")
    assert {row["n"] for row in counts} == {1}
    assert ask(root, "select count(*) as n from attempts where outcome = 'lost'")[0]["n"] >= 2


def _training_process(home: Home, attempts: int) -> int | None:
    """Return the id of a training process in mid-epoch, of a job that has been killed `attempts` times or more."""
    for beat in home.jobs_root.glob("train-*/attempts/*/heartbeat.json"):
        folder = beat.parent
        if (folder / "outcome.json").exists() or (folder / "result.json").exists() or int(folder.name) <= attempts:
            continue
        held = json.loads(beat.read_text())
        if held.get("phase") == "train" and 0 < held["step"] < held["steps"]:
            return int(held["pid"])
    return None


def _weights_of(home: Home) -> dict[str, str]:
    results = {folder.job: read_json(folder.result) for folder in home.jobs()}
    return {job: result["weights_sha256"] for job, result in results.items() if result.get("weights_sha256")}
