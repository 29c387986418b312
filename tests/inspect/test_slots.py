"""Slots by node, what runs on them, what is shut out; of a machine and of a cluster's pilots."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.home.files import write_json
from engine.home.paths import Home
from engine.inspect import slots as slots_module
from engine.inspect.slots import BUSY, CLOSING, FREE, SHUT, SILENT, SlotView, list_slots
from engine.inspect.status import place_of, read_status, split_slot
from engine.launch.pilots.folder import LineWriter, PilotFolder
from engine.launch.pilots.messages import Closed, Closing, Message, Opened
from engine.launch.process import host_name
from engine.schedule.slot_marks import SlotMarks
from store.queue import Queue
from tests.helpers.queueing import Probe, make_home, submit_probes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(slots_module, "list_gpus", lambda: ["0", "GPU-b"])
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe(f"train-{number}") for number in range(3)])
    return home


def take(home: Home, job: str, slot: str, *, ago: float = 0.0) -> None:
    with Queue(home.queue_db) as queue:
        assert queue.lease(job, 1, slot, boot_id="boot", expires=60.0, now=time.time() - ago)


def put_pilot(home: Home, name: str, node: str | None, *more: Message, slot: str = "0", ago: float = 0.0) -> None:
    """Write what a pilot writes, `ago` seconds after its last sign; one without a node has not begun."""
    folder = PilotFolder(home.pilots_root / name)
    folder.root.mkdir(parents=True)
    write_json(folder.shape, {"has_gpu": slot != "cpu:0", "cpus": 1, "memory": 1, "seconds": 60})
    if node is not None:
        opened = Opened(node=node, host=node, boot_id="b", pid=1, start=1, slots=[slot])
        LineWriter(folder.told).write(message.model_dump() for message in (opened, *more))
        folder.write_beat(1)
        os.utime(folder.beat, (time.time() - ago,) * 2)


def cluster(home: Home) -> None:
    write_json(home.executor_file, {"executor": "slurm"})


def states(home: Home) -> dict[str, str]:
    return {slot.slot: slot.state for slot in list_slots(home).slots}


def by_slot(home: Home, slot: str) -> SlotView:
    return next(one for one in list_slots(home).slots if one.slot == slot)


def test_gpus_of_a_machine_are_told_with_what_runs_there(home: Home) -> None:
    take(home, "train-1", "0", ago=100.0)
    take(home, "train-2", "0", ago=50.0)
    assert states(home) == {"0": BUSY, "GPU-b": FREE}
    busy = by_slot(home, "0")
    assert (busy.node, busy.name, busy.device, busy.pilot) == (host_name(), "0", "GPU", "")
    assert [(job.job, job.experiment) for job in busy.jobs] == [("train-1", "one"), ("train-2", "one")]
    assert busy.jobs[0].since == pytest.approx(time.time() - 100.0, abs=5.0)


def test_a_job_on_several_gpus_is_told_on_each(home: Home) -> None:
    take(home, "train-1", "0,GPU-b")
    assert states(home) == {"0": BUSY, "GPU-b": BUSY}
    assert [job.job for name in ("0", "GPU-b") for job in by_slot(home, name).jobs] == ["train-1", "train-1"]


def test_a_machine_without_gpus_has_a_cpu_slot(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "list_gpus", lambda: [])
    assert states(home) == {"cpu:0": FREE}
    take(home, "train-1", "cpu:3")
    assert states(home) == {"cpu:0": FREE, "cpu:3": BUSY}
    assert by_slot(home, "cpu:3").device == "CPU"


def test_a_gpu_that_is_shut_out_is_told_with_its_reason(home: Home) -> None:
    SlotMarks(home).put("GPU-b", "fell off the bus", "train-9", 2, is_shut=True)
    SlotMarks(home).put("0", "gave nonsense", "train-8", 1, is_shut=False)
    assert states(home) == {"0": FREE, "GPU-b": SHUT}
    assert by_slot(home, "GPU-b").reason == "fell off the bus (train-9, attempt 2)"
    assert by_slot(home, "0").reason == "under suspicion: gave nonsense (train-8, attempt 1)"


def test_slots_of_a_cluster_are_those_of_its_pilots(home: Home) -> None:
    cluster(home)
    put_pilot(home, "a-0", "n1")
    put_pilot(home, "a-1", "n2", slot="cpu:0")
    put_pilot(home, "a-2", "n2", Closing(why="idle"))
    put_pilot(home, "a-3", "n3", Closed())
    put_pilot(home, "a-4", "n3", ago=100.0)
    put_pilot(home, "a-5", None)
    take(home, "train-1", "0@n1/a-0")
    assert states(home) == {"0@n1/a-0": BUSY, "0@n2/a-2": CLOSING, "cpu:0@n2/a-1": FREE, "0@n3/a-4": SILENT}
    assert list_slots(home).coming == 1
    told = by_slot(home, "0@n1/a-0")
    assert (told.node, told.name, told.pilot) == ("n1", "0", "a-0")


def test_a_pilot_that_is_gone_is_told_while_a_job_is_left(home: Home) -> None:
    cluster(home)
    put_pilot(home, "a-0", "n1", ago=5000.0)
    assert list_slots(home).slots == ()
    take(home, "train-1", "0@n1/a-0")
    assert states(home) == {"0@n1/a-0": SILENT}


@pytest.mark.parametrize(
    ("slot", "parts", "place"),
    [("cpu:0", ("cpu:0", "", ""), ""), ("0", ("0", "", ""), "GPU 0"), ("", ("", "", ""), ""),
     ("cpu:0@n1/a-0", ("cpu:0", "n1", "a-0"), "n1"), ("MIG-1/2@n1/a-0", ("MIG-1/2", "n1", "a-0"), "GPU MIG-1/2 on n1")],
)  # fmt: skip
def test_a_slots_name_tells_its_node(slot: str, parts: tuple[str, str, str], place: str) -> None:
    assert (split_slot(slot), place_of(slot)) == (parts, place)


def test_the_status_tells_where_jobs_run(home: Home) -> None:
    take(home, "train-1", "0@n1/a-0")
    take(home, "train-2", "cpu:0")
    (view,) = read_status(home)
    told = {job["job"]: (job["slot"], job["node"]) for job in view.as_json()["running"]}
    assert told == {"train-1": ("0@n1/a-0", "n1"), "train-2": ("cpu:0", host_name())}
