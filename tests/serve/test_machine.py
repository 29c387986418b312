"""What the machine has and does."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.inspect.status import read_status
from engine.schedule.slot_marks import SlotMarks
from engine.serve import machine
from engine.serve.machine import look_at_machine
from store.queue import Queue
from tests.serve.pages.test_home import JOB, RUN


def test_an_idle_home_has_a_disk_and_no_scheduler(empty_home: Home) -> None:
    found = look_at_machine(empty_home, [])
    assert found.running == 0
    assert found.scheduler == ""
    assert found.disks[0].of == "home and cache"
    assert 0 < found.disks[0].free <= found.disks[0].total


def test_a_busy_slot_names_its_job_and_experiment(tmp_path: Path) -> None:
    home = open_home(tmp_path, create=True)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(
            {"name": "one", "title": "", "submitted_at": 1e9, "priority": 0, "runs": [RUN], "jobs": [JOB]}
        )
        queue.lease("train-1", 1, "cpu:0", boot_id="x", expires=1e12, now=1e9)
    (slot,) = look_at_machine(home, read_status(home)).slots
    assert (slot.name, slot.experiment, slot.job) == ("cpu:0", "one", "train-1")
    assert slot.title == "student a seed 0"


def test_a_gpu_that_is_shut_out_says_why(empty_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = open_home(tmp_path, create=True)
    SlotMarks(home).put("GPU-1", "it fell off the bus", "train-1", 1, is_shut=True)
    monkeypatch.setattr(machine, "list_gpus", lambda: ["GPU-1", "GPU-2"])
    machine._known_gpus.cache_clear()
    shut, idle = look_at_machine(home, []).slots
    machine._known_gpus.cache_clear()
    assert shut.trouble == "it fell off the bus"
    assert (idle.name, idle.trouble) == ("GPU-2", "")
