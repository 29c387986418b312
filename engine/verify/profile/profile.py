"""A profile: takes a subject and a home, trains for some steps in a scratch home, gives what was timed.

Of the home only its cache is used, where images are packed if they are not yet. Jobs that are done are lent to the
scratch home as they are; the answers of those that are not are made up.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import JobError, XpError
from engine.home.files import read_json, read_object, write_json
from engine.home.paths import AttemptFolder, Home
from engine.inputs.gpus import list_gpus
from engine.launch import CPU_SLOT, Order
from engine.launch.environment import download_environment
from engine.launch.fork_link import module_words, server_env
from engine.schedule.slot_marks import SlotMarks
from engine.verify.profile.subject import Subject
from engine.verify.profile.timings import Timings
from engine.verify.resume import scratch_home

SECONDS = 20.0
"""How long steps are timed for, where nobody says how many."""
GRACE = 10.0
LOOK, TELL_SECONDS = 0.5, 10.0
LAST_LINES = 3


@dataclass(frozen=True)
class Wanted:
    """How much is to be timed: `steps` timed ones and as many plain ones, None for as many as go into `seconds`."""

    steps: int | None = None
    seconds: float = SECONDS


def profile_training(subject: Subject, home: Home, wanted: Wanted, tell: Callable[[str], None]) -> Timings:
    """Return the times of some steps of the subject's training.

    Raises XpError where it asks for a GPU that is not here, or what keeps its job from running.
    """
    slot = choose_slot(subject, home)
    for line in (*subject.notes, *_tell_absent(subject, home)):
        tell(line)
    if not home.pack(subject.needs["pack"]).exists():
        tell("the images are packed first, into the cache, as any job of theirs would do")
    with scratch_home(home) as scratch:
        order = _lend(subject, home, Home(scratch.root, home.cache), slot)
        write_json(order.folder.root.with_name("wanted.json"), {"steps": wanted.steps, "seconds": wanted.seconds})
        return _time_in_child(order, tell)


def choose_slot(subject: Subject, home: Home) -> str:
    """Return the GPU that the training would have, or a CPU slot. Raises XpError where it waits for one in vain."""
    details = subject.details
    if details.device == "cpu" or not details.resources.gpus:
        return CPU_SLOT
    gpus = list_gpus()
    if not gpus and details.device == "gpu":
        fix = "profile it where there is one, or on this machine's CPU: xp profile --cpu"
        raise XpError("it asks for a GPU (resources.gpus), and there is none here", where=subject.title, fix=fix)
    shut = {mark.slot for mark in SlotMarks(home).list_shut()}
    free = [gpu for gpu in gpus if gpu not in shut]
    if gpus and not free:
        fix = f"xp retry {gpus[0]} opens it again, --cpu does without"
        raise XpError("every GPU here is shut out: xp status says why", where=subject.title, fix=fix)
    return free[0] if free else CPU_SLOT


def _tell_absent(subject: Subject, home: Home) -> Iterator[str]:
    """Say whose answers are made up, because the job that gives them is not done."""
    for role in ("targets", "reference"):
        job = subject.needs.get(role)
        if job is not None and not home.job(job).result.exists():
            yield f"the teacher's answers are made up, as {job} ({role}) has not made them: they cost a step as much"
            return


def _lend(subject: Subject, home: Home, scratch: Home, slot: str) -> Order:
    """Write the job into the scratch home, with what it needs; return the order of its one attempt."""
    _share_compiled(home, scratch)
    for job, written in subject.jobs.items():
        if job == subject.needs["pack"]:
            continue  # the cache has it, or it is packed as in a home that has the cache alone
        if job != subject.job and home.job(job).result.exists():
            scratch.job(job).root.symlink_to(home.job(job).root, target_is_directory=True)
            continue
        scratch.job(job).root.mkdir(parents=True)
        write_json(scratch.job(job).spec, written.canonical)
        write_json(scratch.job(job).details, written.details.model_dump(mode="json"))
    order = Order(scratch, subject.job, 1, slot)
    order.folder.root.parent.mkdir(parents=True)
    if subject.is_pruned:
        write_json(order.folder.root.with_name("widths.json"), _find_widths(home, subject.job))
    return order


def _share_compiled(home: Home, scratch: Home) -> None:
    """Let the child read what was compiled for jobs of its shape."""
    home.compiled.mkdir(parents=True, exist_ok=True)
    scratch.compiled.parent.mkdir(parents=True, exist_ok=True)
    scratch.compiled.symlink_to(home.compiled, target_is_directory=True)


def _find_widths(home: Home, job: str) -> object:
    """Return the shape of a pruned network. Raises XpError while nobody has pruned it."""
    winner = home.job(job).winner()
    if winner is None:
        fix = "profile it when it is done, or the training before it: xp profile RUN"
        raise XpError(f"{job} is not done, so that the pruned shape is not known", where=job, fix=fix)
    return read_json(winner.artifacts / "network.json")["widths"]


# The child ------------------------------------------------------------------------------------------------------------


def _time_in_child(order: Order, tell: Callable[[str], None]) -> Timings:
    """Return what the child timed; say now and then how far its preparations are, which may take minutes."""
    said = time.monotonic()
    with _child(order) as process:
        while not _has_ended(process):
            beat = read_object(order.folder.heartbeat) or {}
            if time.monotonic() - said > TELL_SECONDS and beat.get("phase") != "profile":
                said = time.monotonic()
                tell(_tell_beat(beat))
    timings = read_object(order.folder.root / "timings.json")
    if timings is not None:
        return Timings.model_validate(timings)
    raise _fault_of(order.folder, process.returncode)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(LOOK)
    return process.returncode is not None


def _tell_beat(beat: Mapping[str, Any]) -> str:
    done, whole = beat.get("step"), beat.get("steps")
    return f"{beat.get('phase') or 'starting'}" + (f": {done} of {whole}" if done and whole else "")


@contextmanager
def _child(order: Order) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child as a job of the home is; whatever happens to us, it ends."""
    more = download_environment(order.home.job(order.job).spec)
    with open(_early_log(order.folder), "wb") as log:
        process = subprocess.Popen(
            module_words("engine.verify.profile.child", str(order.folder.root)),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**server_env(), **more, **order.environment}, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _fault_of(folder: AttemptFolder, status: int) -> XpError:
    """Return what kept the child from its end: what it says itself, else the last lines of its log."""
    fault = read_object(folder.root / "fault.json")
    if fault is not None:
        return JobError(fault["what"], where=fault["where"], fix=fault["fix"])
    logs = [file.read_text(errors="replace") for file in (_early_log(folder), folder.log) if file.exists()]
    lines = [line for line in "\n".join(logs).splitlines() if line.strip()]
    said = "; ".join(lines[-LAST_LINES:]) or f"it ended with status {status}"
    return JobError(f"the training did not come to its steps: {said}", fix="xp doctor says what is wrong here")


def _early_log(folder: AttemptFolder) -> Path:
    """What the child says before it has its attempt's log."""
    return folder.root.with_name("child.txt")
