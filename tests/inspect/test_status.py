"""What status says: counts, the jobs worth a line, titles, time left, and why nothing goes on."""

from __future__ import annotations

import io
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from engine.cli.render import render_view
from engine.cli.status_text import status_table
from engine.errors import XpError
from engine.home.control_files import HandleFile
from engine.home.files import write_json
from engine.home.paths import Home
from engine.inspect.progress_text import beat_text, progress_line
from engine.inspect.status import Beat, ExperimentView, JobView, find_trouble, read_status, title_of
from engine.launch.process import boot_id, host_name, seconds_since_start, see_process
from engine.schedule.lookup import find_experiment, find_match
from engine.schedule.searched import ArmProgress
from engine.schedule.worker.lock import take_lock
from store.queue import Owners, Queue, Verdict
from tests.helpers.queueing import Probe, make_home, submit_probes

BEAT = {"phase": "train", "step": 30, "steps": 40, "epoch": 3, "epochs": 4, "rate": 812.4, "loss": 1.25}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def take(queue: Queue, job: str, *, ago: float = 0.0) -> None:
    assert queue.lease(job, 1, "cpu:0", boot_id="boot", expires=60.0, now=time.time() - ago)


def beat(home: Home, job: str, **words: object) -> None:
    attempt = home.job(job).attempt(1)
    attempt.root.mkdir(parents=True)
    write_json(attempt.heartbeat, words)


@pytest.fixture
def view(home: Home) -> ExperimentView:
    """One job in each state: running for 30 s of 40 steps, failed, waiting after a crash, queued, blocked, done."""
    names = ("busy", "broken", "waiting", "ready", "done")
    submit_probes(home, "one", [*(Probe(f"train-{name}") for name in names), Probe("prune-1", ("train-ready",))])
    with Queue(home.queue_db) as queue:
        take(queue, "train-busy", ago=30.0)
        for job, verdict in {
            "train-broken": Verdict("crashed", "failed", "no such file"),
            "train-waiting": Verdict("crashed", "queued", "the disk is full", wait=5.0),
            "train-done": Verdict("done", "done"),
        }.items():
            take(queue, job)
            queue.finish(job, 1, verdict, time.time())
    beat(home, "train-busy", **BEAT)
    (found,) = read_status(home, "one")
    return found


def test_jobs_are_counted_by_state_and_the_notable_ones_told_with_their_reason(view: ExperimentView) -> None:
    assert view.jobs == {"running": 1, "failed": 1, "queued": 2, "blocked": 1, "done": 1}
    assert view.runs == {"running": 1, "failed": 1, "queued": 3, "done": 1}
    assert [(job.job, job.reason) for job in view.waiting] == [("train-waiting", "the disk is full")]
    assert [(job.job, job.reason) for job in view.failures] == [("train-broken", "no such file")]
    assert (view.is_moving, view.exit_code) == (True, 1)


def test_time_left_is_what_the_pace_says_and_what_waits(view: ExperimentView) -> None:
    (busy,) = view.running
    assert busy.seconds_left == pytest.approx(12.1, abs=1.0), "30 s for 30 of 40 steps, and the test at the end"
    assert view.seconds_left == pytest.approx(12.1 + 3 * 42.1 / 2, abs=2.0), "and three others at its pace"
    assert view.share == pytest.approx((1 + 0.95 * 0.75) / 6)


def test_what_waits_is_expected_to_take_as_long_as_what_was_measured(home: Home) -> None:
    submit_probes(home, "one", [Probe(f"train-{number}", cost=10.0) for number in range(6)])
    with Queue(home.queue_db) as queue:
        take(queue, "train-0", ago=90.0)
        queue.finish("train-0", 1, Verdict("done", "done"), time.time() - 60.0)
        queue.mark_done(["train-5"])
    assert read_status(home)[0].seconds_left == pytest.approx(4 * 30.0, abs=1.0), "30 s for an estimate of 10"
    with Queue(home.queue_db) as queue:
        take(queue, "train-1", ago=50.0)
    beat(home, "train-1", phase="train", step=20, steps=38)
    assert read_status(home)[0].seconds_left == pytest.approx(50.0 + 3 * (30 + 100) / 2, abs=4.0)


