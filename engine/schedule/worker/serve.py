"""run_worker: takes a home, holds its lock, turns the loop until there is nothing to do or somebody asks it to end."""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from engine.errors import HomeError
from engine.home.paths import Home
from engine.launch import Launcher
from engine.launch.places import make_launcher, read_executor
from engine.launch.preempt import preempt_signals
from engine.schedule.worker.attempts import STANDSTILL
from engine.schedule.worker.lock import cannot_write, scheduler_place, sign_in, sign_out, take_lock
from engine.schedule.worker.loop import Scheduler
from engine.schedule.worker.publish import Collect, Publisher
from engine.schedule.worker.rebuild import heal_queue, make_queue
from engine.schedule.worker.searching import Searcher, has_due_search
from engine.schedule.worker.tell import Teller
from engine.schedule.worker.tracks import Patience
from engine.schedule.worker.vanish import AwayHome, HomeGuard, VanishedHome, wait_back
from store.queue import Queue, QueueFault, QueueRefused, is_damage, is_on_server
from store.queue.place import VARIABLE

log = logging.getLogger("xp.scheduler")
INTERRUPTED = 130
SERVER_LOOK = 2.0  # seconds between looks for a server that does not answer


def run_collect(home: Home) -> None:
    """Collect and publish all there is. Imports the collector only now: it loads duckdb."""
    from engine.collect import collect

    # The last call has to publish, so it waits for a collector that is at work.
    collect(home, wait=60.0)


def collect_lazily(home: Home) -> None:
    """Collect while jobs run: a large snapshot is copied less often, and another collector is left to it."""
    from engine.collect import collect

    collect(home, lazy=True)


def run_worker(
    home: Home,
    slots: int | None = None,
    until_idle: bool = False,
    *,
    preload: str = "engine.run",
    collect: Collect | None = run_collect,
    patience: Patience | None = None,
    launcher: Callable[[], Launcher] | None = None,
) -> int:
    """Be the scheduler of this home; return 0 when idle (`until_idle`) and 130 when asked to end.

    Jobs that run go on when it ends, and the next scheduler takes them over; when the machine is about to be taken away
    (engine/launch/preempt.py) they are saved and ended first. Raises HomeError when another scheduler
    has this home and we were told to stay (`until_idle` leaves it to the other and returns 0).
    """
    make = launcher or (lambda: make_launcher(home, read_executor(home), preload, slots or 1))
    teller = Teller(home)
    with _stop_signals() as stopping:
        while True:
            is_away: AwayHome | None = None
            lock = take_lock(home)
            if lock is None:
                return _leave_to_other(home, until_idle)
            try:
                between = collect_lazily if collect is run_collect else collect
                _serve(home, make, Publisher(home, collect, between), teller, patience, stopping, until_idle)
            except AwayHome as away:
                is_away = away
            finally:
                lock.release()
            if is_away is not None:
                _wait_back(home, is_away, (patience or Patience()).away, stopping)
                # Nothing that was held open can be trusted: all is taken up anew, the lock too.
                continue
            # Whoever submitted while we were leaving saw the lock held and started nobody: so look once more.
            if stopping.is_set or not _has_work(home, teller):
                return INTERRUPTED if stopping.is_set else 0


def _wait_back(home: Home, away: AwayHome, seconds: float, stopping: StopFlag) -> None:
    """Wait until the home is there again. Raises VanishedHome when it stays away, or we are asked to end meanwhile."""
    log.error("%s: waiting up to %.0f s for it to come back", away.what, seconds)
    if not wait_back(home, seconds, stopping.rest):
        raise VanishedHome(f"{away.what}, and did not come back within {seconds:.0f} s", where=away.where, fix=away.fix)
    log.info("the home folder is back: going on")


def _leave_to_other(home: Home, until_idle: bool) -> int:
    if until_idle:
        # A warning, so that a worker in the foreground says it too: else it would end at once without a word.
        log.warning("a scheduler works here already%s: it does what is queued, and this one ends", _tell_other(home))
        return 0
    fix = "leave it to that one, or stop it first"
    raise HomeError("a scheduler already works here", where=str(home.root), fix=fix)


def _tell_other(home: Home) -> str:
    """Return where the scheduler that works here is; "" where it has not said so."""
    place = scheduler_place(home)
    return f" (process {place[0]} on {place[1]})" if place else ""


def _has_work(home: Home, teller: Teller) -> bool:
    try:
        with Queue.open_readonly(home.queue_db) as queue:
            return queue.has_work() or teller.is_due(queue) or has_due_search(home)
    except QueueFault:
        # Its server went down this moment: we see when it is back.
        if not is_on_server():
            raise
        return True


