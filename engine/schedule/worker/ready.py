"""class ReadyJobs: takes a queue, gives its ready jobs in the order of their turn, as the scheduler remembers them.

To ask the queue for each decision takes longer than all else about it. So what was read is kept until something may
have changed it: another process wrote to the queue, a back-off ended, or an attempt ended that others had waited for.
A claim that is out of date all the same is refused by the queue when it is leased.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.schedule.placing import Demand, read_demand
from engine.schedule.policy import rank_experiments
from store.queue import Claim, Ended, Queue, WaitingRow

LOOK = 8  # of each experiment, the ready jobs that are looked at to find one that fits
AHEAD = 24  # more that are read at once, for the decisions that follow
Entry = tuple[Claim, Demand]


@dataclass
class Line:
    """An experiment's next ready jobs; `is_all`: there are no more than these."""

    entries: list[Entry]
    is_all: bool


class ReadyJobs:
    """What is ready, and how many jobs run for each experiment. `hear` is told of all that is read."""

    def __init__(self, queue: Queue, clock: Callable[[], float], hear: Callable[[list[Entry]], None]) -> None:
        self.queue, self.clock, self.hear = queue, clock, hear
        self.running: Counter[str] | None = None
        self.ranked: list[WaitingRow] | None = None
        self.lines: dict[str, Line] = {}
        self.taken: set[str] = set()  # what starts now, and stands in the queue as ready until it is leased

    def forget(self) -> None:
        """Say that anything may have changed."""
        self.running = self.ranked = None
        self.lines.clear()
        self.taken.clear()

    def take(self, claim: Claim) -> None:
        """Say that a job is about to start."""
        self.taken.add(claim.job)
        for experiment in claim.experiments:
            if line := self.lines.get(experiment):
                line.entries = [entry for entry in line.entries if entry[0].job != claim.job]
        self._recount(dict.fromkeys(claim.experiments, 1))

    def _recount(self, more: Mapping[str, int]) -> None:
        """Count so many more jobs that run, and put experiments in their new order."""
        counts = self._counts()
        for experiment, number in more.items():
            counts[experiment] += number
        changed = [
            replace(row, running=counts[row.experiment]) if row.experiment in more else row for row in self._rows()
        ]
        self.ranked = rank_experiments(changed)

    def settle(self) -> None:
        """Say that the queue knows of all that was taken."""
        self.taken.clear()

    def end(self, ended: Ended) -> None:
        """Say that attempts ended."""
        if self.running is None:  # all is asked anew
            return
        self._recount({experiment: -number for experiment, number in ended.freed.items()})
        for experiment in ended.woken:
            self.lines.pop(experiment, None)
        if not ended.woken <= {row.experiment for row in self._rows()}:
            self.ranked = None

    def turns(self) -> Iterator[list[Entry]]:
        """Yield each experiment's next jobs, whoever's turn it is first."""
        for row in self._rows():
            yield self._line(row.experiment).entries[:LOOK]

    def _counts(self) -> Counter[str]:
        if self.running is None:
            self.running = Counter(self.queue.count_running())
        return self.running

    def _rows(self) -> list[WaitingRow]:
        if self.ranked is None:
            self.ranked = rank_experiments(self.queue.waiting(self._counts()))
        return self.ranked

    def _line(self, experiment: str) -> Line:
        line = self.lines.get(experiment)
        if line is None or (len(line.entries) < LOOK and not line.is_all):
            most = LOOK + AHEAD + len(self.taken)
            claims = self.queue.ready_jobs(experiment, self.clock(), most)
            free = [claim for claim in claims if claim.job not in self.taken]
            entries = [(claim, read_demand(claim.kind, claim.details)) for claim in free]
            self.hear(entries)
            line = self.lines[experiment] = Line(entries, len(claims) < most)
        return line
