"""The process on a node: takes a pilot's folder, gives attempts of its orders on this machine's slots.

    python -P -m engine.launch.pilots.pilot HOME/pilots/NAME --preload engine.run --idle 60

It ends when it has been idle for so long, after `--jobs` attempts, upon an order to leave, or when the engine takes the
machine away (SIGTERM, SIGUSR1, SIGUSR2, ...): then attempts are asked to save and end first. It makes no attempt of its
own accord, and one whose order comes after `closing` was told is never begun here.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.home.paths import Home
from engine.launch import Handle, Launcher, Order, State, Status
from engine.launch.local import LocalLauncher
from engine.launch.pilots.folder import LineReader, LineWriter, PilotFolder, look_seconds
from engine.launch.pilots.keeper import keep
from engine.launch.pilots.messages import (
    Began,
    Closed,
    Closing,
    Ended,
    LeaveOrder,
    Message,
    Opened,
    RunOrder,
    StacksOrder,
    StopOrder,
    read_order_line,
)
from engine.launch.preempt import preempt_signals
from engine.launch.process import boot_id, host_name, see_process

log = logging.getLogger("xp.pilot")
BEAT_SECONDS = 2.0
KILL_SECONDS = 2.0  # past the launcher's kill, so that what it killed is told as well
NO_HOME = 2  # what it exits with on a machine that does not see the home
Key = tuple[str, int]


@dataclass(frozen=True)
class Terms:
    """How long a pilot stays: seconds without work, attempts (0: any number), seconds to save in."""

    idle: float = 60.0
    jobs: int = 0
    grace: float = 30.0


@dataclass
class Pilot:
    """One pilot's state; `turn` never blocks."""

    folder: PilotFolder
    launcher: Launcher
    terms: Terms = field(default_factory=Terms)
    running: dict[Key, Handle] = field(default_factory=dict)
    begun: set[Key] = field(default_factory=set)
    closing: str = ""
    beats: int = 0
    taken: int = 0

    def __post_init__(self) -> None:
        # What it told and is lost with its machine, the attempts' own folders tell as well.
        self.reader, self.writer = LineReader(self.folder.orders), LineWriter(self.folder.told, syncs=False)
        self.busy_at = self.beat_at = self.news_at = time.monotonic()

    @property
    def home(self) -> Path:
        return self.folder.root.parent.parent

    def open(self) -> None:
        """Say that orders are taken."""
        me = see_process(os.getpid())
        node = os.environ.get("SLURMD_NODENAME") or host_name()
        self.tell(
            Opened(
                node=node,
                host=host_name(),
                boot_id=boot_id(),
                pid=os.getpid(),
                start=me.start if me else 0,
                slots=self.slots(),
            )
        )
        self.folder.write_beat(0)

    def slots(self) -> list[str]:
        """Return the slots: GPUs, or one for CPU jobs."""
        found = self.launcher.capacity()
        cpus = [slot for slot in found if slot.startswith("cpu:")]
        return cpus or found

    def tell(self, *messages: Message) -> None:
        self.writer.write(message.model_dump() for message in messages)
        if messages:
            self.news_at = time.monotonic()

    def rest(self) -> None:
        """Wait until an attempt ends, or it is time for the next look for orders."""
        self.launcher.wait(look_seconds(self.news_at))

    def turn(self) -> bool:
        """Take orders, look at attempts; return whether to go on. Raises OSError when the home is gone."""
        for line in self.reader.read():
            order = read_order_line(line)
            if order is not None:
                self.obey(order)
        self.look()
        now = time.monotonic()
        if now - self.beat_at >= BEAT_SECONDS:
            self.beat_at, self.beats = now, self.beats + 1
            self.folder.write_beat(self.beats)
        if self.running:
            self.busy_at = now
        elif not self.closing and now - self.busy_at >= self.terms.idle:
            self.close(f"idle for {self.terms.idle:.0f} s")
        return not (self.closing and not self.running)

    def obey(self, order: Message) -> None:
        if isinstance(order, RunOrder):
            self.run(order)
        elif isinstance(order, StopOrder) and (handle := self.running.get((order.job, order.attempt))):
            self.launcher.stop(handle, order.grace)
        elif isinstance(order, StacksOrder) and (handle := self.running.get((order.job, order.attempt))):
            self.launcher.dump_stacks(handle)
        elif isinstance(order, LeaveOrder):
            self.close("told to leave")

    def run(self, order: RunOrder) -> None:
        # Who asked reads `closing` too, and gives the order to another.
        if self.closing:
            return
        home = Home(self.home, Path(order.cache))
        key = (order.job, order.attempt)
        self.running[key] = self.launcher.submit(Order(home, order.job, order.attempt, order.slot, order.ooms))
        self.taken += 1
        self.busy_at = time.monotonic()
        if self.terms.jobs and self.taken >= self.terms.jobs:
            self.close("has had its attempts")

    def look(self) -> None:
        """Tell of attempts that have begun or ended since the last look."""
        told = list[Message]()
        statuses = self.launcher.poll(list(self.running.values()))
        for key, handle in list(self.running.items()):
            status = statuses[handle]
            if status.state == State.GONE:
                told.append(_tell_end(key, status))
                self.launcher.forget(handle)
                del self.running[key]
            elif status.state == State.RUNNING and key not in self.begun:
                self.begun.add(key)
                told.append(self._tell_start(key))
        self.tell(*told)

    def _tell_start(self, key: Key) -> Began:
        handle = self.launcher.find(*key, str(Home(self.home, self.home).job(key[0]).attempt(key[1]).root))
        pid, start = (handle.pid, handle.start) if handle else (0, 0)
        return Began(job=key[0], attempt=key[1], pid=pid, start=start)

    def close(self, why: str) -> None:
        """Take no more orders."""
        if not self.closing:
            self.closing = why
            self.tell(Closing(why=why))

    def drain(self) -> None:
        """Have all attempts save and end, as the machine is taken away."""
        self.close("the machine is taken away")
        for handle in self.running.values():
            self.launcher.stop(handle, self.terms.grace)
        end = time.monotonic() + self.terms.grace + KILL_SECONDS
        while self.turn() and time.monotonic() < end:
            self.rest()

    def finish(self) -> None:
        if not self.running:
            self.tell(Closed())
        self.launcher.close()


