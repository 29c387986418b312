"""All pilots of a home behind the launcher's face: takes orders, gives states; an engine brings pilots and ends them.

A scheduler that is started anew reads the folders and goes on where the last one was. An attempt whose pilot never
began it is fenced: its folder is made here, so that no late process can be it.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from engine.home.control_files import read_handle
from engine.home.files import write_json
from engine.home.paths import AttemptFolder, Home
from engine.launch import Handle, Launcher, Order, State, Status, Want
from engine.launch.attempt_process import fence_attempt
from engine.launch.pilots.folder import PilotFolder, look_seconds
from engine.launch.pilots.messages import RunOrder
from engine.launch.pilots.profile import Shape, Site
from engine.launch.pilots.view import Key, PilotView

log = logging.getLogger("xp.scheduler")
LOOK_EACH = 0.01  # between looks at what many pilots told: seconds for each, as each opens a file on a shared disk
FEEL_SECONDS = 2.0  # between looks at beats
KEEP_SECONDS = 86_400.0  # for which the folder of a pilot that has ended is kept, with its log
PENDING = "pending"  # what an engine calls a pilot that has not begun
GPU_TO_COME = "gpu@to-come"  # the slot that says that jobs for a GPU wait for one, and into which nothing fits
MOST_SHARES = 8  # jobs to a GPU, of which `want` is told
MOST_DUDS, PAUSE_SECONDS = 5, 300.0  # pilots that end before they open; how long none is asked for then
MOST_UNSEEN = 2  # of those, without a log: an engine opens that first of all


UNOPENED = "{count} pilots ended before they took an order: see their logs in {root}"
UNSEEN = (
    "{count} pilots ended and left not even a log: their nodes do not see {root} (the home has to lie on a disk that"
    " all machines share, under this path), or the cluster did not start them (Slurm: `sinfo -R` tells why)"
)


class Engine(Protocol):
    """What brings pilots: the number NAME-0, NAME-1, ... of a named array are the names of their folders."""

    def ask(self, shape: Shape, nonce: str, count: int) -> None:
        """Ask for `count` pilots of a shape. Raises OSError where the engine refuses."""
        ...

    def list_pilots(self) -> Mapping[str, str]:
        """Return what has not ended, by name: `pending`, or another word while it runs. Raises OSError if unseen."""
        ...

    def end(self, names: Sequence[str]) -> None:
        """End pilots, whether they have begun or not."""
        ...

    def has_gpus(self) -> bool:
        """Return whether there are GPUs to ask for."""
        ...


class Fleet(Launcher):
    """The launcher of a home whose jobs run in pilots of an engine."""

    def __init__(self, home: Home, engine: Engine, profile: Site) -> None:
        self.home, self.engine, self.profile = home, engine, profile
        self.views: dict[str, PilotView] = {}
        self.told_slots: list[str] = []
        self.heard_at = self.news_at = self.felt_at = self.listed_at = self.asked_at = -math.inf
        self.stopping: set[Key] = set()
        self.most_wants = MOST_SHARES * profile.most
        self.wanted = 0  # jobs that waited when we were told last
        self.calm_at = math.inf  # since when none does
        self.duds = self.unseen = 0
        self.trouble = ""  # what was said last, so that it is said once
        self.promise = [GPU_TO_COME] if engine.has_gpus() else []
        self._find_pilots()

    # -- what a place is asked ----------------------------------------------------------------------------------

    def submit(self, order: Order) -> Handle:
        handle = Handle(order.job, order.attempt, str(order.folder.root))
        view = self.views.get(pilot_of(order.slot))
        key = (order.job, order.attempt)
        if view is not None and key not in view.ordered:
            self.news_at = time.monotonic()
            view.run(
                RunOrder(
                    job=order.job, attempt=order.attempt, slot=order.slot, ooms=order.ooms, cache=str(self.home.cache)
                )
            )
        return handle

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Status]:
        self.look()
        owners = {key: view for view in self.views.values() for key in view.ordered}
        return {handle: self._judge(handle, owners.get((handle.job, handle.attempt))) for handle in handles}

    def stop(self, handle: Handle, grace: float) -> None:
        key = (handle.job, handle.attempt)
        view = self._owner(key)
        if view is not None and key not in self.stopping and not view.is_over:
            self.stopping.add(key)
            view.stop(key, grace)

    def find(self, job: str, attempt: int, folder: str) -> Handle | None:
        self.look()
        handle = Handle(job, attempt, folder)
        if self._owner((job, attempt)) is not None:
            return handle
        # Nobody was told to run it: nobody will.
        return None if fence_attempt(AttemptFolder(Path(folder))) else handle

    def capacity(self) -> list[str]:
        self.look()
        self.told_slots = self._slots()
        return self.told_slots

    def has_news(self) -> bool:
        """Return whether slots came or went, or more may be asked for now."""
        may_ask = self.wanted > 0 and time.monotonic() - self.asked_at >= self.profile.ask_seconds
        return may_ask or self._slots() != self.told_slots

    def fits(self, slot: str, want: Want) -> bool:
        view = self.views.get(pilot_of(slot))
        return view is not None and view.shape is not None and view.shape.covers(self.profile.shape_pilots([want]))

    def wait(self, seconds: float, also: Iterable[int] = ()) -> None:
        super().wait(min(seconds, self._look_seconds()), also)

    def dump_stacks(self, handle: Handle) -> None:
        view = self._owner((handle.job, handle.attempt))
        if view is not None:
            view.dump_stacks((handle.job, handle.attempt))

    def forget(self, handle: Handle) -> None:
        key = (handle.job, handle.attempt)
        self.stopping.discard(key)
        view = self._owner(key)
        if view is not None and not view.is_over:
            # Told or not, its end has been written down: nobody asks for it again.
            view.ended.setdefault(key, Status(State.GONE))

    def close(self) -> None:
        """Let idle pilots go, and what has not begun; where attempts run, all is left to the next scheduler."""
        open_views = [view for view in self.views.values() if not view.is_over]
        if any(not view.is_idle() for view in open_views):
            return
        with suppress(OSError):
            for view in open_views:
                view.leave()
            if pending := self._pending():
                self.engine.end([view.name for view in pending])

    # -- pilots that are wanted ---------------------------------------------------------------------------------

    def want(self, wants: Sequence[Want]) -> None:
        """Ask for pilots for what waits, or give back what was asked for and is not wanted any more.

        Raises OSError where the engine refuses, or where pilots end before they open, again and again; sooner where
        they leave no log, as on nodes that do not see the home.
        """
        now = time.monotonic()
        self.wanted = len(wants)
        self.calm_at = math.inf if wants else min(self.calm_at, now)
        if self.duds >= MOST_DUDS or self.unseen >= MOST_UNSEEN:
            told = (UNSEEN if self.unseen else UNOPENED).format(count=self.duds, root=self._root())
            self.duds, self.unseen, self.asked_at = 0, 0, now + PAUSE_SECONDS
            raise OSError(told)
        if now - self.asked_at >= self.profile.ask_seconds:
            # Whether something is asked for or not: the next look at what waits may be a while later.
            self.asked_at = now
            for gpus in sorted({math.ceil(want.gpu) for want in wants}, reverse=True):
                self._ask_for([want for want in wants if math.ceil(want.gpu) == gpus])

    def _ask_for(self, wants: Sequence[Want]) -> None:
        """Ask for what wants of one kind lack: a slot for each, less the pilots that are on their way."""
        if not wants:
            return
        shape = self.profile.shape_pilots(wants)
        needed = math.ceil(sum(min(1.0, want.gpu) if shape.has_gpu else 1.0 for want in wants) - 1e-9)
        # One of more GPUs is for a job that has them all.
        shapes = [view.shape for view in self._pending() if view.shape is not None]
        coming = sum(other.gpus == shape.gpus and other.covers(shape) for other in shapes)
        alive = sum(not view.is_over for view in self.views.values())
        count = min(needed - coming, self.profile.most - alive)
        if count > 0:
            self._ask(shape, count)

    def _ask(self, shape: Shape, count: int) -> None:
        nonce = uuid.uuid4().hex[:8]
        folders = [PilotFolder(self._root() / f"{nonce}-{number}") for number in range(count)]
        # Before they are asked for: the log is opened there, and who is killed here leaves nothing that is not known.
        for folder in folders:
            folder.root.mkdir(parents=True)
            write_json(folder.shape, asdict(shape))
        try:
            self.engine.ask(shape, nonce, count)
        except OSError:
            for folder in folders:
                shutil.rmtree(folder.root, ignore_errors=True)
            raise
        log.info("asked for %d pilots: %s", count, shape)
        self._find_pilots()

    def _take_back(self) -> None:
        """End what has not begun, once nothing has waited for as long as a pilot stays idle."""
        pending = self._pending()
        if pending and time.monotonic() - self.calm_at >= self.profile.idle:
            log.info("%d pilots are not wanted any more", len(pending))
            for view in pending:
                # For an engine that brings it all the same.
                view.leave()
            self.engine.end([view.name for view in pending])
            for view in pending:
                view.is_dead = True

    def _ask_after_quiet(self) -> None:
        """Ask the engine after pilots that gave no sign, and after no others: sites count its calls."""
        quiet = [view for view in self.views.values() if not view.is_over and view.is_quiet()]
        if not quiet or time.monotonic() - self.listed_at < self.profile.list_seconds:
            return
        self.listed_at = time.monotonic()
        alive = self.engine.list_pilots()
        for view in quiet:
            if view.name not in alive:
                self._bury(view)
        lost = [view.name for view in quiet if view.opened and view.name in alive and view.is_lost()]
        if lost:
            self.engine.end(lost)

    def _bury(self, view: PilotView) -> None:
        view.is_dead = True
        # What it told last may have come a moment before.
        view.hear()
        if view.opened is None:
            self.duds += 1
            self.unseen += not view.folder.log.exists()
        if not view.is_closed:
            log.warning("pilot %s has ended without a word: see %s", view.name, view.folder.log)

    def _pending(self) -> list[PilotView]:
        return [view for view in self.views.values() if view.opened is None and not view.is_over]

    # -- what pilots told ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read what pilots have written since the last look, as often as their number allows."""
        now = time.monotonic()
        if now - self.heard_at < self._look_seconds():
            return
        self.heard_at = now
        for view in self.views.values():
            if view.is_over or not view.hear():
                continue
            self.news_at = now
            if view.opened is not None:
                self.duds = self.unseen = 0
        if now - self.felt_at >= FEEL_SECONDS:
            self.felt_at = now
            self._find_pilots()
            for view in self.views.values():
                if not view.is_over:
                    view.feel()
            self._tend()
            self._clear_old()

    def _tend(self) -> None:
        """See to pilots that are silent or not wanted; an engine that does not answer now is asked again later."""
        try:
            self._ask_after_quiet()
            self._take_back()
            self.trouble = ""
        except OSError as error:
            if str(error) != self.trouble:
                log.warning("%s", error)
            self.trouble = str(error)

    def _root(self) -> Path:
        return self.home.pilots_root

    def _find_pilots(self) -> None:
        with suppress(FileNotFoundError):
            for name in os.listdir(self._root()):
                if name not in self.views and (self._root() / name).is_dir():
                    self.views[name] = PilotView(PilotFolder(self._root() / name))

    def _slots(self) -> list[str]:
        return [*self.promise, *(slot for view in self.views.values() for slot in view.slots())]

    def _owner(self, key: Key) -> PilotView | None:
        return next((view for view in self.views.values() if key in view.ordered), None)

    def _look_seconds(self) -> float:
        return max(look_seconds(self.news_at), LOOK_EACH * sum(not view.is_over for view in self.views.values()))

    def _clear_old(self) -> None:
        """Remove the folders of pilots that ended long ago, and whose attempts are all written down."""
        for name, view in list(self.views.items()):
            if view.is_over and view.is_idle() and _age(view.folder.root) > KEEP_SECONDS:
                shutil.rmtree(view.folder.root, ignore_errors=True)
                del self.views[name]

    # -- one attempt --------------------------------------------------------------------------------------------

    def _judge(self, handle: Handle, view: PilotView | None) -> Status:
        """Say what became of an attempt, from what its pilot told, else from its folder."""
        key, folder = (handle.job, handle.attempt), AttemptFolder(Path(handle.folder))
        if view is not None and key in view.ended:
            return view.ended[key]
        if view is not None and key in view.began and not view.is_over:
            return Status(State.UNKNOWN if view.is_quiet() else State.RUNNING)
        if view is not None and not (view.is_closing or view.is_over):
            return Status(State.UNKNOWN if view.is_quiet() else State.QUEUED)
        # Its pilot is gone, or takes nothing any more: what it did not begin nobody will.
        if fence_attempt(folder):
            return Status(State.GONE, None, has_started=False)
        told = read_handle(folder)
        if told is not None and told.exit is not None:
            return Status(State.GONE, told.exit)
        if view is not None and view.is_over:
            return Status(State.GONE)
        return Status(State.UNKNOWN if view is None else State.RUNNING)


def pilot_of(slot: str) -> str:
    """Return the name of the pilot that a slot belongs to: `cpu:0@n1/NAME`; "" for one of this machine."""
    return slot.partition("@")[2].partition("/")[2]


def _age(path: Path) -> float:
    with suppress(OSError):
        return time.time() - path.stat().st_mtime
    return 0.0
