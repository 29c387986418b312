"""A person's orders: takes a verb and what it is for, tells the queue and the job folders, gives the jobs concerned."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from engine.errors import XpError, closest_hint
from engine.home.paths import Home
from engine.schedule.given import keep_order, keep_priority
from engine.schedule.growing import extend_search, stop_search
from engine.schedule.lookup import Match, name_jobs
from engine.schedule.slot_marks import SlotMark, SlotMarks
from engine.schedule.worker import scheduler_alive, start_detached
from store.queue import Queue

LEAST_LETTERS = 5  # of a GPU's id: more than GPU- and MIG-
# Twice the grace of a running job (Patience.grace): its kill after that is still waited for.
PATIENCE = 20.0  # seconds to wait for a running job to stop


def give_order(home: Home, verb: str, match: Match, *, waits: bool = True) -> list[str]:
    """Carry out an order of ORDERS; return the jobs it changed.

    What stops a job `waits` until its process is gone: raises XpError when that takes longer than PATIENCE.
    """
    with Queue(home.queue_db) as queue:
        jobs = ORDERS[verb](queue, match)
    # The queue first, as it is what acts; `control.jsonl` lets `xp rebuild --queue` give the orders again.
    keep_order(home, verb, jobs)
    # A cancel may leave a scheduler nothing to do: then none is started for it.
    if jobs and not scheduler_alive(home) and _has_work(home):
        start_detached(home)
    if waits and verb in ("cancel", "pause"):
        _wait_stopped(home, jobs)
    return jobs


def change_priority(home: Home, experiment: str, priority: int) -> None:
    """Let an experiment's jobs go before those of lower priority from now on. Raises XpError for an unknown one."""
    with Queue(home.queue_db) as queue:
        if not queue.set_priority(experiment, priority):
            fix = closest_hint(experiment, queue.experiment_names())
            raise XpError(f"there is no experiment {experiment!r} in the queue", fix=fix)
    keep_priority(home, experiment, priority)


def retry_slot(home: Home, text: str) -> SlotMark | None:
    """Let jobs go to a shut-out GPU of this machine again; return what had been found, None where `text` names none.

    Its id may be cut short as long as it names one of them; it goes before a job whose id begins so.
    """
    marks = SlotMarks(home)
    shut = marks.list_shut()
    found = [mark for mark in shut if mark.slot == text]
    if not found and len(text) >= LEAST_LETTERS:
        found = [mark for mark in shut if mark.slot.startswith(text)]
    if len(found) != 1:
        return None
    marks.clear([found[0].slot])
    if not scheduler_alive(home) and _has_work(home):
        start_detached(home)
    return found[0]


def stop_trials(home: Home, experiment: str) -> None:
    """Ask for no more trials of a search, and see that a scheduler ends it. Raises XpError where none is."""
    stop_search(home, experiment)
    start_detached(home)


def extend_trials(home: Home, experiment: str, trials: int) -> None:
    """Go on with a search until each arm has so many trials, stopped or over as it may be. Raises XpError as above."""
    extend_search(home, experiment, trials)
    start_detached(home)


def explain_nothing(home: Home, verb: str, match: Match) -> str:
    """Say why an order changed nothing: how its jobs stand, and which order would change that."""
    with Queue.open_readonly(home.queue_db) as queue:
        counts = Counter(row.state for row in queue.job_rows(match.jobs))
    told = ", ".join(f"{count} {state}" for state, count in counts.most_common()) or "it has no jobs"
    others = {INSTEAD[verb, state] for state in counts if (verb, state) in INSTEAD}
    if others:
        return f"{told}; `xp {others.pop()} {match.name}` brings them back"
    is_shared = verb in ("cancel", "pause") and any(counts[state] for state in ("queued", "running", "blocked"))
    return f"{told}; another experiment needs them" if is_shared else told


def _cancel(queue: Queue, match: Match) -> list[str]:
    if match.kind == "job":
        return queue.request_cancel(match.jobs)
    return queue.request_cancel(experiment=match.experiment, runs=_runs_of(match))


def _pause(queue: Queue, match: Match) -> list[str]:
    if match.kind == "experiment":
        return queue.request_pause(experiment=match.name)
    if match.experiment is not None:
        others = {row.run for row in queue.experiment_rows(match.experiment)} - {*(_runs_of(match) or ())}
        # What the other runs have too goes on for them.
        alone = sorted({*match.jobs} - {*queue.jobs_of(match.experiment, others)})
        return queue.request_pause(alone, experiment=match.experiment)
    return queue.request_pause(match.jobs)


def _runs_of(match: Match) -> list[str] | None:
    """Return the runs that are meant, None for all of the experiment."""
    return {"run": [match.name], "arm": [*match.runs]}.get(match.kind)


def _resume(queue: Queue, match: Match) -> list[str]:
    return queue.request_resume(match.jobs)


def _retry(queue: Queue, match: Match) -> list[str]:
    return queue.request_retry(match.jobs)


def _has_work(home: Home) -> bool:
    with Queue.open_readonly(home.queue_db) as queue:
        return queue.has_work()


def _wait_stopped(home: Home, jobs: Sequence[str]) -> None:
    """Return when none of `jobs` runs any more; the scheduler stops them, by force after their grace.

    Raises XpError when some still run after a while, as where no scheduler could be started.
    """
    end = time.monotonic() + PATIENCE
    while running := running_jobs(home, jobs):
        if time.monotonic() > end:
            fix = (
                "the order stands, and a scheduler that may end them carries it out; look at `xp status` and"
                f" {home.scheduler_log}"
            )
            names = name_jobs(home, running)
            told = ", ".join(job if names[job] == job else f"{job} ({names[job]})" for job in running)
            raise XpError(f"still running after {PATIENCE:.0f} s: {told}", fix=fix)
        time.sleep(0.05)


def running_jobs(home: Home, jobs: Sequence[str]) -> list[str]:
    """Return those of `jobs` that run now."""
    asked = set(jobs)
    with Queue.open_readonly(home.queue_db) as queue:
        # Of the few that run, not of the jobs: those may be a hundred thousand.
        return [row.job for row in queue.running() if row.job in asked]


INSTEAD = {("resume", "cancelled"): "retry", ("resume", "failed"): "retry", ("retry", "paused"): "resume"}
ORDERS = {"cancel": _cancel, "pause": _pause, "resume": _resume, "retry": _retry}
