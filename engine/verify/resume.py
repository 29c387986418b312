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
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import XpError
from engine.home.control_files import read_handle
from engine.home.files import read_json, read_object
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.inputs.own_code.keeping import lend_copies
from engine.launch.fork_link import module_words, server_env
from engine.launch.process import boot_id, host_name, kill_session, signal_process
from engine.plan import Job, Plan, make_plan
from engine.schedule.submit import submit_plan
from engine.schedule.worker.attempts import newest_number, saved_step
from engine.spec import EntropyMatch, Spec, Teacher, Train
from engine.spec.cells import Cell, Tree, expand_cells, merge_trees
from engine.spec.identity import counted_settings
from engine.spec.job_kinds import KINDS
from engine.spec.job_settings import PruneSettings, TrainSettings
from engine.verify.certificate import Certificate, Verified, keep_certificate, training_digest
from store.queue import Queue

Tell = Callable[[str], None]
EPOCHS, KILLS = 2, 3
LOOK = 0.005  # seconds between looks for a checkpoint
OWNER = "owner.lock"  # held as long as whoever made a scratch home lives


def verify_resume(
    spec: Spec, home: Home, tell: Tell, *, kills: int = KILLS, epochs: int = EPOCHS, preload: str = "engine.run"
) -> Certificate:
    """Run the short form of `spec` straight and killed; store and return the certificate.

    Raises DataError when images or weights are missing, XpError when the short form cannot be run to its end.
    """
    cells = first_cells(spec)
    with scratch_home(home) as straight, scratch_home(home) as killed:
        tell(f"straight: {len(cells)} arms, {epochs} epochs")
        jobs = _submit(spec, cells, home, straight, Train().save_minutes, epochs)
        _work_straight(straight, jobs, preload)
        results = {job: read_json(straight.job(job).result) for job in jobs}
        # Twenty checkpoints to a kill, in the shortest of the trainings.
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
    over["measure"] = {"batch_sizes": [1], "threads": [1], "seconds": 0.01, "rounds": 2}
    over["data"] = {"views": min(settings.data.views or epochs, epochs)}
    if settings.is_pruned and settings.prune is not None:
        over["prune"] = {"recover_epochs": min(settings.prune.recover_epochs, epochs)}
    if settings.teacher is not None:
        over["teacher"] = _brief_teacher(settings.teacher, brief)
    if isinstance(settings.distill.temperature, EntropyMatch):
        over["distill"] = {"temperature": {"reference": _brief_teacher(settings.distill.temperature.reference, brief)}}
    tree = merge_trees(settings.model_dump(exclude_unset=True, by_alias=True), over)
    return Spec.model_validate({**tree, "name": name, "seeds": [seed]})


def _brief_teacher(teacher: Teacher, brief: Callable[[Train], Tree]) -> Tree:
    """Return what shortens the training of a teacher and of the assistants after it."""
    over: Tree = {} if teacher.train is None else {"train": brief(teacher.train)}
    helpers = [(helper.model_dump(exclude_unset=True, by_alias=True), helper.train) for helper in teacher.assistants]
    if helpers:
        shorter = [merge_trees(tree, {"train": brief(train)}) if train else tree for tree, train in helpers]
        over["assistants"] = shorter
    return over


def _submit(
    spec: Spec, cells: Sequence[Cell], home: Home, scratch: Home, save_minutes: float, epochs: int
) -> list[str]:
    """Queue the short form in `scratch`; return the ids of its trainings, each after what it needs."""
    jobs: dict[str, None] = {}
    for number, cell in enumerate(cells):
        short = short_form(cell, spec.seeds[0], f"verify-{number}", save_minutes, epochs)
        plan: Plan = make_plan(short, home)
        taken = _lend_trained(plan, home, scratch, epochs)
        lend_copies(home, scratch)
        submit_plan(plan, scratch)
        jobs |= dict.fromkeys(job.key for job in plan.jobs if KINDS[job.kind].trains and job.key not in taken)
    return list(jobs)


def _lend_trained(plan: Plan, home: Home, scratch: Home, epochs: int) -> set[str]:
    """Give `scratch` the networks of other runs (`teacher.run`), which are as they are and no part of the short form.

    Such a training is longer than ours are. Raises XpError when it is not done in `home`.
    """
    jobs = {job.key: job for job in plan.jobs}
    long = [job for job in plan.jobs if KINDS[job.kind].trains and _epochs_of(job) > epochs]
    absent = [job.key for job in long if not home.job(job.key).result.exists() and not _is_lent(jobs, job, long, home)]
    if absent:
        fix = "let the experiment that teacher.run names end first"
        raise XpError(f"{absent[0]}, the network of another run, is not trained here yet", where="teacher.run", fix=fix)
    for job in long:
        place = scratch.job(job.key).root
        if home.job(job.key).result.exists() and not place.exists():
            place.symlink_to(home.job(job.key).root, target_is_directory=True)
    return {job.key for job in long}


def _is_lent(jobs: Mapping[str, Job], job: Job, long: Sequence[Job], home: Home) -> bool:
    """Return whether `job` was only needed to make another of `long` that is done."""
    return any(job.key in _needs_of(jobs, other) for other in long if home.job(other.key).result.exists())