def _serve(
    home: Home,
    make: Callable[[], Launcher],
    publisher: Publisher,
    teller: Teller,
    patience: Patience | None,
    stopping: StopFlag,
    until_idle: bool,
) -> None:
    try:
        sign_in(home)
    except OSError as error:
        raise cannot_write(home, error) from error
    guard, launcher = HomeGuard(home), make()
    try:
        with _open_queue(home, stopping) as queue:
            scheduler, searcher = Scheduler(home, queue, launcher, publisher, patience), Searcher(home)
            log.info("slots: %s", ", ".join(scheduler.slots))
            while not stopping.is_set:
                guard.check()
                try:
                    scheduler.turn()
                    is_searching = searcher.turn(scheduler.ended, is_idle=scheduler.is_idle())
                    is_leaving = until_idle and not is_searching and scheduler.is_idle()
                    teller.turn(queue, is_last=is_leaving)
                    if is_leaving:
                        break
                    scheduler.rest([stopping.bell])
                except (OSError, QueueFault) as error:
                    scheduler.back_off(error, [stopping.bell])
            if stopping.is_preempted:
                scheduler.drain()
    finally:
        launcher.close()
        # When asked to end, somebody waits for us; the next collection sees all of it anyway.
        publisher.finish(is_last=not stopping.is_set and guard.is_there())
        if not stopping.is_set:
            teller.finish()
        guard.close()
        sign_out(home)


def _open_queue(home: Home, stopping: StopFlag) -> Queue:
    """Open the queue and put in what was submitted and not queued; where its server is down, wait until it is not.

    Raises HomeError when it is of a newer version or cannot be used as asked, or we are to end before it answers.
    """
    trouble = ""
    while True:
        try:
            queue = _open_or_make(home)
            heal_queue(home, queue)
            return queue
        except QueueRefused as error:
            raise HomeError(error.what, where=error.where, fix=error.fix) from error
        except QueueFault as error:
            if not is_on_server():
                raise
            told = f"the server of the queue does not answer: {str(error.orig).splitlines()[0]}"
            if told != trouble:
                log.error("%s: %s", STANDSTILL, told)
                trouble = told
            if stopping.rest(SERVER_LOOK):
                raise HomeError(told, where=VARIABLE, fix="start it; nothing that was submitted is lost") from error


def _open_or_make(home: Home) -> Queue:
    """Open the queue; one that is missing or damaged is made anew from the folders, which are the truth."""
    try:
        if home.queue_db.exists():
            return Queue(home.queue_db)
    except RuntimeError as error:
        fix = "use the newer xp, or make the queue anew with `xp rebuild --queue`"
        raise HomeError(str(error), where=str(home.queue_db), fix=fix) from error
    except QueueFault as error:
        if isinstance(error, QueueRefused) or (is_on_server() and not is_damage(error)):
            raise
        log.error("queue.db is damaged and is made anew: %s", str(error).splitlines()[0])
    make_queue(home)
    return Queue(home.queue_db)


class StopFlag:
    """Set by SIGTERM and SIGINT, and by what announces the machine's end; its pipe `bell` becomes readable then."""

    def __init__(self) -> None:
        self.is_set = self.is_preempted = False
        self.preempting = frozenset(preempt_signals())
        # A handler may do little more than set a flag; the pipe wakes the poll in which the loop sleeps.
        self.bell, self.bell_in = os.pipe()
        for end in (self.bell, self.bell_in):
            # A handler that waits for room in a full pipe would hang the scheduler.
            os.set_blocking(end, False)

    def ring(self, number: int, *_: Any) -> None:
        self.is_set = True
        self.is_preempted |= number in self.preempting
        with suppress(OSError):
            os.write(self.bell_in, b"x")

    def rest(self, seconds: float) -> bool:
        """Sleep until we are asked to end, at most `seconds`; return whether we were."""
        select.select([self.bell], (), (), seconds)
        return self.is_set

    def close(self) -> None:
        os.close(self.bell)
        os.close(self.bell_in)


@contextmanager
def _stop_signals() -> Iterator[StopFlag]:
    """Turn signals that ask us to end into a flag while inside; not outside of the main thread, which alone may."""
    flag = StopFlag()
    is_main = threading.current_thread() is threading.main_thread()
    asking = (signal.SIGTERM, signal.SIGINT, *flag.preempting) if is_main else ()
    before = {number: signal.signal(number, flag.ring) for number in asking}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        flag.close()
