"""class Scheduler: takes a home, its queue and a launcher, gives turns of the one loop.

A turn looks at orders, at what runs, at what may start. Nothing is kept in memory that the queue and the job folders
do not hold: a scheduler that was killed at any line is followed by one that finds the same state.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from engine.home.paths import Home
from engine.launch import Handle, Launcher, Order, State, Status, Want
from engine.launch.process import boot_id
from engine.launch.shortages import home_trouble
from engine.schedule.placing import Demand, Held, is_news, read_demand, tell_wait
from engine.schedule.policy import StallDetector, rank_experiments
from engine.schedule.slot_book import SlotBook, choose_next
from engine.schedule.worker.attempts import STANDSTILL, newest_number, read_progress
from engine.schedule.worker.endings import Endings
from engine.schedule.worker.gpu_watch import GpuWatch
from engine.schedule.worker.publish import Publisher
from engine.schedule.worker.ready import Entry, ReadyJobs
from engine.schedule.worker.tracks import Patience, Track
from store.queue import Claim, End, Queue, QueueFault, RunningRow, Start, Verdict

log = logging.getLogger("xp.scheduler")


BATCH = 64  # jobs that are leased in one transaction, at most
MANY = 1000  # attempts whose heartbeats are read with one look; of more, a part with each
ROUND = 20  # looks in which all are read at last: well within a lease


class Scheduler:
    """The loop's state. `turn` never blocks; `rest` does, until something may have changed."""

    def __init__(
        self,
        home: Home,
        queue: Queue,
        launcher: Launcher,
        publisher: Publisher,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.home, self.queue, self.launcher, self.publisher = home, queue, launcher, publisher
        self.patience, self.clock, self.pause = patience or Patience(), clock, pause
        self.slots = launcher.capacity()
        self.gpus = GpuWatch(home, self.slots)
        self.endings = Endings(home, queue, self.gpus)
        self.tracks: dict[str, Track] = {}
        self.handles: dict[Handle, Track] = {}  # the same
        self.unlooked: list[Track] = []  # those whose turn to be looked at comes in this round
        # What follows from the tracks and the queue, so that nobody counts thousands anew for each decision.
        self.book = SlotBook(self.slots)
        self.ready = ReadyJobs(queue, time.time, self.tell_waits)
        self.doubts = self.gpus.doubts  # by which the ready jobs were told why they wait
        self.wake_at: float | None = None  # unix seconds: when the next back-off ends
        # No version of SQLite's is negative: the first turn reads the orders.
        self.version = -1
        self.looked = self.adopted = 0.0  # monotonic: when heartbeats were last read, and leases looked for
        self.ended = 0  # attempts, since the start
        self.may_start = True  # something has changed since the last look for ready jobs
        self.is_sure = False  # whether what we know and what the queue says are known to agree
        self.trouble = ""  # what was said last, so that it is said once

    # -- the turn -----------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Raises OSError or a fault of the queue when the disk does; `back_off` then prepares for the next turn."""
        if not self.is_sure:
            self.recover()
        elif self.queue.is_shared and self.clock() - self.adopted >= self.patience.lease:
            self.adopt()
        self.read_orders()
        self.watch_attempts()
        self.may_start |= self.gpus.has_news() | self.see_slots()
        # To look for ready jobs takes a few queries, so only when something has changed.
        if self.may_start or self.wakes_now():
            self.start_ready()
        self.publisher.turn()
        if self.trouble:
            # The last line of the log is what `status` shows as long as it tells of trouble.
            log.info("goes on")
        self.trouble = ""

    def back_off(self, error: Exception, also: list[int]) -> None:
        """A disk that is full or read-only, or a queue that is locked: say so once; jobs go on, and we try again."""
        self.is_sure = False
        told = str(error).splitlines()[0]
        if told != self.trouble:
            log.error("%s: %s", STANDSTILL, told)
            self.trouble = told
        # A full disk or a held lock seldom clears within a tenth of a second.
        self.launcher.wait(10 * self.patience.look, also)

    def rest(self, also: list[int]) -> None:
        """Sleep until an attempt ends, a signal comes or it is time to look for orders."""
        seconds, now = self.patience.look, time.time()
        wake = self.queue.next_wake(now)
        self.wake_at = now + wake if wake is not None else None
        if wake:  # one that has ended and found no slot waits for the end of a job
            seconds = min(seconds, wake)
        self.launcher.wait(seconds, also)
        if len(self.tracks) > MANY:
            self.pause(self.patience.gather)

    def is_idle(self) -> bool:
        return not self.tracks and not self.queue.has_work()

    def wakes_now(self) -> bool:
        """Return whether the back-off of a queued job has ended, as was found when we went to rest."""
        if self.wake_at is None or time.time() < self.wake_at:
            return False
        self.wake_at = None
        self.ready.forget()
        return True

    # -- after a start ------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Make queue and folders agree: results count whatever the queue says, attempts are found or given up."""
        states = self.queue.job_states()
        self.book = SlotBook(self.slots, [track.held for track in self.tracks.values()])
        self.ready.forget()
        # A kill between a result's link and its row in the queue leaves a job that is done and looks open.
        open_jobs = [job for job, state in states.items() if state not in ("done", "running")]
        self.queue.mark_done(job for job in open_jobs if self.home.job(job).result.exists())
        self.adopt()
        self.is_sure = self.may_start = True
        self.version = -1
        self.publisher.note()

    def adopt(self) -> None:
        """Follow the attempts that are ours to look after: of a queue that hosts share, our own and the abandoned."""
        self.adopted = self.clock()
        for row in self.queue.take_over(boot_id(), self.clock() + self.patience.lease):
            if row.job in self.tracks:
                continue
            folder = self.home.job(row.job).attempt(row.attempt)
            handle = self.launcher.find(row.job, row.attempt, str(folder.root))
            # An attempt without a process is followed too, so that it ends by the same rules as any other.
            demand = read_demand(row.kind, row.details)
            track = self.follow(row, handle or Handle(row.job, row.attempt, str(folder.root)), demand)
            self.book.take(track.held)
            if handle is None:
                self.end(track, Status(State.GONE, None, has_started=False))
            else:
                log.info("%s attempt %d: found again", row.job, row.attempt)

    def follow(self, row: RunningRow, handle: Handle, demand: Demand) -> Track:
        now, folder = self.clock(), self.home.job(row.job)
        # Monotonic clocks start anew with each boot: a time of another boot means nothing here.
        is_same_boot = row.boot_id == boot_id()
        track = Track(
            row,
            handle,
            demand,
            folder,
            folder.attempt(row.attempt),
            StallDetector(now, self.patience.stuck),
            row.expires if is_same_boot else now + self.patience.lease,
        )
        self.tracks[row.job] = self.handles[handle] = track
        return track

    # -- orders -------------------------------------------------------------------------------------------------

    def read_orders(self) -> None:
        """When somebody else wrote to the queue: look for requests to stop, and for new work."""
        version = self.queue.data_version()
        if version == self.version:
            return
        self.version = version
        self.may_start = True
        self.publisher.note()
        self.ready.forget()
        for job, request in self.queue.requests().items():
            track = self.tracks.get(job)
            # Another order may come while the first is carried out: cancel after pause.
            if track is not None and track.stopping != request:
                self.stop(track, request)

    def stop(self, track: Track, why: str) -> None:
        log.info("%s attempt %d: %s", track.row.job, track.row.attempt, why)
        track.stopping = why
        self.launcher.stop(track.handle, self.patience.grace)

    def drain(self) -> None:
        """Let every attempt save and end, because the machine is about to be taken away; they are queued again."""
        for track in self.tracks.values():
            self.stop(track, "preempted")
        # A second past the launcher's kill, so that what it killed is written down as well.
        end = self.clock() + self.patience.grace + 1.0
        while self.tracks and self.clock() < end:
            self.launcher.wait(self.patience.look, ())
            self.watch_attempts()

    # -- what runs ----------------------------------------------------------------------------------------------

    def watch_attempts(self) -> None:
        gone: list[tuple[Track, Status]] = []
        for handle, status in self.launcher.poll_changed(self.handles.keys()).items():
            track = self.handles[handle]
            track.status = status
            if status.state == State.GONE:
                gone.append((track, status))
        if gone:
            self.end_all(gone)
        if self.tracks and self.clock() - self.looked >= self.patience.beat:
            self.looked = self.clock()
            self.check_stalls()

    def next_looks(self) -> list[Track]:
        """Return whom to look at now: all that run, or of thousands a part, so that a look never takes long."""
        if not self.unlooked:
            self.unlooked = list(self.tracks.values())
        share = max(MANY, math.ceil(len(self.tracks) / ROUND))
        now, self.unlooked = self.unlooked[:share], self.unlooked[share:]
        return [track for track in now if self.tracks.get(track.row.job) is track]

    def check_stalls(self) -> None:
        """Once a second: renew the leases of what is seen, stop what makes no progress, give up what cannot be seen."""
        now, seen = self.clock(), []
        for track in self.next_looks():
            has_beaten = track.stall.beat(now, read_progress(track.folder))
            # It has very likely logged something too.
            if has_beaten:
                self.publisher.note()
            if track.status.state == State.UNKNOWN:
                self.check_unseen(track, now, has_beaten)
            elif track.stall.is_stuck(now) and not track.stopping:
                # Before it is stopped: afterwards nobody can tell where it hung.
                self.launcher.dump_stacks(track.handle)
                self.stop(track, "stuck")
            if track.status.state == State.RUNNING:
                track.unseen_since = None
            # Renewed at half time: one slow write must not let a lease run out.
            if track.status.state != State.UNKNOWN and track.lease_until - now < self.patience.lease / 2:
                track.lease_until = now + self.patience.lease
                seen.append((track.row.job, track.row.attempt))
        # All in one transaction, because each waits for the disk.
        if seen:
            self.queue.renew(seen, boot_id(), now + self.patience.lease)

    def check_unseen(self, track: Track, now: float, has_beaten: bool) -> None:
        """`Cannot see` is not `dead`: only a lease that ran out and a silence that lasted end an unseen attempt.

        If it lives all the same it can do no harm: it writes into its own folder, and the first result counts.
        """
        if has_beaten or track.unseen_since is None:
            track.unseen_since = now
        elif now >= track.lease_until and now - track.unseen_since >= self.patience.unseen:
            self.launcher.stop(track.handle, self.patience.grace)
            self.end(track, Status(State.GONE))

    def end(self, track: Track, status: Status) -> None:
        self.end_all([(track, status)])

    def end_all(self, gone: list[tuple[Track, Status]]) -> None:
        """Write down how attempts ended: first in their folders, then in the queue, all in one transaction."""
        ends: list[End] = []
        for track, status in gone:
            end = self.endings.judge(track, status)
            # In this order, since a queue that is made anew reads the folder: a kill in between forgets no budget.
            # While the disk is full every turn comes by here.
            self.endings.write_outcome(track, end, is_told=bool(self.trouble))
            ends.append(end)
        ended = self.queue.finish_all(ends)
        for (track, _), end in zip(gone, ends, strict=True):
            state, verdict = ended.states.get(end.job), end.verdict
            log.info("%s attempt %d: %s -> %s %s", end.job, end.attempt, verdict.outcome, state, verdict.reason)
            self.launcher.forget(track.handle)
            self.book.give(track.held)
            del self.tracks[end.job], self.handles[track.handle]
        self.ready.end(ended)
        self.ended += len(gone)
        self.may_start = True
        self.publisher.note()

    # -- what may start -----------------------------------------------------------------------------------------

    def start_ready(self) -> None:
        """Launch until nothing more fits."""
        if trouble := home_trouble(self.home):
            raise OSError(f"{trouble}: nothing is started in {self.home.root} until there is room")
        self.may_start = False
        if self.doubts is not self.gpus.doubts:
            self.doubts = self.gpus.doubts
            self.ready.forget()
        while self.start_some():
            pass
        self.launcher.want(self.list_wants())

    def see_slots(self) -> bool:
        """Take in slots that came and went; return whether the launcher wants to hear what waits."""
        if not self.launcher.has_news():
            return False
        before, self.slots = self.slots, self.launcher.capacity()
        self.gpus.slots = self.slots
        if self.slots != before:
            self.book = SlotBook(self.slots, [track.held for track in self.tracks.values()])
            self.ready.forget()
            log.info("slots: %s", ", ".join(self.slots) or "none")
        return True

    def list_wants(self) -> list[Want]:
        """Return what jobs that are ready ask for, as many as the launcher can use an answer to."""
        most = self.launcher.most_wants
        if not most:
            return []
        waiting = rank_experiments(self.queue.waiting())
        ready = (claim for row in waiting for claim in self.queue.ready_jobs(row.experiment, time.time(), most))
        return [read_demand(claim.kind, claim.details).want for claim in islice(ready, most)]

    def start_some(self) -> bool:
        """Start jobs that fit, a batch at most; return whether there may be more."""
        chosen = self.choose_some()
        if not chosen:
            return False
        self.launcher.check()
        return self.launch(chosen)

    def choose_some(self) -> list[tuple[Claim, Held]]:
        chosen: list[tuple[Claim, Held]] = []
        # With no room at all nothing can fit: spares the look.
        while len(chosen) < BATCH and self.book.room:
            found = choose_next(self.ready.turns(), self.book, self.gpus.doubts, self.launcher.fits)
            if found is None:
                break
            claim, held = found
            self.book.take(held)
            self.ready.take(claim)
            chosen.append((claim, held))
        return chosen

    def tell_waits(self, ready: list[Entry]) -> None:
        """Say of jobs that are next why they wait, where that is not for their turn alone."""
        waits = [(claim, tell_wait(demand, self.slots, self.gpus.doubts)) for claim, demand in ready]
        if news := {claim.job: why for claim, why in waits if is_news(claim.reason, why)}:
            self.queue.tell_reasons(news)

    def launch(self, chosen: list[tuple[Claim, Held]]) -> bool:
        """Start jobs on slots that the book keeps for them; return whether any was to be had."""
        asked = {claim.job: (claim, held) for claim, held in chosen}
        # The leases before the processes: a kill in between leaves rows that `recover` finds and gives up.
        leased = self.lease(chosen)
        for job in asked.keys() - {row.job for row in leased}:
            self.book.give(asked[job][1])
        for at, row in enumerate(leased):
            claim, held = asked[row.job]
            try:
                self.start(row, claim, held)
            except BaseException:
                # Of the one that failed nobody knows how far it came: `recover` finds out.
                with suppress(QueueFault):
                    self.queue.give_back(leased[at + 1 :])
                raise
        return bool(leased)

    def lease(self, chosen: list[tuple[Claim, Held]]) -> list[RunningRow]:
        """Lease jobs in one transaction; return those that were to be had and have no result yet."""
        done, starts = list[str](), list[Start]()
        for claim, held in chosen:
            folder = self.home.job(claim.job)
            if folder.result.exists():
                done.append(claim.job)
            else:
                # A queue made anew may know fewer attempts than there are folders: a number is never used twice.
                starts.append(Start(claim.job, max(claim.attempts, newest_number(folder)) + 1, held.slot))
        if done:
            self.queue.mark_done(done)
        # Leases count on the monotonic clock, because the wall clock jumps; `now` is for people to read.
        expires = self.clock() + self.patience.lease
        leased = self.queue.lease_all(starts, boot_id=boot_id(), expires=expires, now=time.time())
        self.ready.settle()
        if len(leased) < len(chosen):
            self.ready.forget()
            self.may_start = True
        return leased

    def start(self, row: RunningRow, claim: Claim, held: Held) -> None:
        if not self.home.job(row.job).spec.exists():
            self.refuse(row, "its folder is gone: submit the experiment again")
            self.book.give(held)
            return
        order = Order(self.home, row.job, row.attempt, row.slot, claim.ooms)
        self.follow(row, self.launcher.submit(order), held.demand)
        log.info("%s attempt %d: started on %s", row.job, row.attempt, row.slot)

    def refuse(self, row: RunningRow, reason: str) -> None:
        log.warning("%s: %s", row.job, reason)
        verdict = Verdict("lost", "failed", reason)
        self.ready.end(self.queue.finish_all([End(row.job, row.attempt, verdict, time.time())]))