@pytest.mark.parametrize("jump", [-3 * 86400.0, 400 * 86400.0])
def test_a_clock_that_was_set_moves_no_running_job(home: Home, jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_probes(home, "one", [Probe("train-1", cost=10_000.0)])
    with Queue(home.queue_db) as queue:
        take(queue, "train-1")
    attempt, own = home.job("train-1").attempt(1), see_process(os.getpid())
    attempt.root.mkdir(parents=True)
    assert own is not None
    told = {"pid": own.pid, "start_time": own.start, "host": host_name(), "boot_id": boot_id()}
    write_json(attempt.handle, told)
    honest = time.time
    monkeypatch.setattr(time, "time", lambda: honest() + jump)
    lives = seconds_since_start(HandleFile.model_validate(told))
    assert lives is not None
    assert read_status(home)[0].running[0].running_for == pytest.approx(lives, abs=30.0)


def test_progress_does_not_fall_when_work_is_paused_and_goes_on(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", cost=100.0), Probe("train-2", cost=100.0)])
    shares = []
    with Queue(home.queue_db) as queue:
        take(queue, "train-1", ago=50.0)
        beat(home, "train-1", phase="train", step=20, steps=40)
        shares.append(read_status(home)[0].share)
        queue.request_pause(["train-1"])
        queue.finish("train-1", 1, Verdict("preempted", "queued"), time.time())
        shares.append(read_status(home)[0].share)
        assert read_status(home)[0].jobs == {"paused": 1, "queued": 1}
        queue.request_resume(["train-1"])
        shares.append(read_status(home)[0].share)
        assert read_status(home)[0].waiting == [], "it waits for no reason"
        assert read_status(home)[0].seconds_left == pytest.approx(152.5)
        assert queue.lease("train-1", 2, "cpu:0", boot_id="boot", expires=60.0, now=time.time())
        shares.append(read_status(home)[0].share)
    assert shares == pytest.approx([0.2375] * 4, abs=0.001)


def test_an_attempt_that_goes_on_is_timed_by_what_it_did_itself(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", cost=100.0)])
    with Queue(home.queue_db) as queue:
        take(queue, "train-1", ago=50.0)
        queue.finish("train-1", 1, Verdict("preempted", "queued"), time.time())
        assert queue.lease("train-1", 2, "cpu:0", boot_id="boot", expires=60.0, now=time.time() - 10.0)
    beat(home, "train-1", phase="train", step=20, steps=40)
    second = home.job("train-1").attempt(2)
    second.root.mkdir()
    (running,) = read_status(home)[0].running
    assert (running.share, running.start) == (0.475, 0.475), "it has said nothing yet"
    write_json(second.heartbeat, {"phase": "train", "step": 30, "steps": 40})
    (running,) = read_status(home)[0].running
    assert running.seconds_left == pytest.approx(10.0 * (1 - 0.7125) / 0.2375, abs=1.0)
    write_json(second.heartbeat, {"phase": "train", "step": 5, "steps": 40})
    (running,) = read_status(home)[0].running
    assert (running.share, running.start) == pytest.approx((0.11875, 0.11875)), "what was lost is done again"


def test_what_is_left_is_shared_by_the_jobs_that_run_at_once(home: Home) -> None:
    submit_probes(home, "one", [Probe(f"train-{number}", cost=10.0) for number in range(8)])
    with Queue(home.queue_db) as queue:
        take(queue, "train-0")
        take(queue, "train-1")
    assert read_status(home)[0].seconds_left == pytest.approx(40.0, abs=1.0)


def test_a_job_is_called_by_what_it_does_for_whom(home: Home) -> None:
    submit_probes(home, "one", [Probe("pack-1"), Probe("train-1", ("pack-1",)), Probe("train-2", ("pack-1",))])
    with Queue(home.queue_db) as queue:
        queue.finish("pack-1", 1, Verdict("done", "done"), 1.0)
        queue.mark_done(["pack-1"])
        take(queue, "train-2")
    assert [job.title for job in read_status(home)[0].running] == ["role0 arm cell seed 2"]


@pytest.mark.parametrize("width", [200, 80, 40])
def test_each_running_job_is_one_line_at_any_width(view: ExperimentView, width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    console.print(render_view(view, width))
    shown = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in shown)
    assert shown[0].startswith("one")
    assert shown[1].strip().startswith("role0")
    assert "71%" in shown[1]
    assert bool(re.search(r"train 4/4, 812 images/s, loss 1\.250, 1[2-4]s left", shown[1])) == (width > 40)


def test_lines_for_a_pipe_say_the_same_without_colours(view: ExperimentView) -> None:
    line = progress_line(view)
    assert re.match(r"one: 1/6 jobs, 29%, about 1m1\ds left; role0 arm cell seed 0: train 4/4, ", line), line
    assert re.search(r"812 images/s, loss 1\.250, 1[2-4]s left$", line), line
    console = Console(file=io.StringIO(), width=120)
    console.print(status_table([view]))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "waiting: one: role0 arm cell seed 2 (train-waiting): the disk is full" in said
    assert "failed: one: role0 arm cell seed 1 (train-broken): no such file" in said


def test_a_job_without_steps_is_shown_by_the_clock_and_never_done(home: Home) -> None:
    submit_probes(home, "one", [Probe("measure-1", kind="measure", cost=10.0)])
    with Queue(home.queue_db) as queue:
        take(queue, "measure-1", ago=5.0)
    beat(home, "measure-1", phase="measure", step=0, steps=0)
    assert read_status(home)[0].running[0].share == pytest.approx(0.5, abs=0.05)
    with Queue(home.queue_db) as queue:
        queue.restore_job("measure-1", started_at=time.time() - 500)
    assert read_status(home)[0].running[0].share == 0.95


def test_a_bar_never_goes_back_when_a_job_counts_its_next_phase(home: Home) -> None:
    steps = [("prune", 0, 0), ("recover", 1, 9), ("validate", 9, 9), ("evaluate", 1, 3), ("evaluate", 3, 3)]
    shares = [Beat(phase, step, whole).share for phase, step, whole in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    packing = [Beat(phase, step, 9).share for phase, step in (("list", 1), ("list", 9), ("pack", 1), ("pack", 9))]
    assert packing == sorted(packing)


def test_a_pack_says_how_many_images_it_has_done(home: Home) -> None:
    submit_probes(home, "one", [Probe("pack-1", kind="pack")])
    with Queue(home.queue_db) as queue:
        take(queue, "pack-1")
    beat(home, "pack-1", phase="pack", step=812, steps=2500)
    assert beat_text(read_status(home)[0].running[0]).startswith("pack 812/2500, ")


def test_many_failures_are_counted_and_the_first_of_them_told(home: Home) -> None:
    submit_probes(home, "one", [Probe(f"train-{number}") for number in range(30)])
    with Queue(home.queue_db) as queue:
        for number in range(14):
            take(queue, f"train-{number}")
            queue.finish(f"train-{number}", 1, Verdict("crashed", "failed", "no such file"), 1.0)
        queue.request_cancel(experiment="one")
    console = Console(file=io.StringIO(), width=120)
    console.print(status_table(read_status(home)))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said.count("no such file") == 10
    assert "and 4 more failed" in said
    assert said.count("cancelled") == 2, "of runs and of jobs, in the table"


def test_trouble_is_said_where_there_is_work(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_trouble(home, read_status(home)) == ""
    submit_probes(home, "one", [Probe("train-1")])
    views = read_status(home)
    assert "no scheduler works here" in find_trouble(home, views)
    with monkeypatch.context() as patch:
        patch.setattr("engine.inspect.status.is_starting", lambda found: found == home)
        assert find_trouble(home, views) == ""
    lock = take_lock(home)
    assert lock is not None
    assert find_trouble(home, views) == ""
    home.scheduler_log.write_text("2026 cannot go on for now: too many files are open\n")
    assert find_trouble(home, views) == "the scheduler cannot go on for now: too many files are open"
    home.scheduler_log.write_text("2026 collecting failed and is tried again: disk I/O error\n")
    assert find_trouble(home, views).startswith("the scheduler takes no results in: disk I/O error")
    home.scheduler_log.write_text("2026 cannot go on for now: too many files are open\n2026 goes on\n")
    assert find_trouble(home, views) == ""
    monkeypatch.setattr("engine.inspect.status.home_trouble", lambda _: "the disk is full")
    assert "the disk is full" in find_trouble(home, views)
    lock.release()


def test_ids_are_found_by_their_beginning_and_experiments_by_their_runs(home: Home) -> None:
    submit_probes(home, "one", [Probe("pack-1a"), Probe("train-2b", ("pack-1a",))])
    assert find_match(home, "one").jobs == ("pack-1a", "train-2b"), "in the order they are needed"
    assert find_match(home, "2b").jobs == ("train-2b",)
    assert find_experiment(home, "run-train") == "one"
    with pytest.raises(XpError, match="is a job"):
        find_experiment(home, "2b")
    with pytest.raises(XpError, match=r"begins 2 ids: run-pack-1a \(one/arm/cell@0\), run-train-2b \(one/arm/cell@1\)"):
        find_match(home, "run")
    with pytest.raises(XpError, match="nothing here is called 'o'"):
        find_match(home, "o")


# Views written by hand ------------------------------------------------------------------------------------------------


def _job(state: str = "running", **more: Any) -> JobView:
    about: dict[str, Any] = {
        "job": "train-1", "kind": "train", "state": state, "title": "t", "reason": "r", "attempts": 1, "seconds": 100.0,
        "running_for": 40.0, "beat": Beat(),
    }  # fmt: skip
    return JobView(**{**about, **more})


@pytest.mark.parametrize(
    ("beat", "share"),
    [
        (Beat("train", 20, 40), 0.475), (Beat("train", 80, 40), 0.95), (Beat("train", 5, 0), 0.0),
        (Beat("list", 1, 2), 0.025), (Beat("pack", 1, 2), 0.5), (Beat("prune", 1, 2), 0.1),
        (Beat("recover", 1, 2), 0.575), (Beat("evaluate", 1, 2), 0.975),
    ],
)  # fmt: skip
def test_each_phase_has_its_part_of_the_bar(beat: Beat, share: float) -> None:
    assert beat.share == pytest.approx(share)
    assert _job(beat=beat).share == pytest.approx(share if beat.steps else 0.4)


@pytest.mark.parametrize(
    ("beat", "seconds", "left"),
    [
        (Beat("train", 20, 38), 100.0, 40.0), (Beat(), 100.0, 60.0), (Beat(), 30.0, 0.1),
        (Beat("train", 1, 40), 100.0, 60.0), (Beat("evaluate", 3, 3), 100.0, 0.1),
    ],
)  # fmt: skip
def test_time_left_is_by_pace_once_under_way_and_never_none(beat: Beat, seconds: float, left: float) -> None:
    assert _job(beat=beat, seconds=seconds).seconds_left == pytest.approx(left, rel=0.06)


def _view(*listed: JobView, **more: Any) -> ExperimentView:
    about: dict[str, Any] = {"runs": {}, "jobs": {"done": 1}, "seconds": {}, "listed": listed}
    return ExperimentView("paper", **{**about, **more})


@pytest.mark.parametrize(
    ("jobs", "code", "is_moving"),
    [
        ({"done": 3}, 0, False), ({}, 0, False), ({"done": 3, "failed": 1}, 1, False), ({"cancelled": 1}, 1, False),
        ({"failed": 1, "running": 1}, 1, True), ({"done": 1, "queued": 1}, 3, True), ({"blocked": 1}, 3, False),
        ({"paused": 1, "done": 2}, 3, False), ({"running": 1}, 3, True), ({"done": 1, "failed": 0}, 3, False),
    ],
)  # fmt: skip
def test_an_exit_code_tells_done_failed_and_unfinished_apart(jobs: dict[str, int], code: int, is_moving: bool) -> None:
    assert (_view(jobs=jobs).exit_code, _view(jobs=jobs).is_moving) == (code, is_moving)


def test_what_waits_is_shared_by_what_runs_but_the_longest_decides() -> None:
    one = _job(seconds=50.0)
    assert _view(one, one, waiting_seconds={"train": 60.0, "pack": 20.0}).seconds_left == pytest.approx(50.0)
    assert _view(waiting_seconds={"train": 60.0, "pack": 20.0}, seconds={"done": 999.0}).seconds_left == 80.0
    long = _job(seconds=500.0)
    assert _view(one, long).seconds_left == 460.0
    assert _view(waiting_seconds={"train": 60.0}, measured={"train": (30.0, 10.0)}).seconds_left == 180.0


def test_a_kind_that_is_slower_than_guessed_slows_no_other() -> None:
    """Targets took 65 times what was guessed; 40 minutes of trainings are still 40 minutes."""
    waiting, slow = {"train": 2400.0}, {"targets": (1300.0, 20.0)}
    assert _view(waiting_seconds=waiting, measured=slow).seconds_left == 2400.0
    both = slow | {"train": (30.0, 60.0)}
    assert _view(waiting_seconds=waiting | {"targets": 10.0}, measured=both).seconds_left == 1200.0 + 650.0
    at_work = _job(kind="targets", seconds=10.0, running_for=325.0, beat=Beat("targets", 50, 95))
    assert at_work.seconds_left == pytest.approx(325.0)
    assert _view(at_work, waiting_seconds=waiting).seconds_left == pytest.approx(325.0 + 2400.0)


def test_a_share_weighs_jobs_by_their_seconds() -> None:
    assert _view(_job(), seconds={"done": 100.0, "running": 100.0, "queued": 200.0}).share == pytest.approx(140 / 400)
    assert _view().share == 0.0
    assert _view(_job(seconds=900.0), seconds={"done": 100.0}).share == 1.0


def test_an_open_search_is_never_whole_and_its_jobs_are_as_much_as_it_asked_for() -> None:
    arms = (ArmProgress("a", 4, 1, 0, 1, 1, ()), ArmProgress("b", 4, 0, 0, 0, 0, ()))
    about: dict[str, Any] = {"jobs": {"done": 2}, "seconds": {"done": 20.0}}
    assert _view(**about, searched=arms, is_searching=True).share == pytest.approx(0.25)
    assert _view(**about, searched=arms).share == 1.0
    done = (ArmProgress("a", 1, 1, 0, 0, 0, ()),)
    assert _view(**about, searched=done, is_searching=True).share < 0.995, "its best may be trained anew"


def test_jobs_are_listed_by_how_they_stand() -> None:
    view = _view(*(_job(state) for state in ("running", "failed", "cancelled", "queued", "paused")))
    assert [job.state for job in view.running] == ["running"]
    assert [job.state for job in view.failures] == ["failed", "cancelled"]
    assert [job.state for job in view.waiting] == ["queued"]


def test_a_view_is_whole_in_json() -> None:
    beat = Beat("train", 19, 38, 1, 4, 812.4, 1.25)
    told = _view(_job(beat=beat), jobs={"running": 1}, seconds={"running": 100.0}, runs={"running": 1}).as_json()
    job = {"job": "train-1", "kind": "train", "title": "t", "state": "running", "reason": "r", "phase": "train",
           "step": 19, "steps": 38, "epoch": 1, "epochs": 4, "rate": 812.4, "loss": 1.25, "slot": "",
           "node": ""}  # fmt: skip
    assert told == {
        "experiment": "paper", "runs": {"running": 1}, "jobs": {"running": 1}, "share": 0.475,
        "is_searching": False, "seconds_left": 44.2,
        "running": [job], "waiting": [], "failures": [],
    }  # fmt: skip
    assert _view(waiting_seconds={"train": 50.0}).as_json()["seconds_left"] == 0.0


def test_newest_submissions_come_first(home: Home) -> None:
    for name in ("first", "second"):
        submit_probes(home, name, [Probe(f"train-{name}")])
    assert [view.experiment for view in read_status(home)] == ["second", "first"]


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "student plain split=1 seed 3"), ({"role": "pack"}, "pack"), ({"role": "teacher"}, "teacher"),
        ({"role": "targets"}, "targets"), ({"arms": 2}, "student plain and other split=1 seed 3"),
        ({"arms": 3}, "student split=1 seed 3"), ({"cells": 2}, "student plain seed 3"),
        ({"cell": "default"}, "student plain seed 3"), ({"seeds": 2}, "student plain split=1"),
    ],
)  # fmt: skip
def test_a_title_names_what_is_its_own(changes: dict[str, Any], title: str) -> None:
    about = {"role": "student", "arm": "plain", "other_arm": "other", "arms": 1, "cell": "split=1", "cells": 1,
             "seed": 3, "seeds": 1, **changes}  # fmt: skip
    assert title_of(cast("Owners", SimpleNamespace(**about))) == title
