"""Disks that are full, read-only or lose a folder: made up, and for real where mounts are allowed."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from engine.errors import HomeError
from engine.home.paths import Home, open_home
from engine.inspect.status import find_trouble, read_status
from engine.schedule.worker.attempts import saved_step
from store.queue import Queue, QueueFault
from tests.cli.test_cli import run_xp
from tests.helpers.queueing import Probe, faults, states, submit_probes, until
from tests.schedule.worker.working import ROOT, order, outcomes, reason, work, working

TINY = ROOT / "tests" / "resources" / "tiny.yaml"


def test_a_job_folder_deleted_under_its_job_is_a_clear_failure_and_a_new_submission_mends_it(home: Home) -> None:
    probes = [
        Probe("train-1", does={"do": "steps", "steps": 30, "seconds": 0.0, "hold": 3, "go": str(home.root / "go")})
    ]
    submit_probes(home, "one", probes)
    with working(home):
        until(lambda: saved_step(home.job("train-1").attempt(1)) == 3)
        shutil.rmtree(home.job("train-1").root, ignore_errors=True)
        (home.root / "go").touch()
    assert states(home) == {"train-1": "failed"}
    assert "its folder is gone" in reason(home)
    submit_probes(home, "one", probes)
    assert work(home) == 0
    assert states(home) == {"train-1": "done"}


def test_a_full_disk_stops_nothing_for_good(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room at three looks: each time nothing is started and the scheduler stays; room again: it goes on."""
    seen: list[dict[str, str]] = []

    def has_room(_: Path) -> bool:
        seen.append(states(home))
        return len(seen) > 3

    monkeypatch.setattr("engine.schedule.worker.loop.has_room", has_room)
    submit_probes(home, "one", [Probe("train-1")])
    assert work(home) == 0
    assert seen[:4] == [{"train-1": "queued"}] * 4
    assert (states(home), outcomes(home)) == ({"train-1": "done"}, ["done"])


def test_a_crash_for_want_of_room_spends_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.schedule.worker.loop.NO_SPACE", "told to crash")
    submit_probes(home, "one", [Probe("train-1", does={"do": "crash"})])
    with working(home):
        until(lambda: outcomes(home) == ["crashed"])
        until(lambda: "disk is full" in reason(home))
        (told,) = [json.loads(home.job("train-1").attempt(1).outcome.read_text())]
        assert (told["outcome"], told["state"], told["spent"]) == ("crashed", "queued", {})
        order(home, "cancel", "train-1")


def test_a_queue_that_cannot_be_written_for_a_while_loses_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts and leases that fail in the middle are made good on a later turn."""
    broken = [4]

    def sometimes(name: str) -> None:
        whole = getattr(Queue, name)

        def call(*words: Any, **named: Any) -> Any:
            if broken[0] > 0:
                broken[0] -= 1
                raise OSError("database or disk is full")
            return whole(*words, **named)

        monkeypatch.setattr(Queue, name, call)

    sometimes("finish")
    sometimes("running")
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    assert work(home) == 0
    assert broken == [0]
    assert states(home) == {"train-1": "done", "train-2": "done"}


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[None]:
    """Mount something on `folder` for a while; skip the test where we may not."""
    answer = subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        pytest.skip(f"mounts are not allowed here: {answer.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave not one block free."""
    filler = folder / "filler"
    with suppress(OSError), open(filler, "wb", buffering=0) as handle:
        while True:
            handle.write(bytes(4096))
    return filler


def test_a_full_disk_pauses_the_work_and_room_lets_it_go_on(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    go = tmp_path_factory.mktemp("elsewhere") / "go"
    with mounted(tmp_path, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        home = open_home(tmp_path / "home", create=True)
        steps = {"do": "steps", "steps": 40, "seconds": 0.0, "hold": 3, "go": str(go)}
        submit_probes(home, "one", [Probe("train-1", does=steps, cost=9.0), Probe("train-2")])
        thread = threading.Thread(target=work, args=(home,), daemon=True)
        thread.start()
        until(lambda: saved_step(home.job("train-1").attempt(1)) == 3)
        filler = fill(tmp_path)
        go.touch()
        until(lambda: outcomes(home)[:1] == ["crashed"] or "full" in find_trouble(home, read_status(home)))
        assert thread.is_alive(), "the scheduler stays"
        assert "done" not in states(home).values()
        assert "the disk is full" in find_trouble(home, read_status(home))
        filler.unlink()
        thread.join(240)
        assert states(home) == {"train-1": "done", "train-2": "done"}
        assert faults(home) == []


def test_a_read_only_home_is_refused_by_the_scheduler_and_still_read(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    submit_probes(home, "one", [Probe("train-1")])
    with mounted(home.root, "--bind", "-o", "ro", str(home.root)):
        with pytest.raises(HomeError, match="Read-only file system"):
            work(home)
        assert states(home) == {"train-1": "queued"}
        with pytest.raises(QueueFault):
            Queue(home.queue_db).request_pause(["train-1"])
        assert "read-only file system" in find_trouble(home, read_status(home))
        for words in (["submit", str(TINY)], ["pause", "one"], ["worker", "--until-idle"], ["rebuild"]):
            answer = run_xp(*words, home=home.root, code=2)
            assert answer.stderr.startswith("error: ")
            assert "\nfix: make" in answer.stderr
    assert work(home) == 0
    assert states(home) == {"train-1": "done"}
