"""Inside a job's process: takes an attempt's order, does the job, commits its result, gives the exit status.

    attempt     the order, the journal, the heartbeat, checkpoints, the stop flag, the commit
    device      threads, seeds, the device
    memory      how many images a step takes at once, after running out of memory
    provenance  where a result comes from
    code        which code that was
    reach       the files of ours that this process can run
    inputs      what a job works with: images, split, networks
    training    train and prune
    targets     a teacher's answers and what it is like
    teaching    a taught student's side of it
    heads       fitting a head to a teacher's features
    jobs        pack, measure, explain

Importing this loads torch and the rooms of core and starts nothing: a fork server does it once for many jobs.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from engine.core.train.loop import Diverged, Stopped
from engine.errors import DataError, JobError, XpError
from engine.run.attempt import Attempt, Order
from engine.run.code import read_code
from engine.run.device import is_memory_error
from engine.run.jobs import run_explain, run_measure, run_pack
from engine.run.memory import LESS, OutOfMemory
from engine.run.targets import run_targets
from engine.run.training import run_prune, run_train

DONE, CRASHED, STOPPED, OUT_OF_MEMORY, NOT_FINITE, FAILED, NO_MEMORY = 0, 1, 85, 86, 87, 88, 89


def main(order: Mapping[str, Any]) -> int:
    """Do one attempt of one job and return what its process exits with.

    0 committed (or another attempt was first), 85 asked to stop and checkpointed, 86 out of memory, 87 not finite,
    88 failed for good, 89 out of memory for good, 1 anything else, with its traceback in the log.
    """
    try:
        _run_job(Order.parse(order))
    except BaseException as error:
        return _exit_status(error, str(order.get("job", "")), int(order.get("ooms") or 0))
    return DONE


def prepare() -> None:
    """Do once what is the same for every job of a fork server: learn which code it runs."""
    read_code()


def _run_job(order: Order) -> None:
    if order.home.job(order.job).result.exists():
        print("this job is done already", flush=True)
        return
    attempt = Attempt(order)
    attempt.listen()
    with attempt.journal:
        try:
            RUNNERS[attempt.kind](attempt)
        except BaseException as error:
            attempt.settle(error)
            if isinstance(error, Diverged):
                raise Diverged(f"{error}; {attempt.last_good()}") from error
            raise
        attempt.settle(None)


def _exit_status(error: BaseException, job: str, ooms: int) -> int:
    """Say what happened in the log, and return the exit status that tells it.

    A job whose memory does not depend on a batch is tried once more: others may have held the memory.
    """
    if isinstance(error, Stopped):
        print("stopped as asked; goes on from its checkpoint", flush=True)
        return STOPPED
    if isinstance(error, Diverged):
        print(
            f"{error}\nfix: take a smaller train.lr, a longer warm-up or train.clip_grad", file=sys.stderr, flush=True
        )
        return NOT_FINITE
    if isinstance(error, OutOfMemory):
        print(error, file=sys.stderr, flush=True)
        return NO_MEMORY if error.is_final else OUT_OF_MEMORY
    if is_memory_error(error):
        print(_tell_memory(error, job), file=sys.stderr, flush=True)
        return NO_MEMORY if ooms else OUT_OF_MEMORY
    if isinstance(error, XpError):
        print(error, file=sys.stderr, flush=True)
        return FAILED if isinstance(error, JobError | DataError) else CRASHED
    traceback.print_exception(error)
    return FAILED if isinstance(error, ValidationError) else CRASHED


def _tell_memory(error: BaseException, job: str) -> str:
    """Say in a line what the allocator said, and in another what to change; its own advice is long and not for here."""
    said = (str(error).splitlines() or [""])[0][:ALLOCATOR_LETTERS]
    less = LESS_MEMORY.get(job.partition("-")[0], LESS)
    return f"out of memory ({said or type(error).__name__})\nfix: {less}; or see what else holds memory there"


ALLOCATOR_LETTERS = 120
LESS_MEMORY = {
    "measure": "take smaller measure.batch_sizes",
    "targets": "take a smaller teacher or data.image_size",
    "explain": "take fewer explain.images",
    "pack": "set data.short_side lower",
}
RUNNERS: dict[str, Callable[[Attempt], None]] = {
    "pack": run_pack,
    "train": run_train,
    "targets": run_targets,
    "prune": run_prune,
    "measure": run_measure,
    "explain": run_explain,
}
