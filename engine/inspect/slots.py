"""The slots of a machine, or of a cluster by its pilots: takes a home, gives each with its node and what runs there.

Read from the queue and from the files that pilots write, so that it costs no call to the cluster. Of a machine's own
CPU slots those are known that have a job; how many more its scheduler would fill, nobody has written down.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.home.paths import Home
from engine.inputs.gpus import list_gpus, split_slots
from engine.inspect.status import split_slot, title_of
from engine.launch import CPU_SLOT
from engine.launch.pilots.folder import PilotFolder
from engine.launch.pilots.view import LOST_SECONDS, QUIET_SECONDS, PilotView
from engine.launch.places import LOCAL, read_executor
from engine.launch.process import host_name
from engine.schedule.slot_marks import SlotMark, SlotMarks
from store.queue import Owners, Queue, RunningRow

FREE, BUSY, SHUT, CLOSING, SILENT = "free", "busy", "shut out", "closing", "silent"
GPU, CPU = "GPU", "CPU"


@dataclass(frozen=True)
class SlotJob:
    """A job on a slot: what it is to whom, and since when (unix seconds)."""

    job: str
    attempt: int
    title: str
    experiment: str
    since: float


@dataclass(frozen=True)
class SlotView:
    """A slot: its node, its name there, what it is, the pilot that has it ("" for one of this machine).

    `state` is free, busy, shut out, closing (it takes no more jobs) or silent (its pilot gave no sign for a while);
    `reason` is what speaks against it.
    """

    slot: str
    node: str
    name: str
    device: str
    pilot: str
    state: str
    jobs: tuple[SlotJob, ...]
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class SlotsView:
    """All slots, by node; `coming` counts pilots that were asked for and have not begun."""

    executor: str
    slots: tuple[SlotView, ...]
    coming: int = 0

    def as_json(self) -> dict[str, Any]:
        told = [slot.as_json() for slot in self.slots]
        return {"executor": self.executor, "slots": told, "coming": self.coming}


def list_slots(home: Home) -> SlotsView:
    """Return every slot that is known of, by node, and the jobs on each by their start."""
    executor = read_executor(home)
    jobs = _jobs_by_slot(home)
    pilots = _pilots(home, {split_slot(slot)[2] for slot in jobs})
    own = {} if executor != LOCAL else dict.fromkeys([*(list_gpus() or [CPU_SLOT])], FREE)
    told = own | {slot: state for view in pilots for slot, state in _pilot_slots(view).items()}
    marks = {mark.slot: mark for mark in SlotMarks(home).list_all()}
    names = [*told, *(slot for slot in jobs if slot not in told)]
    slots = [_view(slot, told.get(slot, FREE), jobs.get(slot, ()), marks.get(slot)) for slot in names]
    coming = sum(view.opened is None and not view.is_closed for view in pilots)
    return SlotsView(executor, tuple(sorted(slots, key=lambda one: (one.node, one.device, one.slot))), coming)


def _view(slot: str, state: str, jobs: Sequence[SlotJob], mark: SlotMark | None) -> SlotView:
    name, node, pilot = split_slot(slot)
    if mark is not None and mark.is_shut:
        state = SHUT
    elif jobs and state == FREE:
        state = BUSY
    told = "" if mark is None else f"{mark.reason} ({mark.job}, attempt {mark.attempt})"
    device = CPU if name.startswith("cpu:") else GPU
    reason = told if mark is None or mark.is_shut else f"under suspicion: {told}"
    return SlotView(slot, node or host_name(), name, device, pilot, state, tuple(jobs), reason)


def _jobs_by_slot(home: Home) -> dict[str, list[SlotJob]]:
    with Queue.open_readonly(home.queue_db) as queue:
        rows = sorted(queue.running(), key=lambda row: (row.started_at, row.job))
        owners = {owner.job: owner for owner in reversed(queue.owners([row.job for row in rows]))}
    found: dict[str, list[SlotJob]] = {}
    for row in rows:
        for slot in split_slots(row.slot):
            found.setdefault(slot, []).append(_slot_job(row, owners))
    return found


def _slot_job(row: RunningRow, owners: Mapping[str, Owners]) -> SlotJob:
    owner = owners.get(row.job)
    title, experiment = (title_of(owner), owner.experiment) if owner else (row.kind, "")
    return SlotJob(row.job, row.attempt, title, experiment, row.started_at)


def _pilots(home: Home, at_work: Iterable[str]) -> list[PilotView]:
    """Return the pilots that are there: of those that ended without a word, only who has a job by the queue."""
    found = []
    busy = set(at_work)
    for root in sorted(home.pilots_root.glob("*")) if home.pilots_root.is_dir() else ():
        view = PilotView(PilotFolder(root))
        view.hear()
        if not view.is_closed and (root.name in busy or _quiet_for(root) < LOST_SECONDS):
            found.append(view)
    return found


def _pilot_slots(view: PilotView) -> dict[str, str]:
    if view.opened is None:
        return {}
    is_silent = _quiet_for(view.folder.root) > QUIET_SECONDS
    state = SILENT if is_silent else CLOSING if view.is_closing else FREE
    return {f"{name}@{view.opened.node}/{view.name}": state for name in view.opened.slots}


def _quiet_for(root: Path) -> float:
    """Return the seconds since a pilot gave a sign, by the file server's clock and this machine's."""
    for name in ("beat.json", "shape.json"):
        with suppress(OSError):
            return time.time() - (root / name).stat().st_mtime
    return float("inf")
