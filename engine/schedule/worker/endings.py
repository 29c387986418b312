"""class Endings: takes an attempt whose process has ended, gives what follows, and writes that into its folder."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from engine.home.control_files import OutcomeFile, read_handle, write_outcome
from engine.home.paths import Home
from engine.launch import Status
from engine.launch.process import seconds_since_start
from engine.schedule.policy import Ending, Spent, decide
from engine.schedule.worker.attempts import find_gpu_fault, find_lack, last_words, made_progress
from engine.schedule.worker.gpu_watch import GpuWatch
from engine.schedule.worker.tracks import Track
from store.queue import End, Queue, Verdict

log = logging.getLogger("xp.scheduler")
CLOCK_WAS_SET = 5.0  # seconds by which the two times of a start differ then


class Endings:
    """What the folders, the queue and the marks of GPUs say of an end."""

    def __init__(self, home: Home, queue: Queue, gpus: GpuWatch) -> None:
        self.home, self.queue, self.gpus = home, queue, gpus

    def judge(self, track: Track, status: Status) -> End:
        """Return how an attempt ended and what follows. Raises OSError when the disk takes no mark against a GPU."""
        verdict, ended_at = self.decide(track, status), time.time()
        return End(track.row.job, track.row.attempt, verdict, ended_at, self.find_start(track, ended_at))

    def decide(self, track: Track, status: Status) -> Verdict:
        row, folder, attempt = track.row, track.job, track.folder
        # Whichever attempt's result it is: the job is done.
        if folder.result.exists():
            self.gpus.judge(row, None, is_done=True)
            return decide(Ending(status.exit, is_committed=True), Spent())
        ending = Ending(
            exit=status.exit,
            is_stuck=track.stopping == "stuck",
            has_started=status.has_started,
            made_progress=made_progress(folder, row.attempt),
            last_words=last_words(attempt),
            is_oom=status.is_oom,
            lack=find_lack(self.home, attempt, status.exit),
            broken=self.gpus.judge(row, find_gpu_fault(attempt, status.exit), is_done=False),
        )
        verdict = decide(ending, Spent(row.crashed, row.lost, row.ooms))
        if track.stopping not in ("cancel", "pause"):
            return verdict
        # We asked for this end, so however it came it spends nothing. Whoever asked may have thought better of it.
        request = next((job.request for job in self.queue.job_rows([row.job])), "")
        if request == "cancel":
            return Verdict("cancelled", "cancelled", "cancelled", verdict.exit)
        return replace(verdict, state="queued", reason="paused" if request else "", wait=0.0, spent={})

    def find_start(self, track: Track, ended_at: float) -> float:
        """Return when an attempt began; where the clock was set meanwhile, by the wall clock of its end.

        What jobs took decides what is said to be left. A process's age is told in hundredths of a second, and it
        begins a little after it is asked for: by that alone one attempt would seem to begin before another's end.
        """
        seconds, leased_at = seconds_since_start(read_handle(track.folder)), track.row.started_at
        is_as_asked = seconds is None or abs(ended_at - seconds - leased_at) < CLOCK_WAS_SET
        return leased_at if seconds is None or is_as_asked else ended_at - seconds

    def write_outcome(self, track: Track, end: End, *, is_told: bool = False) -> None:
        """Write the verdict into the attempt's folder; `is_told`: that it cannot be written was said before."""
        verdict = end.verdict
        told = OutcomeFile(
            outcome=verdict.outcome,
            exit=verdict.exit,
            state=verdict.state,
            spent=dict(verdict.spent),
            started_at=end.started_at,
            ended_at=end.now,
            reason=verdict.reason,
            slot=track.row.slot,
        )
        try:
            write_outcome(track.folder, told)
        except OSError as error:
            # The queue learns of it all the same; only a queue made anew would have to judge this attempt again.
            if not is_told:
                log.warning("%s attempt %d: outcome not written: %s", end.job, end.attempt, error)
