"""The commands slots and costs: what they print."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.home.paths import Home
from engine.inspect import slots
from engine.schedule.slot_marks import SlotMarks
from store.queue import Queue
from tests.helpers.queueing import Probe, make_home, submit_probes
from tests.inspect.test_slots import cluster, put_pilot


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(slots, "list_gpus", lambda: ["0", "1"])
    return make_home(tmp_path)


def ask(home: Home, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home.root)])


def begin(home: Home, slot: str) -> None:
    submit_probes(home, "one", [Probe("train-1", does={"resources": {"gpus": 1}})])
    with Queue(home.queue_db) as queue:
        assert queue.lease("train-1", 1, slot, boot_id="boot", expires=60.0, now=time.time() - 3600.0)


def test_slots_are_rows_that_say_what_runs(home: Home) -> None:
    begin(home, "0")
    SlotMarks(home).put("1", "fell off the bus", "train-9", 2, is_shut=True)
    _, busy, shut = (line.split(maxsplit=5) for line in ask(home, "slots").stdout.splitlines())
    assert busy[1:5] == ["GPU", "0", "busy", "1h00m"]
    assert busy[5].startswith("one: ")
    assert shut[1:5] == ["GPU", "1", "shut", "out"]
    assert shut[5].endswith("fell off the bus (train-9, attempt 2); `xp retry 1` gives it another try")


def test_slots_say_what_is_on_its_way(home: Home) -> None:
    cluster(home)
    assert "no pilot is there" in ask(home, "slots").stderr
    put_pilot(home, "a-0", None)
    assert "1 pilot was asked for" in ask(home, "slots").stderr
    assert json.loads(ask(home, "slots", "--json").stdout) == {"executor": "slurm", "slots": [], "coming": 1}


def test_costs_are_told_by_experiment_and_user(home: Home) -> None:
    assert "nothing has run here yet" in ask(home, "costs").stderr
    begin(home, "0")
    lines = [line.split() for line in ask(home, "costs").stdout.splitlines()]
    assert lines[1][0::2][:2] == ["one", "1.0"]
    assert lines[2][:2] == ["together", "1.0"]
    assert lines[5][1] == "1.0"
    (told,) = json.loads(ask(home, "costs", "--json").stdout)["users"]
    assert told["gpu_hours"] == pytest.approx(1.0, abs=0.01)