def _needs_of(jobs: Mapping[str, Job], job: Job) -> set[str]:
    """Return the keys of all jobs before `job`."""
    return {key for need in job.needs.values() for key in (need, *_needs_of(jobs, jobs[need]))}


def _epochs_of(job: Job) -> int:
    settings = job.settings
    if isinstance(settings, PruneSettings):
        return settings.prune.recover_epochs
    return settings.train.epochs if isinstance(settings, TrainSettings) else 0


@contextmanager
def scratch_home(home: Home) -> Iterator[Home]:
    """Yield a home inside `home` that shares its packed images and what was timed; afterwards nothing of it is left.

    Whoever makes one holds its lock; those that nobody holds, because their maker was killed, are cleared first.
    """
    home.verify_root.mkdir(parents=True, exist_ok=True)
    # Under a lock: nobody may clear a home that its maker has not locked yet.
    with FileLock(home.verify_root.with_suffix(".lock")):
        for left in home.verify_root.iterdir():
            _clear_unowned(left)
        root = home.verify_root / uuid.uuid4().hex[:8]
        scratch = Home(root, root / "cache")
        for folder in (scratch.experiments_root, scratch.jobs_root, scratch.cache, home.pack("")):
            folder.mkdir(parents=True, exist_ok=True)
        owner = FileLock(root / OWNER)
        owner.acquire()
    # What was timed here decides widths: both ways have the same.
    timed, own_timed = (one.latencies("any").parent for one in (home, scratch))
    timed.mkdir(parents=True, exist_ok=True)
    for shared, own in ((home.pack(""), scratch.pack("")), (timed, own_timed)):
        own.symlink_to(shared, target_is_directory=True)
    try:
        yield scratch
    finally:
        _clear_scratch(scratch)
        owner.release()


def _clear_unowned(root: Path) -> None:
    """Clear a scratch home unless a process that lives holds it, or its scheduler is on another machine."""
    if not root.is_dir():
        return
    with suppress(Timeout), FileLock(root / OWNER, timeout=0):
        scratch = Home(root, root / "cache")
        scheduler = read_object(scratch.scheduler_file) or {}
        if scheduler.get("host", host_name()) == host_name():
            # Of an earlier boot no process is left.
            if scheduler.get("boot_id") == boot_id():
                kill_session(int(scheduler["pid"]), int(scheduler["start_time"]), scratch.scheduler_log)
            _clear_scratch(scratch)


def _clear_scratch(scratch: Home) -> None:
    for job in scratch.jobs():
        for attempt in [] if job.root.is_symlink() else job.attempts():
            _kill_attempt(attempt)
    shutil.rmtree(scratch.root, ignore_errors=True)


def _kill_attempt(attempt: AttemptFolder) -> None:
    handle = read_handle(attempt)
    is_here = handle is not None and (handle.host, handle.boot_id) == (host_name(), boot_id())
    if handle is not None and is_here and handle.exit is None and not attempt.outcome.exists():
        kill_session(handle.pid, handle.start_time, attempt.log)


# The two ways through it ----------------------------------------------------------------------------------------------


@contextmanager
def _scheduler(scratch: Home, preload: str) -> Iterator[subprocess.Popen[bytes]]:
    # Nobody asks a scratch home for results.
    words = ["--home", str(scratch.root), "--until-idle", "--no-collect", "--preload", preload]
    environment = {**server_env(), "XP_CACHE": str(scratch.cache)}
    with open(scratch.scheduler_log, "ab") as log:
        process = subprocess.Popen(
            module_words("engine.schedule.worker", *words),
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
        # One that ended while we slept was not killed.
        if not _kill_process(attempt) or saved_step(attempt) >= self.steps:
            return None
        self.marks, self.kills, self.last = self.marks[1:], self.kills + 1, attempt.number
        return f"  {self.job.job}: SIGKILL after step {step}, attempt {attempt.number}"


def _work_killed(scratch: Home, steps: dict[str, int], kills: int, preload: str, tell: Tell) -> dict[str, int]:
    """Work through the killed home; return how often each job was killed."""
    # Not seeded: each time other places are tried.
    chance = random.Random()
    victims = [
        # In the first three quarters, so that a kill leaves something to do.
        Victim(scratch.job(job), count, sorted(chance.randrange(1, max(2, 3 * count // 4)) for _ in range(kills)))
        for job, count in steps.items()
    ]
    with _scheduler(scratch, preload) as scheduler:
        while scheduler.poll() is None:
            # A moment later, so that chance decides where in a step it falls.
            for told in (victim.strike(chance.uniform(0.0, 0.05)) for victim in victims):
                if told:
                    tell(told)
            time.sleep(LOOK)
    return {victim.job.job: victim.kills for victim in victims}


def _kill_process(attempt: AttemptFolder) -> bool:
    """Kill the process of an attempt; False when it has ended."""
    handle = read_handle(attempt)
    if handle is None or handle.exit is not None:
        return False
    return signal_process(handle.pid, handle.start_time, signal.SIGKILL)


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
