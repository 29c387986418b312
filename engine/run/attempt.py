"""One attempt from the inside: takes the order, gives the job's settings and the only ways it may write."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeVar

from engine.core.data.share import ALONE, Share
from engine.core.measure import host_peak_rss
from engine.core.train.checkpoint import LoadedCheckpoint, State, load_newest, pointed_steps
from engine.core.train.loop import Stopped
from engine.core.train.ranks.group import Ranks
from engine.core.train.writer import CheckpointWriter
from engine.errors import JobError
from engine.home.commits import vouch
from engine.home.files import write_atomic, write_json
from engine.home.paths import AttemptFolder, JobFolder
from engine.launch import Order
from engine.launch.preempt import preempt_signals
from engine.launch.ranks import Rank
from engine.spec.job_file import JobSpec, read_details, read_job
from engine.spec.job_settings import JobDetails, JobSettings
from store.journal import JournalWriter

# The scheduler looks as often (Patience.beat); more would only write more.
BEAT_SECONDS = 1.0
S = TypeVar("S", bound=JobSettings)


class Attempt:
    """The attempt that this process is: its settings, journal, heartbeat, stop flag and checkpoints.

    `rank`: which of several processes this is, None where there is one; `ranks`: the others, once they have met.
    """

    def __init__(self, order: Order, rank: Rank | None = None) -> None:
        self.order, self.home, self.rank = order, order.home, rank
        self.ranks: Ranks | None = None
        self.job: JobFolder = order.home.job(order.job)
        self.folder: AttemptFolder = self.place_folder(self.job.attempt(order.attempt))
        self.spec: JobSpec[JobSettings] = read_job(self.job, JobSettings)
        self.details: JobDetails = read_details(self.job)
        """How the job is done, never what comes out: where its inputs lie, what it may use."""
        self.folder.root.mkdir(parents=True, exist_ok=True)
        self.journal = JournalWriter(self.folder.journal)
        self.writer = CheckpointWriter(self.folder.checkpoints)
        self.started = time.monotonic()
        self.seconds_before = 0.0
        self.peak_before = 0
        self.extra: State = {}
        self.was_compiled: bool | None = None  # the steps before this attempt's, where there are any
        self.taken_over = 0.0  # seconds that other jobs spent on what this one began with
        # Of a job that longer ones may begin with: the figures up to now, and after which epoch its state is kept.
        self.logged: list[Any] | None = [] if self.details.rungs else None
        self.branch_epoch: int | None = None
        self._stop = False
        self._beaten, self._phase = float("-inf"), ""

    def place_folder(self, folder: AttemptFolder) -> AttemptFolder:
        """Return where this process writes; `folder` is the attempt's own."""
        return folder

    @property
    def share(self) -> Share:
        """Which images of each batch are this process's."""
        return ALONE if self.rank is None else Share(self.rank.number, self.rank.ranks)

    @property
    def kind(self) -> str:
        return self.spec.kind

    @property
    def needs(self) -> Mapping[str, str]:
        return self.spec.needs

    def settings(self, model: type[S]) -> S:
        """Return what decides the job, which a runner knows to be of `model`."""
        if not isinstance(self.spec.settings, model):
            raise TypeError(f"{self.order.job} has {type(self.spec.settings).__name__}, no {model.__name__}")
        return self.spec.settings

    # The hooks of the training loop -----------------------------------------------------------------------------
    def metric(self, name: str, value: float, step: int, epoch: int) -> None:
        self.journal.metric(name, value, step=step, epoch=epoch)
        if self.logged is not None:
            self.logged.append([name, value, step, epoch])
        # Counted from 1 for people, as progress is; the journal counts from 0.
        print(f"epoch {epoch + 1} step {step} {name} {value:.6g}", flush=True)

    def should_stop(self) -> bool:
        return self._stop

    def beat(self, phase: str, **figures: float | int | None) -> None:
        """Say where the job is, once a second and at each new phase. Not synced: it is worth nothing after a crash."""
        if time.monotonic() - self._beaten < BEAT_SECONDS and phase == self._phase:
            return
        self._beaten, self._phase = time.monotonic(), phase
        known = {"step": None, "steps": None, "epoch": None, "epochs": None, "rate": None, "loss": None}
        about = {"attempt": self.order.attempt, "pid": os.getpid(), "phase": phase, "at": time.time()}
        write_atomic(self.folder.heartbeat, json.dumps({**known, **figures, **about}), sync=False)

    def save(self, state: State, step: int) -> None:
        """Begin to write a checkpoint. The journal is synced first: a checkpoint never knows of lines that were lost.

        Raises what the checkpoint before failed of; `settle` what this one does.
        """
        mine: State = {"seq": self.journal.seq, "seconds": self.seconds(), "host_peak_rss": self.peak_rss()}
        if self.details.rungs:
            mine |= {"taken_over": self.taken_over, "logged": None if self.logged is None else list(self.logged)}
        branch = self.folder.branch if self._is_branch(state) else None
        self.writer.save({**state, **self.extra, "attempt": mine}, step, self.journal.sync, branch)

    def _is_branch(self, state: State) -> bool:
        """Whether longer trainings begin with this state: between two epochs, with all figures up to there."""
        if self.branch_epoch is None or self.logged is None:
            return False
        return (state["progress"]["epoch"], state["progress"]["batch"]) == (self.branch_epoch, 0)

    def settle(self, error: BaseException | None) -> None:
        """Wait for the last checkpoint, at the end of the job, which `error` brought about if there is one.

        Raises what the writer failed of where the job counts on it: when all else is well, or it was asked to stop.
        """
        try:
            self.writer.settle()
        except Exception as fault:
            if error is None or isinstance(error, Stopped):
                raise
            print(f"the last checkpoint was not written: {fault}", flush=True)

    # What the runners use ---------------------------------------------------------------------------------------
    def resume(self) -> LoadedCheckpoint | None:
        """Return the newest good checkpoint of earlier attempts and journal that this one goes on from there."""
        # Only earlier ones: a later attempt may be at work on the same job.
        earlier = [attempt for attempt in self.job.attempts() if attempt.number < self.order.attempt]
        found = load_newest(attempt.checkpoints for attempt in reversed(earlier))
        if found is None:
            return None
        mine = found.state["attempt"]
        number = int(found.folder.parent.name)
        self.seconds_before, self.peak_before = mine["seconds"], mine["host_peak_rss"]
        self.was_compiled = found.state.get("compiled")
        self.taken_over = mine.get("taken_over", 0.0)
        # Where the steps before were done without rungs, their figures are not known, and no state is kept.
        self.logged = mine.get("logged") if self.details.rungs else None
        self.journal.resumed(number, found.step, mine["seq"])
        print(f"goes on from attempt {number} at step {found.step}", flush=True)
        return found

    def begin_with(self, logged: list[Any], seconds: float, was_compiled: bool | None) -> None:
        """Take up what another job did: its figures are logged as this job's, its seconds told apart."""
        for name, value, step, epoch in logged:
            self.journal.metric(name, value, step=step, epoch=epoch)
        self.logged, self.taken_over, self.was_compiled = list(logged), seconds, was_compiled

    def keep_branch(self, epoch: int | None) -> None:
        """Keep the state after `epoch` epochs where longer trainings find it."""
        self.branch_epoch = epoch

    def last_good(self) -> str:
        """Say which state is the last good one, for a training whose numbers are no longer finite."""
        steps = [step for attempt in reversed(self.job.attempts()) for step in pointed_steps(attempt.checkpoints)]
        return f"the last good state is the checkpoint of step {steps[0]}" if steps else "it had no checkpoint yet"

    def watch(self, phase: str, done: int, total: int) -> None:
        """Beat, and leave when asked to: for work that a later attempt simply does again."""
        self.beat(phase, step=done, steps=total)
        if self._stop:
            raise Stopped

    def watcher(self, phase: str) -> Callable[[int, int], None]:
        return lambda done, total: self.watch(phase, done, total)

    def seconds(self) -> float:
        """Return the time spent on this job, that of the attempts it goes on from included."""
        return self.seconds_before + time.monotonic() - self.started

    def peak_rss(self) -> int:
        """Return the most memory that any attempt held, in bytes; what a fork server has loaded is counted with it."""
        return max(self.peak_before, host_peak_rss())

    def need(self, role: str) -> JobFolder:
        """Return the job that fills `role`. Raises JobError when it is not done."""
        if role not in self.needs:
            raise JobError(f"the settings name no {role}", where=self.order.job, fix="submit the experiment again")
        job = self.home.job(self.needs[role])
        if not job.result.exists():
            fix = absent_fix(job)
            raise JobError(f"needs {job.job} ({role}), which is not done", where=self.order.job, fix=fix)
        return job

    def write_result(self, steps: int, figures: Mapping[str, float], digests: Mapping[str, str] | None = None) -> None:
        """Write result.json and offer it as the job's; the first attempt to do so wins.

        `digests` of a trained network: weights_sha256 of its file, tensors_sha256 of what is in it without the header.
        """
        result: dict[str, Any] = {
            "job": self.order.job,
            "attempt": self.order.attempt,
            "kind": self.kind,
            "steps": steps,
        }
        result |= {"seconds": round(self.seconds(), 3), "figures": dict(figures), **(digests or {})}
        # The journal first: once the result is linked, nobody asks for missing lines.
        self.journal.sync()
        write_json(self.folder.result, vouch(self.job, self.folder, result))
        if not self.job.commit(self.folder):
            print("another attempt was first; its result counts", flush=True)

    def listen(self) -> None:
        """From now on SIGTERM, SIGINT and what announces a machine's end set a flag, looked at between steps."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, *preempt_signals()):
                signal.signal(number, self._note_signal)

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop = True


def absent_fix(job: JobFolder) -> str:
    """Say how to have a job that another one needs and that is not done in this home."""
    here = f"run it here: python -m engine.run {job.root}"
    other = here if job.spec.exists() else f"copy jobs/{job.job} from a home that has it"
    return f"submit the experiment again: what is missing is done anew; or {other}"
