"""The examination: takes a home, gives findings about the machine, the packages and the home's own health."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import engine
from engine.errors import HomeError, XpError
from engine.home.files import read_object
from engine.home.limits import VARIABLE, limits
from engine.home.paths import Home
from engine.home.records import find_record_damage, newest_records
from engine.inputs.gpus import list_gpus, slot_env
from engine.inspect.file_system import tell_file_system, try_disk
from engine.launch.memory import memory_limit, memory_room
from engine.launch.shortages import room_trouble
from engine.schedule.slot_marks import SlotMarks
from engine.schedule.worker import scheduler_alive
from store.queue import START_SERVER, Queue, QueueFault, is_damage, is_on_server
from store.readonly import StoreError
from store.results import open_snapshot

PACKAGES = ("torch", "torchvision", "timm", "duckdb", "sqlalchemy", "pydantic")
LEAST_DISK = 2_000_000_000  # bytes
LEAST_MEMORY = 1.0  # GB: torch with timm and a small network


Check = Callable[[], "Finding"]


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: whether it is in order, what was found, and what to do."""

    name: str
    is_well: bool
    what: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{'ok ' if self.is_well else 'BAD'} {self.name}: {self.what}"
        return f"{line}\n    fix: {self.fix}" if self.fix and not self.is_well else line

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.is_well, "what": self.what, "fix": self.fix}


def examine(home: Home | HomeError) -> list[Finding]:
    """Return every finding, the machine first; of a home that cannot be had, why that is.

    Each check is made by itself: one that fails is a finding, and keeps no other from being made.
    """
    checks: list[tuple[str, Check]] = [("python", _python)]
    checks += [(name, partial(_package, name)) for name in PACKAGES]
    checks += [("torch with timm", _imports), ("devices", _devices), ("torch on GPUs", _cards)]
    checks += [("memory", _memory), ("limits", _limits)]
    if isinstance(home, HomeError):
        checks.append(("home", lambda: Finding("home", False, f"{home.where}: {home.what}", home.fix)))
    else:
        checks += [(name, partial(of, home)) for name, of in OF_A_HOME]
    return [guard(name, check) for name, check in checks]


def guard(name: str, check: Check) -> Finding:
    """Return what a check finds, or that it could not be made: damage has more forms than anybody thinks of."""
    try:
        return check()
    except Exception as error:
        said = (str(error).splitlines() or [""])[0]
        return Finding(name, False, f"cannot be examined: {type(error).__name__}: {said}", CURES.get(name, ""))


def _python() -> Finding:
    return Finding("python", sys.version_info >= (3, 11), platform.python_version(), "use Python 3.11 or newer")


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}")


def _imports() -> Finding:
    """torch and torchvision builds that do not fit each other are found only by importing them."""
    code = "import torch, torchvision, timm"
    answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    last = (answer.stderr.strip().splitlines() or ["loads"])[-1]
    return Finding("torch with timm", answer.returncode == 0, last if answer.returncode else "loads", _TORCH_FIX)


_TORCH_FIX = "install torch, torchvision and timm together with the project's constraints.txt"


def _devices() -> Finding:
    gpus = ", ".join(list_gpus())
    return Finding(
        "devices",
        True,
        gpus
        or f"no GPU: jobs run on the CPU ({os.cpu_count()} cores), one at a time or as many as `xp worker --slots "
        "N` says; those that ask for a GPU wait",
    )


def _cards() -> Finding:
    """What torch makes of each GPU, which the driver's own list does not tell: each asked in a process of its own."""
    told = [(slot, *_ask_torch(slot)) for slot in list_gpus()]
    bad = [text for slot, text, is_well in told if not is_well]
    lines = "; ".join(f"{slot}: {text}" for slot, text, _ in told)
    return Finding("torch on GPUs", not bad, lines or "no GPU", _CARD_FIX)


def _ask_torch(slot: str) -> tuple[str, bool]:
    """Return what torch says of a card, and whether jobs can run there; one without bf16 runs those of fp16, fp32."""
    command, root = [sys.executable, "-P", "-m", "engine.core.card"], Path(engine.__file__).parents[1]
    environment = {**os.environ, **slot_env(slot), "PYTHONPATH": str(root)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=CARD_SECONDS)
    card = next((found for line in answer.stdout.splitlines() if (found := _as_object(line))), {})
    if "name" not in card:
        last = (answer.stderr.strip().splitlines() or [f"no answer (exit {answer.returncode})"])[-1]
        return str(card.get("error", last)), False
    name = f"{card['name']} (compute capability {'.'.join(map(str, card['capability']))})"
    if not card["has_kernels"]:
        return f"{name}: this build of torch has no kernels for it", False
    return (name, True) if card["has_bf16"] else (f"{name}, no bf16: its jobs need train.precision: fp16 or fp32", True)


def _as_object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


CARD_SECONDS = 120.0  # for an import of torch on a busy machine, and a driver that starts
_CARD_FIX = "update the driver, or install a build of torch that fits it and the card; nvidia-smi tells the driver's"


