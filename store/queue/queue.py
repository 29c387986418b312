"""class Queue: takes the path of queue.db, gives each question and each change in a transaction of its own.

An order about a hundred thousand jobs is a change for each batch of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection

from store.queue import claims, find, lists, orders, remove, status, submit
from store.queue.batches import in_batches
from store.queue.claims import Ended, WaitingRow
from store.queue.connection import OpenQueue
from store.queue.find import FoundName
from store.queue.lists import Need, ReadyCount
from store.queue.rows import AttemptRow, Claim, End, ExperimentRow, JobRow, Owners, RunningRow, RunRow, Start, Verdict
from store.queue.sql import text
from store.queue.status import Tally

C = TypeVar("C")


class Queue(OpenQueue):
    """The queue of one home. A change is whole or not there, whatever is killed when; it may be made again."""

    # -- experiments in -----------------------------------------------------------------------------------------

    def add_experiment(self, record: Mapping[str, Any], done: Iterable[str] = ()) -> None:
        """Take in a submission (`experiments/<name>/<n>.json`); `done`: its jobs that have a result already.

        Failed and cancelled jobs get a fresh budget, paused ones stay paused, and jobs that only the experiment's
        former runs asked for leave the queue (their folders stay).
        """
        with self._change() as connection:
            submit.add_experiment(connection, record, frozenset(done))

    def grow_experiment(self, record: Mapping[str, Any], done: Iterable[str] = ()) -> None:
        """Take in the runs and jobs that a submission which grows (a search's) has more of now; `done` as above.

        All else stays as it is: a failed job stays failed, and no run is taken out.
        """
        with self._change() as connection:
            submit.grow_experiment(connection, record, frozenset(done))

    def mark_done(self, jobs: Iterable[str]) -> None:
        """Say that these jobs have a result; those that need them may become ready."""
        names = list(jobs)
        with self._change() as connection:
            submit.mark_done(connection, names)
            submit.settle_jobs(connection, names)

    def remove_experiment(self, name: str) -> list[str]:
        """Take an experiment out, and cancel what it alone wanted and has not begun; return the jobs it wanted."""
        with self._change() as connection:
            return remove.remove_experiment(connection, name)

    def remove_jobs(self, jobs: Iterable[str]) -> list[str]:
        """Take out jobs that nobody wants and that do not run; return those of them that stay."""
        return self._in_batches(remove.remove_jobs, jobs)

    # -- a person's orders --------------------------------------------------------------------------------------

    # In batches, each a transaction of its own, so that the scheduler never waits for long (store/queue/batches.py).
    # One that was cut off has changed its first batches; given again it changes the rest.

    def request_cancel(
        self, jobs: Iterable[str] | None = None, *, experiment: str | None = None, runs: Iterable[str] | None = None
    ) -> list[str]:
        """Cancel jobs by id, or an experiment, or some `runs` of it; return the jobs that stop.

        By experiment or runs, a job that another live run needs goes on. Running jobs are stopped by the scheduler.
        """
        if experiment is None:
            return self._in_batches(lambda c, names: orders.stop_jobs(c, names, "cancel", "cancelled"), jobs or ())
        chosen = self._runs_of(experiment) if runs is None else runs
        return sorted(self._in_batches(lambda c, names: orders.cancel_runs(c, experiment, names), chosen))

    def request_pause(
        self, jobs: Iterable[str] | None = None, *, experiment: str | None = None, runs: Iterable[str] | None = None
    ) -> list[str]:
        """Pause jobs by id, or those of an experiment that no other one wants; return the jobs that pause.

        With both, those of the jobs that no other experiment than this one wants.
        """

        def pause(connection: Connection, names: list[str]) -> list[str]:
            alone = names if experiment is None else orders.unshared_jobs(connection, names, experiment)
            return orders.stop_jobs(connection, alone, "pause", "paused")

        named = self.jobs_of(experiment, runs) if jobs is None and experiment is not None else jobs
        return sorted(self._in_batches(pause, named or ()))

    def request_resume(self, jobs: Iterable[str]) -> list[str]:
        """Put paused jobs back in the queue; return them."""
        return self._in_batches(orders.resume_jobs, jobs)

    def request_retry(self, jobs: Iterable[str]) -> list[str]:
        """Give failed and cancelled jobs, and those they need, a fresh budget; return the ones it was news to.

        Their cancelled runs come back alive; not those of what they need, which others share.
        """
        asked = set(names := list(jobs))
        with self._read() as connection:
            closed = [] if connection is None else orders.with_needs(connection, names)
        return self._in_batches(
            lambda c, some: orders.retry_jobs(c, some, [job for job in some if job in asked]), closed
        )

    def _in_batches(self, change: Callable[[Connection, list[str]], list[str]], names: Iterable[str]) -> list[str]:
        """Make a change of any number of names, some at a time; return what the changes gave."""
        found: list[str] = []
        for some in in_batches(list(names)):
            with self._change() as connection:
                found += change(connection, some)
        return found

    def _runs_of(self, experiment: str) -> list[str]:
        with self._read() as connection:
            return [] if connection is None else orders.list_runs(connection, experiment)

    def set_priority(self, experiment: str, priority: int) -> bool:
        """Higher goes first. Returns False when there is no such experiment."""
        with self._change() as connection:
            return orders.set_priority(connection, experiment, priority)

    # -- the scheduler ------------------------------------------------------------------------------------------

    def waiting(self, running: Mapping[str, int] | None = None) -> list[WaitingRow]:
        """Return the experiments with ready jobs, and how many run for each; `running` spares the count of these."""
        with self._read() as connection:
            return [] if connection is None else claims.list_waiting(connection, running)

    def count_running(self, jobs: Iterable[str] | None = None) -> dict[str, int]:
        """Return how many of the jobs that run, or of `jobs`, each experiment wants."""
        with self._read() as connection:
            return {} if connection is None else claims.count_running(connection, jobs)

    def ready_jobs(self, experiment: str, now: float, most: int = 8) -> list[Claim]:
        with self._read() as connection:
            return [] if connection is None else claims.list_ready(connection, experiment, now, most)

    def tell_reasons(self, reasons: Mapping[str, str]) -> None:
        """Say of queued jobs why they wait ("" for no reason any more); `status` tells it."""
        with self._change() as connection:
            claims.tell_reasons(connection, reasons)

    def next_wake(self, now: float) -> float | None:
        """Return in how many seconds the next back-off ends, 0 when one has, None when there is none."""
        with self._read() as connection:
            return None if connection is None else claims.next_wake(connection, now)

    def lease(self, job: str, attempt: int, slot: str, *, boot_id: str, expires: float, now: float) -> bool:
        """Take a queued job as attempt `attempt`; False when it is not queued or that attempt is not a new one."""
        return bool(self.lease_all([Start(job, attempt, slot)], boot_id=boot_id, expires=expires, now=now))

    def lease_all(self, starts: Iterable[Start], *, boot_id: str, expires: float, now: float) -> list[RunningRow]:
        """Take queued jobs in one transaction; return those that were to be had, in their order."""
        with self._change(only_claims=True) as connection:
            return claims.take_leases(connection, starts, boot_id=boot_id, expires=expires, now=now)

    def give_back(self, rows: Sequence[RunningRow]) -> None:
        """Queue again what was leased and never started."""
        with self._change() as connection:
            claims.give_back(connection, rows)

    def renew(self, held: Iterable[tuple[str, int]], boot_id: str, expires: float) -> None:
        with self._change(only_claims=True) as connection:
            claims.renew_leases(connection, held, boot_id, expires)

    def adopt(self, job: str, attempt: int, slot: str, *, boot_id: str, expires: float, now: float) -> None:
        """Write an attempt that was found running into a queue that does not know it (after a rebuild)."""
        words = {"job": job, "attempt": attempt, "slot": slot, "boot_id": boot_id, "expires": expires, "now": now}
        with self._change() as connection:
            change = "state = 'running', attempts = :attempt, started_at = :now"
            connection.execute(text(f"UPDATE jobs SET {change} WHERE job = :job"), words)
            claims.put_running(connection, [words])
            submit.settle_jobs(connection, [job])

    def finish(
        self, job: str, attempt: int, verdict: Verdict, now: float, started_at: float | None = None
    ) -> str | None:
        """Write how an attempt ended; return the job's state now, or None when it had a verdict already."""
        return self.finish_all([End(job, attempt, verdict, now, started_at)]).states.get(job)

    def finish_all(self, ends: Iterable[End]) -> Ended:
        """Write how attempts ended, in one transaction."""
        with self._change() as connection:
            return claims.finish_attempts(connection, ends)

    def restore_job(self, job: str, **columns: Any) -> None:
        """Set columns of a job's row as its folder tells them (rebuild only)."""
        names = ", ".join(f"{name} = :{name}" for name in columns)
        with self._change() as connection:
            connection.execute(text(f"UPDATE jobs SET {names} WHERE job = :job"), {**columns, "job": job})
            submit.settle_jobs(connection, [job])

    def restore_attempt(self, job: str, attempt: int, outcome: Mapping[str, Any]) -> None:
        """Write an attempt's row as its folder tells it (rebuild only)."""
        with self._change() as connection:
            claims.put_attempt(connection, job, attempt, outcome)

    def take_over(self, boot_id: str, expires: float) -> list[RunningRow]:
        """Return the leases that are this host's to look after: all, or of a shared queue its own and the abandoned."""
        if not self._kind.is_shared:
            return self.running()
        with self._change() as connection:
            self._kind.take_over(connection, boot_id, expires)
            return [row for row in claims.list_running(connection) if row.boot_id == boot_id]

    def running(self) -> list[RunningRow]:
        with self._read() as connection:
            return [] if connection is None else claims.list_running(connection)

    def requests(self) -> dict[str, str]:
        """Return of jobs that run what a person wants of them: cancel, pause."""
        with self._read() as connection:
            return {} if connection is None else claims.list_requests(connection)

    def has_work(self) -> bool:
        """Return whether anything runs or is queued (a back-off counts; blocked and paused jobs do not)."""
        with self._read() as connection:
            return False if connection is None else claims.has_work(connection)

    # -- what status shows --------------------------------------------------------------------------------------

    def job_states(self) -> dict[str, str]:
        with self._read() as connection:
            return {} if connection is None else status.job_states(connection)

    def jobs_of(self, experiment: str, runs: Iterable[str] | None = None) -> list[str]:
        """Return the ids of an experiment's jobs, or of some of its runs', run by run in the order they are needed."""
        with self._read() as connection:
            return [] if connection is None else orders.list_jobs(connection, experiment, runs)

    def job_rows(self, jobs: Iterable[str] | None = None, *, experiment: str | None = None) -> list[JobRow]:
        with self._read() as connection:
            return [] if connection is None else status.job_rows(connection, jobs, experiment)

    def experiment_rows(self, experiment: str | None = None) -> list[RunRow]:
        """Return the runs of one experiment, or of all, each with its state and its jobs by role."""
        with self._read() as connection:
            return [] if connection is None else status.run_rows(connection, experiment)

    def changed_states(self, since: float, runs: Iterable[str] = ()) -> dict[tuple[str, str], str]:
        """Return the states of runs that may have changed since a moment, and of `runs`, by experiment and run."""
        with self._read() as connection:
            return {} if connection is None else status.changed_states(connection, since, runs)

    def run_counts(self) -> dict[str, int]:
        """Return how many runs each experiment has."""
        with self._read() as connection:
            return {} if connection is None else status.run_counts(connection)

    def experiments(self, experiment: str | None = None) -> list[ExperimentRow]:
        """Return all experiments (or one) with counts of runs and jobs by state; quick at any size of the queue."""
        runs, jobs = self._count(experiment)
        with self._read() as connection:
            return [] if connection is None else status.experiment_rows(connection, experiment, runs, jobs)

    def _count(self, experiment: str | None) -> tuple[dict[str, dict[str, int]], dict[str, list[Tally]]]:
        """Count runs and jobs side by side: of 100,000, each takes a fifth of a second, and SQLite needs no Python.

        A connection for writing stays in its thread, so there it is one after the other.
        """

        def count(counter: Callable[[Connection, str | None], dict[str, C]]) -> dict[str, C]:
            with self._read() as connection:
                return {} if connection is None else counter(connection, experiment)

        if not self.readonly:
            return count(status.count_runs), count(status.count_jobs)
        with ThreadPoolExecutor(1) as beside:
            runs = beside.submit(count, status.count_runs)
            jobs = count(status.count_jobs)
            return runs.result(), jobs

    def experiment_names(self) -> list[str]:
        with self._read() as connection:
            return [] if connection is None else status.experiment_names(connection)

    def notable(self, experiment: str | None, most: int) -> tuple[list[JobRow], list[Owners]]:
        """Return what runs, failed, was cancelled or waits for a reason (`most` of each at most), and whose it is."""
        with self._read() as connection:
            if connection is None:
                return [], []
            jobs = status.notable_jobs(connection, experiment, most)
            return jobs, status.job_owners(connection, [row.job for row in jobs], experiment)

    def owners(self, jobs: Iterable[str], experiment: str | None = None) -> list[Owners]:
        """Return whose each of these jobs is, in one experiment or in all that have it."""
        with self._read() as connection:
            return [] if connection is None else status.job_owners(connection, jobs, experiment)

    def find_ids(self, text: str, most: int) -> list[FoundName]:
        """Return up to `most` runs and jobs whose id begins with `text`, with or without the kind before it."""
        with self._read() as connection:
            return [] if connection is None else find.find_ids(connection, text, most)

    def attempt_rows(self, jobs: Iterable[str] | None = None) -> list[AttemptRow]:
        with self._read() as connection:
            return [] if connection is None else status.attempt_rows(connection, jobs)

    # -- the queue in pages ---------------------------------------------------------------------------------------

    def count_ready(self) -> list[ReadyCount]:
        """Return each experiment with how many of its jobs are ready and run, oldest submission first."""
        with self._read() as connection:
            return [] if connection is None else lists.count_ready(connection)

    def count_states(self, experiment: str | None = None) -> dict[str, int]:
        """Return how many jobs are in which state, of one experiment or of all."""
        with self._read() as connection:
            return {} if connection is None else lists.count_states(connection, experiment)

    def page_ready(self, experiment: str, start: int, most: int) -> list[str]:
        """Return jobs of an experiment that are ready, those that are next first."""
        with self._read() as connection:
            return [] if connection is None else lists.page_ready(connection, experiment, start, most)

    def page_state(self, state: str, experiment: str | None, start: int, most: int) -> list[str]:
        """Return jobs in a state, of one experiment or of any, in the order in which they were submitted."""
        with self._read() as connection:
            return [] if connection is None else lists.page_state(connection, state, experiment, start, most)

    def page_runs(self, experiment: str, start: int, most: int) -> list[RunRow]:
        """Return runs of an experiment in their order, each with its state and its jobs by role."""
        with self._read() as connection:
            return [] if connection is None else lists.page_runs(connection, experiment, start, most)

    def count_runs_of(self, experiment: str) -> int:
        with self._read() as connection:
            return 0 if connection is None else lists.count_runs_of(connection, experiment)

    def open_needs(self, jobs: Iterable[str]) -> list[Need]:
        """Return what each of these jobs needs and has not got yet."""
        with self._read() as connection:
            return [] if connection is None else lists.open_needs(connection, list(jobs))

    def first_runs(self, jobs: Iterable[str]) -> dict[str, str]:
        """Return for each of these jobs a run that has it."""
        with self._read() as connection:
            return {} if connection is None else lists.first_runs(connection, list(jobs))
