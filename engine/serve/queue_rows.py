"""The queue as its page shows it: takes an open queue and a home, gives what runs and one page of what does not.

What is shown is looked at job by job, and nothing else is: a queue of 100,000 jobs costs what one of fifty does, but
for counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.home.control_files import read_handle
from engine.home.paths import Home
from engine.inspect.log_text import read_last
from engine.inspect.status import JobView, running_slots, view_jobs
from engine.schedule.policy import rank_experiments
from store.queue import Owners, Queue, ReadyCount

FIX = " · fix: "  # how a reason of the scheduler's goes on with what its job said is to be done
LINES = 12  # of a log
LAST = 1 << 13  # bytes that they are looked for in: a page has the logs of many jobs


@dataclass(frozen=True)
class Listed:
    """A job of the list. `turn` counts among all that are ready, 0 where it is not."""

    view: JobView
    experiment: str
    run: str  # one that has it
    turn: int = 0
    waits_for: tuple[str, ...] = ()  # jobs with their states
    log: tuple[str, ...] = ()  # its last lines

    @property
    def reason(self) -> str:
        """Why it waits or what it failed by, as the scheduler noted it."""
        return self.view.reason.partition(FIX)[0]

    @property
    def fix(self) -> str:
        """What its own error says is to be done, "" where it says nothing."""
        return self.view.reason.partition(FIX)[2]


@dataclass(frozen=True)
class Running:
    """A job that runs, and where."""

    view: JobView
    experiment: str
    run: str
    slot: str
    host: str
    attempt: int
    request: str  # what a person wants of it: "", cancel, pause
    started_at: float  # unix seconds

    @property
    def device(self) -> str:
        """Whether its slot is a GPU."""
        return "CPU" if self.slot.startswith("cpu") else "GPU"


def list_running(home: Home, queue: Queue) -> tuple[Running, ...]:
    """Return what runs, by slot."""
    rows = {row.job: row for row in queue.running()}
    named = _list_jobs(home, queue, list(rows))
    made = []
    for one in named:
        row = rows[one.view.job]
        handle = read_handle(home.job(row.job).attempt(row.attempt))
        host = handle.host if handle else ""
        made.append(
            Running(one.view, one.experiment, one.run, row.slot, host, row.attempt, row.request, row.started_at)
        )
    return tuple(sorted(made, key=lambda one: (one.host, one.slot, one.view.job)))


def list_ready(home: Home, queue: Queue, counts: Sequence[ReadyCount], start: int, most: int) -> tuple[Listed, ...]:
    """Return jobs that are ready, of these experiments in the order of their turn."""
    found: list[tuple[int, str, str]] = []
    before = 0
    for one in rank_experiments(counts):
        here = max(0, start - before)
        left = most - len(found)
        if left and here < one.ready:
            jobs = queue.page_ready(one.experiment, here, left)
            found += [(before + here + at + 1, one.experiment, job) for at, job in enumerate(jobs)]
        before += one.ready
    named = {one.view.job: one for one in _list_jobs(home, queue, [job for _, _, job in found])}
    return tuple(
        Listed(named[job].view, experiment, named[job].run, turn) for turn, experiment, job in found if job in named
    )


def list_state(
    home: Home, queue: Queue, state: str, experiment: str | None, start: int, most: int
) -> tuple[Listed, ...]:
    """Return jobs in a state; of those that are blocked, what they wait for, of those that failed, the log's end."""
    jobs = queue.page_state(state, experiment, start, most)
    waits: dict[str, list[str]] = {}
    for need in queue.open_needs(jobs) if state == "blocked" else ():
        waits.setdefault(need.job, []).append(f"{need.needs} ({need.state})")
    logs = {job: _log_end(home, job) for job in jobs} if state == "failed" else {}
    named = {one.view.job: one for one in _list_jobs(home, queue, jobs)}
    return tuple(
        Listed(one.view, one.experiment, one.run, 0, tuple(waits.get(job, ())), logs.get(job, ()))
        for job, one in ((job, named[job]) for job in jobs if job in named)
    )


def _log_end(home: Home, job: str) -> tuple[str, ...]:
    """Return the last lines of a job's newest attempt; none where there is no log that can be read."""
    attempt = next(reversed(home.job(job).attempts()), None)
    try:
        return read_last(attempt.log, lines=LINES, most=LAST).lines if attempt else ()
    except OSError:
        return ()


def _list_jobs(home: Home, queue: Queue, jobs: Sequence[str]) -> list[Listed]:
    """Return jobs with their names, without what only some states have."""
    rows, owners = queue.job_rows(jobs), queue.owners(jobs)
    runs, experiments = queue.first_runs(jobs), _first_owner(owners)
    views = view_jobs(home, rows, owners, running_slots(queue, rows))
    return [Listed(view, experiments.get(view.job, ""), runs.get(view.job, "")) for view in views]


def _first_owner(owners: Sequence[Owners]) -> dict[str, str]:
    return {owner.job: owner.experiment for owner in reversed(owners)}
