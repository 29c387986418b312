"""class Scheduler: takes a home, its queue and a launcher, gives turns of the one loop.

A turn looks at orders, at what runs, at what may start. Nothing is kept in memory that the queue and the job folders
do not hold: a scheduler that was killed at any line is followed by one that finds the same state.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from engine.home.control_files import OutcomeFile, read_handle, write_outcome
from engine.home.paths import Home
from engine.launch import Handle, Launcher, Order, State, Status, Want
from engine.launch.process import boot_id, seconds_since_start
from engine.launch.shortages import home_trouble
from engine.schedule.placing import Demand, Held, choose_next, is_cpu, is_news, read_demand, tell_wait
from engine.schedule.policy import Ending, Spent, StallDetector, Waiting, decide, rank_experiments
from engine.schedule.worker.attempts import (
    STANDSTILL,
    find_gpu_fault,
    find_lack,
    last_words,
    made_progress,
    newest_number,
    read_progress,
)
from engine.schedule.worker.gpu_watch import GpuWatch
from engine.schedule.worker.publish import Publisher
from engine.schedule.worker.tracks import Patience, Track
from store.queue import Claim, Queue, RunningRow, Verdict

log = logging.getLogger("xp.scheduler")


CLOCK_WAS_SET = 5.0  # seconds by which the two times of a start differ then


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
    ) -> None:
        self.home, self.queue, self.launcher, self.publisher = home, queue, launcher, publisher
        self.patience, self.clock = patience or Patience(), clock
        self.slots = launcher.capacity()
        self.gpus = GpuWatch(home, self.slots)
        self.tracks: dict[str, Track] = {}
        # No version of SQLite's is negative: the first turn reads the orders.
        self.version = -1
        self.looked = 0.0  # monotonic: when heartbeats were last read
        self.may_start = True  # something has changed since the last look for ready jobs
        self.is_sure = False  # whether what we know and what the queue says are known to agree
        self.trouble = ""  # what was said last, so that it is said once

    # -- the turn -----------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Raises OSError or a fault of the queue when the disk does; `back_off` then prepares for the next turn."""
        if not self.is_sure:
            self.recover()
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
        seconds = self.patience.look
        wake = self.queue.next_wake(time.time())
        if wake:  # one that has ended and found no slot waits for the end of a job
            seconds = min(seconds, wake)
        self.launcher.wait(seconds, also)

    def is_idle(self) -> bool:
        return not self.tracks and not self.queue.has_work()

    def wakes_now(self) -> bool:
        """Return whether the back-off of a queued job has ended."""
        return self.queue.next_wake(time.time()) == 0.0

    # -- after a start ------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Make queue and folders agree: results count whatever the queue says, attempts are found or given up."""
        running = self.queue.running()
        states = self.queue.job_states()
        # A kill between a result's link and its row in the queue leaves a job that is done and looks open.
        open_jobs = [job for job, state in states.items() if state not in ("done", "running")]
        self.queue.mark_done(job for job in open_jobs if self.home.job(job).result.exists())
        for row in running:
            if row.job in self.tracks:
                continue
            folder = self.home.job(row.job).attempt(row.attempt)
            handle = self.launcher.find(row.job, row.attempt, str(folder.root))
            # An attempt without a process is followed too, so that it ends by the same rules as any other.
            track = self.follow(row, handle or Handle(row.job, row.attempt, str(folder.root)))
            if handle is None:
                self.end(track, Status(State.GONE, None, has_started=False))
            else:
                log.info("%s attempt %d: found again", row.job, row.attempt)
        self.is_sure = self.may_start = True
        self.version = -1
        self.publisher.note()

    def follow(self, row: RunningRow, handle: Handle) -> Track:
        now = self.clock()
        # Monotonic clocks start anew with each boot: a time of another boot means nothing here.
        is_same_boot = row.boot_id == boot_id()
        track = Track(
            row,
            handle,
            read_demand(row.kind, row.details),
            StallDetector(now, self.patience.stuck),
            row.expires if is_same_boot else now + self.patience.lease,
        )
        self.tracks[row.job] = track
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
        requests = {row.job: row.request for row in self.queue.running()}
        for track in self.tracks.values():
            request = requests.get(track.row.job, "")
            # Another order may come while the first is carried out: cancel after pause.
            if request and track.stopping != request:
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
        statuses = self.launcher.poll([track.handle for track in self.tracks.values()])
        # A copy, because `end` removes from it.
        for track in list(self.tracks.values()):
            track.status = statuses[track.handle]
            if track.status.state == State.GONE:
                self.end(track, track.status)
        if self.tracks and self.clock() - self.looked >= self.patience.beat:
            self.looked = self.clock()
            self.check_stalls()

    def check_stalls(self) -> None:
        """Once a second: renew the leases of what is seen, stop what makes no progress, give up what cannot be seen."""
        now, seen = self.clock(), []
        for track in list(self.tracks.values()):
            folder = self.home.job(track.row.job).attempt(track.row.attempt)
            has_beaten = track.stall.beat(now, read_progress(folder))
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
        """Write down how an attempt ended: first in its folder, then in the queue."""
        row, verdict, ended_at = track.row, self.judge(track, status), time.time()
        began_at = self.find_start(row, ended_at)
        # In this order, since a queue that is made anew reads the folder: a kill in between forgets no budget.
        self.write_outcome(row, verdict, began_at, ended_at)
        state = self.queue.finish(row.job, row.attempt, verdict, ended_at, began_at)
        log.info("%s attempt %d: %s -> %s %s", row.job, row.attempt, verdict.outcome, state, verdict.reason)
        self.launcher.forget(track.handle)
        del self.tracks[row.job]
        self.may_start = True
        self.publisher.note()

    def judge(self, track: Track, status: Status) -> Verdict:
        row = track.row
        folder = self.home.job(row.job)
        attempt = folder.attempt(row.attempt)
        # Whichever attempt's result it is: the job is done.
        is_done = folder.result.exists()
        ending = Ending(
            exit=status.exit,
            is_committed=is_done,
            is_stuck=track.stopping == "stuck",
            has_started=status.has_started,
            made_progress=made_progress(folder, row.attempt),
            last_words=last_words(attempt),
            is_oom=status.is_oom,
            lack=find_lack(self.home, attempt, status.exit),
            broken=self.gpus.judge(row, None if is_done else find_gpu_fault(attempt, status.exit), is_done),
        )
        verdict = decide(ending, Spent(row.crashed, row.lost, row.ooms))
        if track.stopping not in ("cancel", "pause") or verdict.state == "done":
            return verdict
        # We asked for this end, so however it came it spends nothing. Whoever asked may have thought better of it.
        request = next((job.request for job in self.queue.job_rows([row.job])), "")
        if request == "cancel":
            return Verdict("cancelled", "cancelled", "cancelled", verdict.exit)
        return replace(verdict, state="queued", reason="paused" if request else "", wait=0.0, spent={})

    def find_start(self, row: RunningRow, ended_at: float) -> float:
        """Return when an attempt began; where the clock was set meanwhile, by the wall clock of its end.

        What jobs took decides what is said to be left. A process's age is told in hundredths of a second, and it
        begins a little after it is asked for: by that alone one attempt would seem to begin before another's end.
        """
        seconds = seconds_since_start(read_handle(self.home.job(row.job).attempt(row.attempt)))
        is_as_asked = seconds is None or abs(ended_at - seconds - row.started_at) < CLOCK_WAS_SET
        return row.started_at if seconds is None or is_as_asked else ended_at - seconds

    def write_outcome(self, row: RunningRow, verdict: Verdict, began_at: float, ended_at: float) -> None:
        folder = self.home.job(row.job).attempt(row.attempt)
        told = OutcomeFile(
            outcome=verdict.outcome,
            exit=verdict.exit,
            state=verdict.state,
            spent=dict(verdict.spent),
            started_at=began_at,
            ended_at=ended_at,
            reason=verdict.reason,
            slot=row.slot,
        )
        try:
            write_outcome(folder, told)
        except OSError as error:
            # The queue learns of it all the same; only a queue made anew would have to judge this attempt again.
            if not self.trouble:  # while the disk is full every turn comes by here
                log.warning("%s attempt %d: outcome not written: %s", row.job, row.attempt, error)

    # -- what may start -----------------------------------------------------------------------------------------

    def start_ready(self) -> None:
        """Launch until nothing more fits."""
        if trouble := home_trouble(self.home):
            raise OSError(f"{trouble}: nothing is started in {self.home.root} until there is room")
        self.may_start = False
        while self.start_one():
            pass
        self.launcher.want(self.list_wants())

    def see_slots(self) -> bool:
        """Take in slots that came and went; return whether the launcher wants to hear what waits."""
        if not self.launcher.has_news():
            return False
        before, self.slots = self.slots, self.launcher.capacity()
        self.gpus.slots = self.slots
        if self.slots != before:
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

    def start_one(self) -> bool:
        held = [Held(track.row.slot, track.demand) for track in self.tracks.values()]
        # All CPU slots taken, so nothing can fit: spares the query.
        if len(held) >= len(self.slots) and all(is_cpu(slot) for slot in self.slots):
            return False
        turns = map(self.ready_jobs, rank_experiments(self.queue.waiting()))
        found = choose_next(turns, self.slots, held, self.gpus.doubts, self.launcher.fits)
        if found is not None:
            self.launcher.check()
            self.launch(*found)
        return found is not None

    def ready_jobs(self, waiting: Waiting) -> list[tuple[Claim, Demand]]:
        claims = self.queue.ready_jobs(waiting.experiment, time.time())
        ready = [(claim, read_demand(claim.kind, claim.details)) for claim in claims]
        # Of a long queue only those that are next are told.
        waits = [(claim, tell_wait(demand, self.slots, self.gpus.doubts)) for claim, demand in ready]
        news = {claim.job: why for claim, why in waits if is_news(claim.reason, why)}
        if news:
            self.queue.tell_reasons(news)
        return ready

    def launch(self, claim: Claim, slot: str) -> None:
        folder = self.home.job(claim.job)
        if folder.result.exists():
            self.queue.mark_done([claim.job])
            return
        # A queue made anew may know fewer attempts than there are folders, and a number is never used twice.
        number = max(claim.attempts, newest_number(folder)) + 1
        # Leases count on the monotonic clock, because the wall clock jumps; `now` is for people to read.
        now, expires = time.time(), self.clock() + self.patience.lease
        # The lease before the process: a kill in between leaves a row that `recover` finds and gives up.
        if not self.queue.lease(claim.job, number, slot, boot_id=boot_id(), expires=expires, now=now):
            return
        row = next(row for row in self.queue.running() if row.job == claim.job)
        if not folder.spec.exists():
            self.refuse(row, "its folder is gone: submit the experiment again")
            return
        order = Order(self.home, claim.job, number, slot, claim.ooms)
        self.follow(row, self.launcher.submit(order))
        log.info("%s attempt %d: started on %s", claim.job, number, slot)

    def refuse(self, row: RunningRow, reason: str) -> None:
        log.warning("%s: %s", row.job, reason)
        self.queue.finish(row.job, row.attempt, Verdict("lost", "failed", reason), time.time())