def _memory() -> Finding:
    """What processes here may have, which in a container or a batch job is less than the machine has."""
    room, limit = memory_room() / 1e9, memory_limit() / 1e9
    fix = "end what else holds memory here, or ask for more of it"
    return Finding("memory", room > LEAST_MEMORY, f"{room:.1f} of {limit:.1f} GB free for processes here", fix)


def _limits() -> Finding:
    """What a reader of foreign bytes takes at most, as it stands for whoever asks."""
    try:
        now = asdict(limits())
    except HomeError as error:
        return Finding("limits", False, error.what, error.fix)
    told = ", ".join(f"{name} {most:,}" for name, most in now.items())
    return Finding("limits", True, f"{told} ({VARIABLE} changes them)")


def _disk(home: Home) -> Finding:
    """Of a home that is not there yet, the folder that it would be made in is looked at."""
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    free, can_write = shutil.disk_usage(place).free, os.access(place, os.W_OK)
    trouble = room_trouble(place)
    told = f"{free / 1e9:.1f} GB free at {place}" + ("" if can_write else ", and it cannot be written")
    fix = "make room, or put the home on another disk with --home"
    is_well = can_write and not trouble and free > LEAST_DISK
    return Finding("disk", is_well, f"{told}; {trouble}" if trouble else told, fix)


def _file_system(home: Home) -> Finding:
    return Finding("file system", *tell_file_system(home))


def _trials(home: Home) -> Finding:
    return Finding("what the disk does", *try_disk(home.root))


def _locks(home: Home) -> Finding:
    return Finding("scheduler", True, "running" if scheduler_alive(home) else "none runs (submit starts one)")


def _slots(home: Home) -> Finding:
    shut = SlotMarks(home).list_shut()
    told = "; ".join(f"{mark.slot} is shut out: {mark.reason} ({mark.job}, attempt {mark.attempt})" for mark in shut)
    again = " and ".join(f"`xp retry {mark.slot}`" for mark in shut)
    return Finding("slots", not shut, told or "none is shut out", f"once it is repaired, give it another try: {again}")


def _queue(home: Home) -> Finding:
    fix = CURES["queue.db"]
    if not home.queue_db.exists():
        gone = any(home.experiments_root.glob("*/*.json"))
        return Finding("queue.db", not gone, "is gone, and there are submissions" if gone else "none yet", fix)
    try:
        with Queue.open_readonly(home.queue_db) as queue:
            faults = queue.check_integrity()
    except (XpError, QueueFault) as error:
        faults = [str(getattr(error, "orig", error))]
        if is_on_server() and isinstance(error, QueueFault) and not is_damage(error):
            # To make it again would take the same server.
            return Finding("queue.db", False, f"its server does not answer: {faults[0].splitlines()[0]}", START_SERVER)
    return Finding("queue.db", not faults, "; ".join(faults) or "whole", fix)


def _submissions(home: Home) -> Finding:
    found = [f"{one.path.relative_to(home.root)} {one.what}" for one in find_record_damage(home)]
    with suppress(QueueFault), Queue.open_readonly(home.queue_db) as queue:
        found += list(_find_forgotten(home, queue))
    return Finding("submissions", not found, _some(found) or "can be read", RESTORE)


def _find_forgotten(home: Home, queue: Queue) -> Iterator[str]:
    """A submission that the queue knows and no file: it was the newest one, and the one before counts in its place."""
    newest = newest_records(home)
    for row in queue.experiments():
        record = read_object(newest[row.experiment]) if row.experiment in newest else {}
        if record is not None and float(record.get("submitted_at", 0.0)) < row.submitted_at:
            yield f"the newest of {row.experiment} is gone: the queue knows a later one"


def _results(home: Home) -> Finding:
    if not home.results_db.exists():
        gone = home.ingest_db.exists()
        told = "is gone, and results were taken in" if gone else "none yet"
        return Finding("results.duckdb", not gone, told, CURES["results.duckdb"])
    try:
        with open_snapshot(home) as db:
            (jobs,) = db.execute("select count(*) from jobs").fetchall()[0]
            left_out = [
                str(line) for (line,) in db.execute("select distinct file || ' ' || what from damaged").fetchall()
            ]
    except StoreError as error:
        return Finding("results.duckdb", False, str(error), CURES["results.duckdb"])
    if left_out:
        return Finding("results.duckdb", False, f"leaves out what is damaged: {_some(left_out)}", RESTORE)
    return Finding("results.duckdb", True, f"{jobs} jobs; whether their files are whole tells --deep")


def _some(found: Sequence[str], most: int = 5) -> str:
    return "; ".join(found[:most]) + (f"; and {len(found) - most} more" if len(found) > most else "")


RESTORE = "restore it from a copy, then `xp rebuild`; or remove its folder and submit again, which does it anew"
CURES = {
    "queue.db": "xp rebuild --queue makes it again from experiments/ and jobs/",
    "results.duckdb": "xp rebuild makes it again from experiments/ and jobs/",
}
OF_A_HOME: tuple[tuple[str, Callable[[Home], Finding]], ...] = (
    ("disk", _disk),
    ("file system", _file_system),
    ("what the disk does", _trials),
    ("scheduler", _locks),
    ("slots", _slots),
    ("queue.db", _queue),
    ("submissions", _submissions),
    ("results.duckdb", _results),
)
