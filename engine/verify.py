"""Resume, tried out: takes a spec and a home, runs its short form straight and killed, gives a certificate.

The short form is every arm at the first point of the matrix with the first seed, two epochs of everything. It runs
twice, each in a scratch home with a scheduler of its own: once undisturbed, once with SIGKILL at random steps of each
training. Its jobs have the same ids in both, so their weights must have the same sha256.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from engine.arms import Cell, Tree, expand_cells, merge_trees
from engine.certificate import Certificate, Verified, keep_certificate, training_digest
from engine.errors import XpError
from engine.home import AttemptFolder, Home, JobFolder, read_json
from engine.identity import counted_settings
from engine.launch.local import server_env
from engine.launch.process import host_name, kill_session, read_handle, signal_process
from engine.plan import Plan, make_plan
from engine.spec import Spec, Train
from engine.submit import submit_plan
from engine.worker.watch import newest_number, saved_step
from store.queue import Queue

Tell = Callable[[str], None]
EPOCHS, KILLS = 2, 3
LOOK = 0.005  # seconds between looks for a checkpoint
TRAINED = ("train", "prune")


def verify_resume(
    spec: Spec, home: Home, tell: Tell, *, kills: int = KILLS, epochs: int = EPOCHS, preload: str = "engine.run"
) -> Certificate:
    """Run the short form of `spec` straight and killed; store and return the certificate.

    Raises DataError when images or weights are missing, XpError when the short form cannot be run to its end.
    """
    cells = first_cells(spec)
    with _scratch_home(home) as straight, _scratch_home(home) as killed:
        tell(f"straight: {len(cells)} arms, {epochs} epochs")
        jobs = _submit(spec, cells, home, straight, Train().save_minutes, epochs)
        _work_straight(straight, jobs, preload)
        results = {job: read_json(straight.job(job).result) for job in jobs}
        often = min(result["seconds"] for result in results.values()) / (20 * kills) / 60
        tell(f"killed: {kills} times in each of {len(jobs)} trainings")
        _submit(spec, cells, home, killed, often, epochs)
        struck = _work_killed(killed, {job: int(results[job]["steps"]) for job in jobs}, kills, preload, tell)
        verified = [_compare(job, struck[job], straight, killed) for job in jobs]
        certificate = _certify(spec, cells, verified, straight.job(jobs[0]))
    keep_certificate(home, certificate)
    return certificate


# The short form -------------------------------------------------------------------------------------------------------


def first_cells(spec: Spec) -> list[Cell]:
    """Return each arm at the first point of the matrix."""
    cells: dict[str, Cell] = {}
    for cell in expand_cells(spec):
        cells.setdefault(cell.arm, cell)
    return list(cells.values())


def short_form(cell: Cell, seed: int, name: str, save_minutes: float, epochs: int) -> Spec:
    """Return the experiment of one cell and seed with everything short: few epochs, one image explained."""
    settings, saved = cell.settings, {"save_minutes": save_minutes}

    def brief(train: Train) -> Tree:
        return {"epochs": min(train.epochs, epochs), "warmup_epochs": 0, **saved}

    over: Tree = {"train": brief(settings.train), "explain": {"images": 1}}
    over["measure"] = {"batch_sizes": [1], "threads": [1], "seconds": 0.01}
    over["data"] = {"views": min(settings.data.views or epochs, epochs)}
    if settings.is_pruned and settings.prune is not None:
        over["prune"] = {"recover_epochs": min(settings.prune.recover_epochs, epochs)}
    if settings.teacher is not None and settings.teacher.train is not None:
        over["teacher"] = {"train": brief(settings.teacher.train)}
    tree = merge_trees(settings.model_dump(exclude_unset=True, by_alias=True), over)
    return Spec.model_validate({**tree, "name": name, "seeds": [seed]})


def _submit(
    spec: Spec, cells: Sequence[Cell], home: Home, scratch: Home, save_minutes: float, epochs: int
) -> list[str]:
    """Queue the short form in `scratch`; return the ids of its trainings, each after what it needs."""
    jobs: dict[str, None] = {}
    for number, cell in enumerate(cells):
        short = short_form(cell, spec.seeds[0], f"verify-{number}", save_minutes, epochs)
        plan: Plan = make_plan(short, home)
        submit_plan(plan, scratch)
        jobs |= dict.fromkeys(job.key for job in plan.jobs if job.kind in TRAINED)
    return list(jobs)


@contextmanager
def _scratch_home(home: Home) -> Iterator[Home]:
    """Yield a home inside `home` that shares its packed images; afterwards nothing of it is left, no process either."""
    root = home.root / "verify" / uuid.uuid4().hex[:8]
    scratch = Home(root, root / "cache")
    for folder in (scratch.experiments_root, scratch.jobs_root, scratch.cache, home.pack("")):
        folder.mkdir(parents=True, exist_ok=True)
    scratch.pack("").symlink_to(home.pack(""), target_is_directory=True)
    try:
        yield scratch
    finally:
        for attempt in [attempt for job in scratch.jobs() for attempt in job.attempts()]:
            _kill_attempt(attempt)
        shutil.rmtree(root, ignore_errors=True)


def _kill_attempt(attempt: AttemptFolder) -> None:
    handle = read_handle(attempt.handle)
    if handle is not None and "exit" not in handle and not attempt.outcome.exists():
        kill_session(int(handle["pid"]), int(handle["start_time"]))


# The two ways through it ----------------------------------------------------------------------------------------------


@contextmanager
def _scheduler(scratch: Home, preload: str) -> Iterator[subprocess.Popen[bytes]]:
    words = ["--home", str(scratch.root), "--until-idle", "--no-collect", "--preload", preload]
    environment = {**server_env(), "XP_CACHE": str(scratch.cache)}
    with open(scratch.scheduler_log, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine.worker", *words],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _work_straight(scratch: Home, jobs: Sequence[str], preload: str) -> None:
    with _scheduler(scratch, preload) as scheduler:
        scheduler.wait()
    for job in jobs:
        if not scratch.job(job).result.exists():
            reason = _reason_of(scratch, job)
            fix = "mend what it says; where two epochs are too few to learn anything, ask for more with --epochs"
            raise XpError(f"the short form did not end: {reason}", where=job, fix=fix)


def _reason_of(scratch: Home, job: str) -> str:
    """Return why `job` did not end: its own failure, else that of a job before it."""
    with Queue.open_readonly(scratch.queue_db) as queue:
        rows = queue.job_rows([folder.job for folder in scratch.jobs()])
    failed = [row for row in rows if row.state == "failed"]
    first = next((row for row in failed if row.job == job), failed[0] if failed else None)
    return "its scheduler ended" if first is None else f"{first.job}: {first.reason}"


@dataclass
class Victim:
    """A training that is killed once after each of `marks`, steps in rising order."""

    job: JobFolder
    steps: int
    marks: list[int]
    kills: int = 0
    last: int = 0  # the attempt that was killed last

    def strike(self, delay: float) -> str | None:
        """Kill the newest attempt when it has a checkpoint past the next mark; say so.

        The checkpoint must leave steps to do: what goes on from the last step proves nothing.
        """
        attempt = self.job.attempt(newest_number(self.job))
        step = saved_step(attempt)
        if not self.marks or attempt.number <= self.last or not self.marks[0] <= step < self.steps:
            return None
        time.sleep(delay)
        if not _kill_process(attempt) or saved_step(attempt) >= self.steps:
            return None
        self.marks, self.kills, self.last = self.marks[1:], self.kills + 1, attempt.number
        return f"  {self.job.job}: SIGKILL after step {step}, attempt {attempt.number}"


def _work_killed(scratch: Home, steps: dict[str, int], kills: int, preload: str, tell: Tell) -> dict[str, int]:
    """Work through the killed home; return how often each job was killed."""
    chance = random.Random()
    victims = [
        Victim(scratch.job(job), count, sorted(chance.randrange(1, max(2, 3 * count // 4)) for _ in range(kills)))
        for job, count in steps.items()
    ]
    with _scheduler(scratch, preload) as scheduler:
        while scheduler.poll() is None:
            for told in (victim.strike(chance.uniform(0.0, 0.05)) for victim in victims):
                if told:
                    tell(told)
            time.sleep(LOOK)
    return {victim.job.job: victim.kills for victim in victims}


def _kill_process(attempt: AttemptFolder) -> bool:
    """Kill the process of an attempt; False when it has ended."""
    handle = read_handle(attempt.handle)
    if handle is None or "exit" in handle:
        return False
    return signal_process(int(handle["pid"]), int(handle["start_time"]), signal.SIGKILL)


def _compare(job: str, kills: int, straight: Home, killed: Home) -> Verified:
    return Verified(job, kills, _weights_of(straight.job(job)), _weights_of(killed.job(job)))


def _weights_of(job: JobFolder) -> str:
    return str(read_json(job.result)["weights_sha256"]) if job.result.exists() else ""


def _certify(spec: Spec, cells: Sequence[Cell], verified: Sequence[Verified], job: JobFolder) -> Certificate:
    winner = job.winner()
    origin = read_json(winner.provenance) if winner is not None else {}
    return Certificate(
        experiment=spec.name,
        networks={cell.arm: training_digest(counted_settings(cell.settings)) for cell in cells},
        jobs=tuple(verified),
        host=host_name(),
        device=origin.get("device", "cpu"),
        cpu_model=origin.get("cpu_model", ""),
        torch=origin.get("torch", ""),
        at=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    )
