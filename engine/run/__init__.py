"""Inside a job's process: takes an attempt's order, does the job, commits its result, gives the exit status.

`python -m engine.run FOLDER` runs an attempt, `jobs/<job>/attempts/<k>`, or a job's next one, anywhere and by hand.

    attempt     the order, the journal, the heartbeat, checkpoints, the stop flag, the commit
    device      threads, seeds, the device
    memory      how many images a step takes at once, after running out of memory
    provenance  where a result comes from
    code        which code that was
    reach       the files of ours that this process can run
    inputs      what a job works with: images, split, networks
    ranks       a training in several processes
    placing     how many images of a training a GPU holds
    lineage     what the network of a job has seen before, and what its file says of that
    training    train and prune
    continuing  the state of a shorter training that a longer one begins with
    pruning     what a job cuts or masks, and keeps so
    unseen      what a network of ImageNet has not seen, and whether it is as good there as known
    targets     a teacher's answers and what it is like
    teaching    a taught student's side of it
    answers     what a trained network says of a few images, kept for comparisons
    quantizing  a trained network in 8-bit numbers, tested
    quantized_file   the file that it left
    exporting   a trained network as a file, checked against itself
    predicting  what a network says of photographs
    heads       fitting a head to a teacher's features
    jobs        pack, explain
    looks       maps by kind, their figure and what they are worth
    map_log     how their figures are logged
    objects     where the objects lie in what is explained
    measuring   size, speed and memory of a network, in turn with the baseline's
    network_bench  a network as it is measured: torch's module, and its files in runtimes
    measure_log  what of it is written
    rounds      in which order networks are timed, and the figures of it
    latency     the widths at which a share of latency is gone, and what they save
    latency_check  the latter, in a process of its own
    bench_process  a network in a process of its own

Importing this loads torch and the rooms of core and starts nothing: a fork server does it once for many jobs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from pydantic import ValidationError

from engine.core.train.loop import Stopped
from engine.core.train.ranks.group import PeerLost
from engine.core.train.soundness import Diverged
from engine.errors import DataError, JobError, VersionError, XpError
from engine.inputs.own_code.keeping import use_home
from engine.launch import Order
from engine.launch.environment import format_trace, hide_secrets
from engine.launch.exits import Exit
from engine.launch.faults import find_fault
from engine.launch.ranks import PEER_LOST, Rank, run_ranks
from engine.launch.shortages import find_shortage
from engine.run.attempt import Attempt
from engine.run.code import read_code
from engine.run.device import is_memory_error
from engine.run.memory import OutOfMemory
from engine.run.ranks import count_ranks, open_attempt, order_of
from engine.spec.job_kinds import KINDS, SMALLER_BATCH, kind_in_id, load_named


def main(order: Order) -> int:
    """Do one attempt of one job and return what its process exits with."""
    # Another attempt may have committed since this one was ordered.
    if order.home.job(order.job).result.exists():
        print("this job is done already", flush=True)
        return Exit.DONE
    use_home(order.home)  # whose copies of people's own code its jobs run
    ranks = count_ranks(order)
    if ranks > 1:
        return run_ranks(ranks, lambda rank: _be_process(order_of(order, rank), rank))
    return _be_process(order, None)


def prepare() -> None:
    """Do once what is the same for every job of a fork server: learn which code it runs."""
    read_code()


def _be_process(order: Order, rank: Rank | None) -> int:
    """Do the work of the attempt's process, or of one of its ranks."""
    try:
        _run_job(order, rank)
    except PeerLost:
        # Who is gone has said why, or was killed, and then our parent says so.
        return PEER_LOST
    except Diverged as error:
        # All ranks come to this: one says it.
        return Exit.NOT_FINITE if rank and rank.number else _exit_status(error, order.job, order.ooms)
    except BaseException as error:
        return _exit_status(error, order.job, order.ooms)
    return Exit.DONE


def _run_job(order: Order, rank: Rank | None) -> None:
    attempt = open_attempt(order, rank)
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


def _exit_status(error: BaseException, job: str, ooms: int) -> Exit:
    """Say what happened in the log, and return the exit status that tells it.

    A job whose memory does not depend on a batch is tried once more: others may have held the memory.
    """
    if isinstance(error, Stopped):
        print("stopped as asked; goes on from its checkpoint", flush=True)
        return Exit.STOPPED
    if isinstance(error, Diverged):
        print(
            f"{error}\nfix: take a smaller train.lr, a longer warm-up or train.clip_grad", file=sys.stderr, flush=True
        )
        return Exit.NOT_FINITE
    if isinstance(error, OutOfMemory):
        print(error, file=sys.stderr, flush=True)
        return Exit.NO_MEMORY if error.is_final else Exit.OUT_OF_MEMORY
    if is_memory_error(error):
        print(_tell_memory(error, job), file=sys.stderr, flush=True)
        return Exit.NO_MEMORY if ooms else Exit.OUT_OF_MEMORY
    if find_shortage(error):
        # Its last words are what the scheduler knows it by (shortages.py).
        print(hide_secrets(f"{type(error).__name__}: {error}"), file=sys.stderr, flush=True)
        return Exit.LACKING
    if fault := find_fault(error):
        # Its last words, by which the scheduler tells a card that is broken (faults.py): CUDA's own advice is long.
        print(f"{format_trace(error)}the GPU failed: {fault.told}", file=sys.stderr, flush=True)
        return Exit.CRASHED
    if isinstance(error, XpError):
        print(hide_secrets(str(error)), file=sys.stderr, flush=True)
        return Exit.FAILED if isinstance(error, JobError | DataError | VersionError) else Exit.CRASHED
    print(format_trace(error), end="", file=sys.stderr, flush=True)
    return Exit.FAILED if isinstance(error, ValidationError) else Exit.CRASHED


def _tell_memory(error: BaseException, job: str) -> str:
    """Say in a line what the allocator said, and in another what to change; its own advice is long and not for here."""
    said = (str(error).splitlines() or [""])[0][:ALLOCATOR_LETTERS]
    kind = kind_in_id(job)
    less = kind.less_memory if kind else SMALLER_BATCH
    return f"out of memory ({said or type(error).__name__})\nfix: {less}; or see what else holds memory there"


ALLOCATOR_LETTERS = 120
RUNNERS: dict[str, Callable[[Attempt], None]] = {kind: load_named(kind, "runner") for kind in KINDS}