def _tell_end(key: Key, status: Status) -> Ended:
    return Ended(job=key[0], attempt=key[1], exit=status.exit, has_started=status.has_started, is_oom=status.is_oom)


class AskedToEnd:
    """Set by the signals by which an engine says that it takes the machine away."""

    def __init__(self) -> None:
        self.is_set = False
        for number in {signal.SIGTERM, *preempt_signals()}:
            signal.signal(number, self.ring)

    def ring(self, *_: Any) -> None:
        self.is_set = True


def fly(pilot: Pilot, asked: AskedToEnd) -> int:
    """Turn until there is nothing more to do here; return 0."""
    pilot.open()
    going = True
    while going and not asked.is_set:
        going = pilot.turn()
        pilot.rest()
    if asked.is_set:
        pilot.drain()
    pilot.finish()
    log.info("ends: %s", pilot.closing)
    return 0


def main(words: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    parser = argparse.ArgumentParser(prog="engine.launch.pilots.pilot")
    parser.add_argument("folder", type=Path, help="HOME/pilots/NAME")
    parser.add_argument("--preload", default="engine.run", help="module whose main(order) runs a job")
    parser.add_argument("--has-gpu", type=int, default=0, help="1: its slots are its GPUs; 0: one for CPU jobs")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds without work after which it ends")
    parser.add_argument("--jobs", type=int, default=0, help="attempts after which it ends; 0: any number")
    parser.add_argument("--keep", action="store_true", help="leave nothing behind, where the engine does not see to it")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds that attempts have to save in")
    given = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    if not PilotFolder(given.folder).shape.exists():
        # Whoever asked for it made the folder: to make one here would be to wait for orders that nobody can give.
        log.error("no %s on %s: the home has to lie on a disk that all machines share", given.folder, host_name())
        return NO_HOME
    terms = Terms(given.idle, given.jobs, given.grace)
    launcher = LocalLauncher(given.preload, cpus=0 if given.has_gpu else 1)
    return keep(lambda: begin(given.folder, launcher, terms)) if given.keep else begin(given.folder, launcher, terms)


def begin(folder: Path, launcher: LocalLauncher, terms: Terms) -> int:
    """Be the pilot of a folder on this machine, until it ends; return 0."""
    asked = AskedToEnd()
    # Its imports take longest: they are done before anybody is told that there is a slot.
    launcher.warm_up()
    return fly(Pilot(PilotFolder(folder), launcher, terms), asked)


if __name__ == "__main__":
    sys.exit(main())
