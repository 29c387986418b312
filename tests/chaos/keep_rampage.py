"""Housekeeping under kills: `python -m tests.chaos.keep_rampage HOME KILLS SEED HOW` prints a tally as JSON.

Each command (gc, rm of an experiment, rm of an arm, undo) is a process of its own, ended by SIGKILL: HOW is `operation`
(before a random one of its renames, writes, syncs and commits) or `time` (from outside, at a random moment of it).
After each kill nothing that is needed may be missing, and whatever was there is in its place or in the trash.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.home.records import jobs_of, read_record
from engine.schedule.keep import trash
from engine.schedule.keep.remove import remove
from engine.schedule.keep.sweep import sweep
from engine.schedule.keep.trash import list_removals, places_of
from engine.schedule.keep.undo import undo
from store.queue import Queue

COUNTED = ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync")
Command = Callable[[Home], object]
COMMANDS: dict[str, Command] = {
    "gc": sweep,
    "rm experiment": lambda home: remove(home, "loose"),
    "rm arm": lambda home: remove(home, "kept-0/b"),
    "undo": undo,
}


class Rampage:
    """One home and what was in it at first."""

    def __init__(self, home: Home, seed: int, how: str) -> None:
        self.home, self.draw, self.how = home, random.Random(seed), how
        self.folders = set(os.listdir(home.jobs_root))
        self.tally: Counter[str] = Counter()
        self.lengths: dict[str, float] = {}
        """Operations, or seconds, that a command took when nobody killed it."""

    def run(self, kills: int) -> Counter[str]:
        """Kill until there were kills enough; each command runs whole once, to know how long it is."""
        while self.tally["killed"] < kills:
            name = self.draw.choice(list(COMMANDS))
            at = self.draw.uniform(0, self.lengths[name]) if name in self.lengths else None
            self._command(name, at)
            self.check()
        # What is left of it all: everything back, nothing of the queue out of order.
        for _ in range(1000):
            if not list_removals(self.home):
                break
            self._fork(undo, None)
        self.check()
        return self.tally

    def _command(self, name: str, at: float | None) -> None:
        status, length = self._fork(COMMANDS[name], at)
        is_killed = os.WIFSIGNALED(status)
        assert is_killed or os.WEXITSTATUS(status) in (0, 9), f"{name} failed"
        self.tally["killed" if is_killed else "whole"] += 1
        self.tally[name] += is_killed
        if at is None and os.WEXITSTATUS(status) == 0:
            self.lengths[name] = length

    def _fork(self, command: Command, at: float | None) -> tuple[int, float]:
        """Return how the process ended, and how long it was in what `how` counts."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            _be_child(self.home, command, at if self.how == "operation" else None, writing)
        os.close(writing)
        started = time.monotonic()
        if self.how == "time" and at is not None:
            time.sleep(at)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        told = os.read(reading, 100)
        os.close(reading)
        return status, float(told or 0) if self.how == "operation" else time.monotonic() - started

    def check(self) -> None:
        """Nothing that an experiment needs is away, and nothing is lost."""
        here = set(os.listdir(self.home.jobs_root))
        for name in (path.name for path in self.home.experiments()):
            missing = jobs_of(read_record(self.home.records(name)[-1])) - here
            assert not missing, f"{name} needs {missing}"
            packs = {job for job in jobs_of(read_record(self.home.records(name)[-1])) if job.startswith("pack-")}
            assert all(self.home.pack(job).is_dir() for job in packs), name
        aside = {path.name for path in self._in_trash()}
        assert here | aside == self.folders, "a job is lost"

    def _in_trash(self) -> list[Path]:
        found = []
        for removal in list_removals(self.home):
            for number, entry in enumerate(removal.entries):
                place, there = places_of(self.home, removal, number)
                if entry.kind == "job" and there.exists():
                    found.append(place)
        return found


def _be_child(home: Home, command: Command, at: float | None, writing: int) -> None:
    """Do it, count, and end; 9 for what a person would be told, as that there is nothing to undo."""
    count = [0]

    def step() -> None:
        count[0] += 1
        if at is not None and count[0] > at:
            os.kill(os.getpid(), signal.SIGKILL)

    _count_steps(step)
    code = 1
    try:
        command(home)
        code = 0
    except XpError:
        code = 9
    finally:
        if code == 1:
            import traceback

            traceback.print_exc()
        os.write(writing, str(count[0]).encode())
        os._exit(code)


def _count_steps(step: Callable[[], None]) -> None:
    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **more: Any) -> Any:
            step()
            return real(*words, **more)

        return call

    for name in COUNTED:
        setattr(os, name, counted(getattr(os, name)))
    for name in ("remove_experiment", "remove_jobs", "add_experiment"):
        setattr(Queue, name, counted(getattr(Queue, name)))


def main() -> None:
    root, kills, seed, how = sys.argv[1:]
    # No day is waited for, and none passes: what was taken must be able to come back.
    assert trash.KEPT_SECONDS > 3600
    rampage = Rampage(open_home(root), int(seed), how)
    tally = rampage.run(int(kills))
    with Queue(rampage.home.queue_db) as queue:
        faults = queue.check_integrity()
    print(json.dumps({"tally": tally, "faults": faults, "lengths": rampage.lengths}))


if __name__ == "__main__":
    main()
