"""Kills at random: takes a home with work in it, keeps a scheduler running and kills what it finds, gives the tally.

Victims are found by what they wrote about themselves: the scheduler is our child, the fork server its child, a job
the process in the handle of an attempt without an outcome. Nothing else is ever signalled.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.home.paths import Home
from engine.launch.process import is_alive, session_members
from engine.schedule.policy import BUDGETS
from store.queue import Queue

ROOT = Path(__file__).parents[2]


@dataclass
class Monkey:
    """`commands` are started beside the work now and then, and killed on their way."""

    home: Home
    preload: str
    seed: int
    pause: float  # mean seconds between kills
    slots: int = 1  # jobs at once: the more there are, the more go on while a killed scheduler or server loads again
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)  # kills of each job
    schedulers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def rampage(self, kills: int, limit: float) -> None:
        """Kill until `kills` are done or the work is, then leave it in peace until it is idle."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self.keep_scheduler()
            if self.is_idle():
                break
            time.sleep(self.random.expovariate(1 / self.pause))
            # Without a job at work a kill would only hit programs that still load, again and again, and prove little.
            if self.tally.total() < kills and self.living():
                VICTIMS[self.random.choices(list(VICTIMS), list(WEIGHTS.values()))[0]](self)
        assert self.is_idle(), f"not done after {limit} s"
        for process in self.alive():
            process.wait(60)

    def keep_scheduler(self) -> None:
        """Start a scheduler when there is none; now and then two at once, of which one has to leave."""
        self.schedulers = self.alive()
        while not self.schedulers or (len(self.schedulers) == 1 and self.random.random() < 0.05):
            self.schedulers.append(self.start("-m", "engine.schedule.worker", *self.worker_words()))

    def alive(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in self.schedulers if process.poll() is None]

    def worker_words(self) -> list[str]:
        where = ["--home", str(self.home.root), "--slots", str(self.slots)]
        return [*where, "--until-idle", "--preload", self.preload, "--no-collect"]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with open(self.home.scheduler_log, "ab") as log:
            return subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=log, stderr=log)

    def is_idle(self) -> bool:
        with Queue.open_readonly(self.home.queue_db) as queue:
            return not queue.has_work()

    # -- victims ------------------------------------------------------------------------------------------------

    def kill_scheduler(self) -> None:
        for process in self.alive()[:1]:
            process.kill()
            process.wait()
            self.tally["scheduler"] += 1

    def kill_server(self) -> None:
        for process in self.alive():
            for pid in children_of(process.pid):
                if b"engine.launch.forkserver" in command_of(pid):
                    self.kill(pid, "fork server")

    def kill_job(self) -> None:
        """Kill a job wherever it is, but never so often that its budget of lost attempts could end."""
        found = [(job, pid) for job, pid, _ in self.living() if self.spent[job] < BUDGETS["lost"] - 4]
        if found:
            job, pid = self.random.choice(found)
            self.kill(pid, "job")
            self.spent[job] += 1

    def kill_saving(self) -> None:
        """Wait a moment for a checkpoint that is half written, and kill its writer right there."""
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            writers = [(job, pid, self.home.job(job).attempts()[-1].checkpoints) for job, pid, _ in self.living()]
            soon = time.monotonic() + 0.1
            while time.monotonic() < soon:
                for job, pid, folder in writers:
                    if is_writing(folder):
                        self.kill(pid, "job, saving")
                        self.spent[job] += 1
                        return

    def kill_command(self) -> None:
        """Run one of the commands and kill it somewhere on its way."""
        if not self.commands:
            return
        name = self.random.choice(list(self.commands))
        process = self.start(*self.commands[name])
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.random.uniform(0.0, 1.5))
        if process.poll() is None:
            process.kill()
            self.tally[name] += 1
        process.wait()

    def kill(self, pid: int, name: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.tally[name] += 1

    # -- what is there ------------------------------------------------------------------------------------------

    def living(self) -> list[tuple[str, int, int]]:
        """Return (job, pid, start) of every attempt whose process lives."""
        found = []
        for folder in self.home.jobs():
            for attempt in folder.attempts():
                with suppress(OSError, ValueError):
                    told = json.loads(attempt.handle.read_text())
                    if is_alive(told["pid"], told["start_time"]):
                        found.append((folder.job, int(told["pid"]), int(told["start_time"])))
        return found

    def orphans(self) -> list[int]:
        """Return the processes of any attempt's session that still live."""
        told = [pid for _, pid, _ in self.living()]
        return [member.pid for pid in told for member in session_members(pid)]


def is_writing(folder: Path) -> bool:
    """Return whether a file in the folder is not whole yet; looked at often, as that lasts a few milliseconds."""
    try:
        return any("tmp" in name for name in os.listdir(folder))
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


VICTIMS: dict[str, Callable[[Monkey], None]] = {
    "job": Monkey.kill_job,
    "saving": Monkey.kill_saving,
    "scheduler": Monkey.kill_scheduler,
    "fork server": Monkey.kill_server,
    "command": Monkey.kill_command,
}
WEIGHTS = {"job": 4, "saving": 1, "scheduler": 2, "fork server": 2, "command": 1}
