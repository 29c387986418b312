"""The local launcher: forked jobs, their folders and descriptors, adoption, stopping, and a fork server that dies."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Handle, Order, State, Status
from engine.launch.local import LocalLauncher
from engine.launch.process import boot_id, host_name, is_alive, see_process, session_members
from tests.helpers.queueing import PROBE, make_home, told_process, until
from tests.launch.probe_job import CANARY


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def launcher() -> Iterator[LocalLauncher]:
    made = LocalLauncher(PROBE, cpus=2)
    yield made
    made.close()


def order(home: Home, job: str = "train-1", attempt: int = 1, **does: object) -> Order:
    home.job(job).root.mkdir(parents=True, exist_ok=True)
    write_json(home.job(job).details, does)
    return Order(home, job, attempt)


def wait_for(launcher: LocalLauncher, handle: Handle, state: State = State.GONE, seconds: float = 120.0) -> Status:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = launcher.poll([handle])[handle]
        if status.state == state:
            return status
        launcher.wait(0.2)
    raise AssertionError(f"{handle.job} is not {state} after {seconds} s")


def test_a_job_runs_in_its_own_session_and_leaves_its_files(home: Home, launcher: LocalLauncher) -> None:
    handle = launcher.submit(order(home))
    assert launcher.submit(order(home)) is handle, "the same attempt again starts nothing"
    assert wait_for(launcher, handle).exit == 0
    attempt = home.job("train-1").attempt(1)
    told = json.loads(attempt.handle.read_text())
    assert (told["host"], told["boot_id"], told["job"], told["exit"]) == (host_name(), boot_id(), "train-1", 0)
    assert json.loads(home.job("train-1").result.read_text())["env"]["session"] == "True"
    assert attempt.log.exists()


def test_exit_statuses_and_signals_come_back(home: Home, launcher: LocalLauncher) -> None:
    leaving = launcher.submit(order(home, "train-1", do="exit", exit=86))
    crashing = launcher.submit(order(home, "train-2", do="crash"))
    sleeping = launcher.submit(order(home, "train-3", do="sleep", seconds=60))
    pid, _ = told_process(home, "train-3")
    os.kill(pid, signal.SIGKILL)
    assert wait_for(launcher, leaving).exit == 86
    assert wait_for(launcher, crashing).exit == 1
    assert wait_for(launcher, sleeping).exit == -signal.SIGKILL
    assert "told to crash" in home.job("train-2").attempt(1).log.read_text()


def test_a_taken_attempt_folder_ends_the_second_process_quietly(home: Home, launcher: LocalLauncher) -> None:
    home.job("train-1").attempt(1).root.mkdir(parents=True)
    handle = launcher.submit(order(home))
    assert wait_for(launcher, handle) == Status(State.GONE, 75, has_started=False)
    assert list(home.job("train-1").attempt(1).root.iterdir()) == []


@pytest.mark.timeout(240)
def test_the_end_of_a_job_wakes_whoever_waits(home: Home, launcher: LocalLauncher) -> None:
    """A wait that slept through the end would take an hour: how soon it wakes is for benchmarks/scheduler.py to say."""
    for number in range(7):
        handle = launcher.submit(order(home, f"train-{number}"))
        while launcher.poll([handle])[handle].state != State.GONE:
            launcher.wait(3600.0)


def test_a_job_inherits_no_descriptor(home: Home, launcher: LocalLauncher) -> None:
    launcher.submit(order(home, do="sleep", seconds=60))
    pid, start = told_process(home)
    until(lambda: home.job("train-1").attempt(1).log.exists())
    until(lambda: len(os.listdir(f"/proc/{pid}/fd")) == 3)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid, start))


def test_stop_asks_first_and_kills_all_of_the_session_later(home: Home, launcher: LocalLauncher) -> None:
    polite = launcher.submit(order(home, "train-1", do="sleep", seconds=60))
    deaf = launcher.submit(order(home, "train-2", do="sleep", seconds=60, deaf=True, child=True))
    pid, _ = told_process(home, "train-2")
    until(lambda: len(session_members(pid)) == 2)
    for handle in (polite, deaf):
        wait_for(launcher, handle, State.RUNNING)
        launcher.stop(handle, grace=0.5)
    assert wait_for(launcher, polite).exit == 85
    assert wait_for(launcher, deaf).exit == -signal.SIGKILL
    until(lambda: session_members(pid) == [])


def test_what_a_job_leaves_behind_goes_with_it(home: Home, launcher: LocalLauncher) -> None:
    handle = launcher.submit(order(home, do="sleep", seconds=0.1, child=True))
    pid, _ = told_process(home)
    assert wait_for(launcher, handle).exit == 0
    until(lambda: session_members(pid) == [])


def test_stopping_an_attempt_that_has_not_begun_keeps_it_from_beginning(home: Home) -> None:
    launcher = LocalLauncher(PROBE)
    handle = launcher.submit(order(home, do="sleep", seconds=60))
    launcher.stop(handle, grace=0.1)
    status = launcher.poll([handle])[handle]
    assert status in (Status(State.GONE, None, has_started=False), Status(State.QUEUED))
    assert wait_for(launcher, handle).exit in (None, 85, 75)
    launcher.close()
    assert not home.job("train-1").result.exists()


def test_a_later_launcher_finds_a_running_job_and_how_it_ended(home: Home, launcher: LocalLauncher) -> None:
    first = launcher.submit(order(home, do="sleep", seconds=60))
    pid, start = told_process(home)
    wait_for(launcher, first, State.RUNNING)
    launcher.close()
    second = LocalLauncher(PROBE)
    found = second.find("train-1", 1, first.folder)
    assert found is not None
    assert (found.pid, found.start) == (pid, start)
    assert second.poll([found])[found].state == State.RUNNING
    second.stop(found, grace=5.0)
    assert wait_for(second, found).exit == 85
    second.close()


def test_an_attempt_that_never_began_is_found_to_be_none_and_never_will_begin(
    home: Home, launcher: LocalLauncher
) -> None:
    folder = home.job("train-1").attempt(1).root
    assert launcher.find("train-1", 1, str(folder)) is None
    assert wait_for(launcher, launcher.submit(order(home, "train-2"))).exit == 0
    other = LocalLauncher(PROBE)
    assert wait_for(other, other.submit(order(home))).exit == 75
    other.close()


def test_a_process_on_another_host_is_unknown_and_one_of_another_boot_is_gone(home: Home) -> None:
    launcher = LocalLauncher(PROBE)
    me = see_process(os.getpid())
    assert me is not None
    told = {"pid": me.pid, "start_time": me.start, "host": host_name(), "boot_id": boot_id()}
    expected: dict[str, tuple[dict[str, object], State]] = {
        "train-1": ({}, State.RUNNING),
        "train-2": ({"host": "elsewhere"}, State.UNKNOWN),
        "train-3": ({"boot_id": "before"}, State.GONE),
        "train-4": ({"start_time": me.start - 1}, State.GONE),
    }
    for job, (change, state) in expected.items():
        attempt = home.job(job).attempt(1)
        attempt.root.mkdir(parents=True)
        attempt.handle.write_text(json.dumps({**told, **change}))
        handle = launcher.find(job, 1, str(attempt.root))
        assert handle is not None
        assert launcher.poll([handle])[handle].state == state, job
    launcher.close()


def test_a_killed_fork_server_is_replaced_and_its_children_go_on(home: Home, launcher: LocalLauncher) -> None:
    orphan = launcher.submit(order(home, do="sleep", seconds=0.5))
    wait_for(launcher, orphan, State.RUNNING)
    told_process(home)
    assert launcher.server is not None
    os.kill(launcher.server.process.pid, signal.SIGKILL)
    until(lambda: launcher.poll([orphan]) and launcher.server is not None and not launcher.server.is_open)
    assert wait_for(launcher, launcher.submit(order(home, "train-2"))).exit == 0
    assert wait_for(launcher, orphan).exit == 0, "known from its handle, though nobody reaped it for us"


def test_the_fork_server_ends_with_its_launcher_and_its_jobs_do_not(home: Home, launcher: LocalLauncher) -> None:
    handle = launcher.submit(order(home, do="sleep", seconds=60))
    wait_for(launcher, handle, State.RUNNING)
    pid, start = told_process(home)
    assert launcher.server is not None
    server = launcher.server.process
    launcher.close()
    assert server.wait(120) == 0
    assert is_alive(pid, start)
    os.kill(pid, signal.SIGKILL)


def test_a_module_that_cannot_be_imported_is_said(home: Home) -> None:
    launcher = LocalLauncher("no.such.module")
    handle = launcher.submit(order(home))
    with pytest.raises(XpError, match=r"no\.such\.module"):
        wait_for(launcher, handle)
    launcher.close()


def test_slots_are_the_gpus_that_may_be_used_and_the_cpu_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5a,MIG-7/1/0")
    assert LocalLauncher(PROBE, cpus=1).capacity() == ["GPU-5a", "MIG-7/1/0", "cpu:0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert LocalLauncher(PROBE, cpus=2).capacity() == ["cpu:0", "cpu:1"]


@pytest.mark.parametrize(("slot", "seen"), [("GPU-5a", "GPU-5a"), ("MIG-7/1/0", "MIG-7/1/0"), ("cpu:0", "")])
def test_a_job_sees_its_own_gpu_and_none_in_a_cpu_slot(
    home: Home, launcher: LocalLauncher, slot: str, seen: str
) -> None:
    assert wait_for(launcher, launcher.submit(replace(order(home), slot=slot))).exit == 0
    assert json.loads(home.job("train-1").result.read_text())["env"]["cuda"] == seen


def test_a_kill_for_want_of_memory_is_known_by_the_counter_and_explains_one_end(
    home: Home, launcher: LocalLauncher, tmp_path: Path
) -> None:
    """Two jobs are killed; the counter of their control group rose by one: that was one of them."""
    counter, ends = tmp_path / "memory.events", []
    counter.write_text("oom_kill 3\n")
    for job in ("train-1", "train-2"):
        handle = launcher.submit(order(home, job, do="sleep", seconds=60))
        pid, _ = told_process(home, job)
        path = home.job(job).attempt(1).handle
        told = json.loads(path.read_text())
        assert isinstance(told["oom_kills"], int | None)
        write_json(path, {**told, "oom_counter": str(counter), "oom_kills": 3})
        counter.write_text("oom_kill 4\n")
        os.kill(pid, signal.SIGKILL)
        ends.append(wait_for(launcher, handle))
    assert [(end.exit, end.is_oom) for end in ends] == [(-signal.SIGKILL, True), (-signal.SIGKILL, False)]


def test_a_kill_without_evidence_is_no_want_of_memory(home: Home, launcher: LocalLauncher, tmp_path: Path) -> None:
    told_to_stop = launcher.submit(order(home, "train-1", do="sleep", seconds=60, deaf=True))
    counter = tmp_path / "memory.events"
    told_process(home, "train-1")
    path = home.job("train-1").attempt(1).handle
    write_json(path, {**json.loads(path.read_text()), "oom_counter": str(counter), "oom_kills": 0})
    counter.write_text("oom_kill 1\n")
    launcher.stop(told_to_stop, 0.1)
    assert wait_for(launcher, told_to_stop) == Status(State.GONE, -signal.SIGKILL), "we killed it"


def test_an_attempt_that_died_unseen_is_judged_by_the_counter_of_this_boot(
    home: Home, launcher: LocalLauncher, tmp_path: Path
) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("oom_kill 1\n")
    for job, boot in (("train-1", boot_id()), ("train-2", "another boot")):
        folder = home.job(job).attempt(1).root
        folder.mkdir(parents=True)
        about = {"pid": 2**22 - 1, "start_time": 1, "host": host_name(), "boot_id": boot, "oom_kills": 0}
        write_json(folder / "handle.json", {**about, "oom_counter": str(counter)})
        status = launcher.poll([handle := Handle(job, 1, str(folder))])[handle]
        assert (status.state, status.exit, status.is_oom) == (State.GONE, None, job == "train-1")


@pytest.mark.parametrize("weights", ["none", "pretrained"])
def test_a_job_sees_secrets_only_to_download_and_nobody_sees_them_with_it(
    home: Home, launcher: LocalLauncher, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "XP_QUEUE", "SOMETHING"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("https_proxy", f"http://me:{CANARY}@localhost:9")
    for job, does in (("train-1", "done"), ("train-2", "crash")):
        given = order(home, job, do=does)
        write_json(home.job(job).spec, {"settings": {"weights": weights}})
        wait_for(launcher, launcher.submit(given))
    seen = json.loads(home.job("train-1").result.read_text())["env"]
    assert (seen["outside"], seen["inside"]) == ("0", "2" if weights == "pretrained" else "0")
    log = home.job("train-2").attempt(1).log.read_text()
    assert "told to crash" in log
    assert ("http://me:***@localhost:9" in log) == (weights == "pretrained")
    assert not any(CANARY in path.read_text() for path in home.root.rglob("*") if path.is_file())
