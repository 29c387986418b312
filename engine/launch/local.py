"""Jobs as processes of this machine: takes orders, gives states; forks them from a server with the imports done.

Three ways to know an attempt, in this order: the fork server that forked it says how it ended; the handle in its
folder says which process it is; and where there is no folder, making one here keeps it from ever starting.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.home.control_files import read_handle
from engine.home.paths import AttemptFolder
from engine.inputs.gpus import list_gpus
from engine.launch import Handle, Launcher, Order, State, Status
from engine.launch.attempt_process import STACK_SIGNAL, fence_attempt
from engine.launch.environment import download_environment
from engine.launch.exits import Exit
from engine.launch.fork_link import ForkServer
from engine.launch.memory import Kills
from engine.launch.process import boot_id, host_name, is_alive, kill_session, signal_process

Key = tuple[str, int]
HANDLE_SECONDS = 2.0  # between a child's mkdir and its handle there is one small write
RUNNING = Status(State.RUNNING)


@dataclass
class TrackedAttempt:
    """What this launcher knows of one attempt. `server` is the number of the fork server that got its order."""

    handle: Handle
    server: int = 0
    ended: Status | None = None
    stop_at: float | None = None  # when to kill, on the monotonic clock
    asked: bool = False
    unseen_since: float | None = None
    watch: int = -1  # a pidfd, for a process that is not our fork server's child


class LocalLauncher(Launcher):
    """Slots: the GPUs that gpus.py finds, and `cpus` CPU slots. See engine/launch."""

    def __init__(self, preload: str = "engine.run", cpus: int = 1) -> None:
        self.preload, self.cpus = preload, cpus
        self.attempts: dict[Key, TrackedAttempt] = {}
        self.server: ForkServer | None = None
        self.servers = 0
        self.is_wary = False  # the last fork server ended before it was ready
        self.kills = Kills()

    # -- what a place is asked ----------------------------------------------------------------------------------

    def submit(self, order: Order) -> Handle:
        key = (order.job, order.attempt)
        if key in self.attempts:
            return self.attempts[key].handle
        handle = Handle(order.job, order.attempt, str(order.folder.root))
        server, known = self.ensure_server(), TrackedAttempt(handle)
        self.attempts[key] = known
        # Over the socket: what a process is exec'ed with, others can read.
        more = download_environment(order.home.job(order.job).spec)
        server.send({"folder": handle.folder, "env": {**more, **order.environment}})
        # When that server dies, the folder and /proc say what became of the attempt.
        known.server = self.servers
        return handle

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Status]:
        self._hear()
        now = time.monotonic()
        return {handle: self._look(self._known(handle), now) for handle in handles}

    def stop(self, handle: Handle, grace: float) -> None:
        known = self._known(handle)
        if known.stop_at is None:
            known.stop_at = time.monotonic() + grace
        self._press(known, time.monotonic())

    def find(self, job: str, attempt: int, folder: str) -> Handle | None:
        known = self._known(Handle(job, attempt, folder))
        # Its process may have made the folder a moment ago and be about to write its handle.
        deadline = time.monotonic() + 2 * HANDLE_SECONDS
        while time.monotonic() < deadline:
            status = self._look(known, time.monotonic())
            if status.state != State.QUEUED:
                return known.handle if status.has_started else None
            time.sleep(0.02)
        return known.handle

    def capacity(self) -> list[str]:
        return [*list_gpus(), *(f"cpu:{number}" for number in range(self.cpus))]

    def check(self) -> None:
        """Raise OSError while fork servers end before they are ready, as where they may open too few files.

        Each order to such a server would be an attempt that never starts.
        """
        self._hear()
        self.is_wary |= self.server is not None and not self.server.is_open and not self.server.is_ready
        server = self.ensure_server()
        self._hear()
        if self.is_wary and not server.is_ready:
            raise OSError("the process that starts jobs ends before it is ready; its last words stand above")
        self.is_wary = False

    def wait(self, seconds: float, also: Iterable[int] = ()) -> None:
        poller = select.poll()
        for descriptor in [*also, *self._descriptors()]:
            poller.register(descriptor, select.POLLIN)
        poller.poll(max(0.0, min(seconds, self._next_look()) * 1000))

    def dump_stacks(self, handle: Handle) -> None:
        process = self._process(self._known(handle))
        if process:
            signal_process(*process, STACK_SIGNAL)

    def forget(self, handle: Handle) -> None:
        known = self.attempts.pop((handle.job, handle.attempt), None)
        if known is not None:
            self._unwatch(known)

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        for known in self.attempts.values():
            self._unwatch(known)

    # -- the fork server ----------------------------------------------------------------------------------------

    def ensure_server(self) -> ForkServer:
        """Return a live fork server, started anew when the last one died."""
        if self.server is None or not self.server.is_open:
            if self.server is not None:
                self.server.close()
            self.server = ForkServer(self.preload)
            self.servers += 1
        return self.server

    def warm_up(self) -> None:
        """Wait until the fork server has done its imports. Raises XpError when it cannot."""
        server = self.ensure_server()
        while server.is_open and not server.is_ready:
            select.select([server.link], (), (), 1.0)
            self._hear()

    def _hear(self) -> None:
        """Take in what the fork server told since the last look."""
        if self.server is None:
            return
        by_folder = {known.handle.folder: known for known in self.attempts.values()}
        for message in self.server.receive():
            known = by_folder.get(message.get("folder", ""))
            if known is None:
                continue
            if "forked" in message:
                known.handle = Handle(
                    known.handle.job,
                    known.handle.attempt,
                    known.handle.folder,
                    message["forked"],
                    message["start"],
                    host_name(),
                    boot_id(),
                )
            elif "exit" in message:
                known.ended = self._end(known, message["exit"])

    # -- one attempt --------------------------------------------------------------------------------------------

    def _known(self, handle: Handle) -> TrackedAttempt:
        return self.attempts.setdefault((handle.job, handle.attempt), TrackedAttempt(handle))

    def _look(self, known: TrackedAttempt, now: float) -> Status:
        if known.ended is not None:
            return known.ended
        if self._is_ours(known):
            # Sent and not forked yet, as long as it has no pid.
            status = RUNNING if known.handle.pid else Status(State.QUEUED)
        else:
            status = self._look_outside(known, now)
        if status.state == State.GONE:
            known.ended = status
            self._unwatch(known)
        elif known.stop_at is not None:
            self._press(known, now)
        return known.ended or status

    def _is_ours(self, known: TrackedAttempt) -> bool:
        """Return whether the fork server that we talk to now has, or will have, this attempt as its child."""
        return self.server is not None and self.server.is_open and known.server == self.servers

    def _look_outside(self, known: TrackedAttempt, now: float) -> Status:
        """Say what became of an attempt that nobody reports on, from its folder and /proc."""
        folder = AttemptFolder(Path(known.handle.folder))
        told = read_handle(folder)
        if told is None:
            return self._look_unborn(known, folder, now)
        host, boot, pid, start = told.host, told.boot_id, told.pid, told.start_time
        known.handle = Handle(known.handle.job, known.handle.attempt, known.handle.folder, pid, start, host, boot)
        # The /proc of another machine cannot be read from here.
        if host != host_name():
            return Status(State.UNKNOWN)
        if boot == boot_id() and is_alive(pid, start):
            # Not our child, so we cannot wait for it; a pidfd tells when it ends.
            self._watch(known)
            return RUNNING
        if boot == boot_id():
            # What the dead leader had started may still hold a GPU.
            kill_session(pid, start, folder.log)
        # The handle is written once more at the end: read it after the process was seen to be gone.
        last = read_handle(folder) or told
        return self._end(known, last.exit, may_count=boot == boot_id())

    def _end(self, known: TrackedAttempt, code: int | None, *, may_count: bool = True) -> Status:
        # What we kill ourselves, a person or a machine that goes down kills with the same signal.
        is_kill = code in (None, -signal.SIGKILL) and not known.asked and may_count
        told = read_handle(AttemptFolder(Path(known.handle.folder)))
        is_oom = is_kill and told is not None and self.kills.explain(told)
        return Status(State.GONE, code, code != Exit.TAKEN, is_oom)

    def _look_unborn(self, known: TrackedAttempt, folder: AttemptFolder, now: float) -> Status:
        """No handle: take the folder's name, so that no late child can; if it is taken, give it time to write."""
        process = self._process(known)
        # Forked, and about to write its handle.
        if process is not None and is_alive(*process):
            return RUNNING
        if fence_attempt(folder):
            return Status(State.GONE, None, has_started=False)
        if known.unseen_since is None:
            known.unseen_since = now
        if now - known.unseen_since < HANDLE_SECONDS:
            return Status(State.QUEUED)
        return Status(State.GONE, None)

    # -- stopping and watching ----------------------------------------------------------------------------------

    def _process(self, known: TrackedAttempt) -> tuple[int, int] | None:
        handle = known.handle
        is_here = handle.host == host_name() and handle.boot_id == boot_id()
        return (handle.pid, handle.start) if handle.pid > 1 and is_here else None

    def _press(self, known: TrackedAttempt, now: float) -> None:
        """Ask once, kill all of its session when its time is over. One that has not begun never will."""
        process = self._process(known)
        if process is None:
            if known.ended is None and fence_attempt(AttemptFolder(Path(known.handle.folder))):
                known.ended = Status(State.GONE, None, has_started=False)
            return
        if not known.asked:
            known.asked = True
            # Only the leader: a signal to its loader workers too would end them under a step that is to be saved.
            signal_process(*process, signal.SIGTERM)
        elif known.stop_at is not None and now >= known.stop_at and is_alive(*process):
            kill_session(*process)

    def _watch(self, known: TrackedAttempt) -> None:
        if known.watch >= 0:
            return
        with suppress(OSError, AttributeError):  # an old kernel: then we look every 50 ms
            known.watch = os.pidfd_open(known.handle.pid)

    def _unwatch(self, known: TrackedAttempt) -> None:
        if known.watch >= 0:
            os.close(known.watch)
            known.watch = -1

    def _descriptors(self) -> list[int]:
        watched = [known.watch for known in self.attempts.values() if known.watch >= 0]
        if self.server is not None and self.server.is_open:
            watched.append(self.server.link.fileno())
        return watched

    def _next_look(self) -> float:
        """Return in how many seconds something has to be looked at that no descriptor tells of."""
        soonest, now = 3600.0, time.monotonic()
        for known in self.attempts.values():
            if known.ended is not None:
                continue
            if known.stop_at is not None:
                # Asked, and its grace not over: nothing to do before that.
                soonest = min(soonest, max(0.01, known.stop_at - now) if known.asked and now < known.stop_at else 0.05)
            if known.watch < 0 and not self._is_ours(known):
                soonest = min(soonest, 0.05)
        return soonest
