"""The queue: takes a state, an experiment and a page, gives what runs where, what waits and why, what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.home.paths import Home
from engine.inspect.status import tell_trouble
from engine.schedule.slot_marks import SlotMark, SlotMarks
from engine.serve.paging import Paging, make_paging
from engine.serve.queue_rows import Listed, Running, list_ready, list_running, list_state
from engine.serve.view import Asked, View
from store.queue import Queue, ReadyCount, RunRow

PER = 50  # rows of a page
# In the order in which one asks for them; without a word the page shows the first that has any.
STATES = ("queued", "blocked", "failed", "paused", "cancelled", "done")
NAMES = {"queued": "ready", "blocked": "waiting for others"}
TOLD = {
    "queued": "These start as soon as a slot is free. Experiments of a higher priority go first, of equal ones the one"
    " with fewer jobs running, then the one that was submitted first; within an experiment, the job that the longest"
    " chain of others waits for.",
    "blocked": "These wait for jobs that are not done. Where one of those failed, was cancelled or paused, retry or"
    " resume it first.",
    "failed": "These have used up their attempts. Mend what their log tells of, then retry them: each gets its attempts"
    " anew.",
    "paused": "These wait until they are resumed, and go on from what they saved.",
    "cancelled": "These were cancelled. A retry brings them and their runs back.",
    "done": "These are done, and their results count.",
}


@dataclass(frozen=True)
class Tab:
    """A state: its name, how many jobs are in it, and the words of its address."""

    state: str
    name: str
    count: int
    words: str
    is_here: bool


@dataclass(frozen=True)
class QueueView:
    """What the page shows. `rows` are jobs, or with `by` run the `runs` of one experiment."""

    trouble: str
    counts: Mapping[str, int]
    running: tuple[Running, ...]
    shut: tuple[SlotMark, ...]
    experiments: tuple[ReadyCount, ...]
    chosen: str  # the experiment that is shown alone, "" for all
    by: str
    tabs: tuple[Tab, ...]
    state: str
    told: str
    paging: Paging
    rows: tuple[Listed, ...] = ()
    runs: tuple[RunRow, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        return not self.experiments

    @property
    def failed(self) -> int:
        return self.counts.get("failed", 0)

    def has(self, *states: str) -> bool:
        """Whether an order about jobs in these states could change anything."""
        return any(self.counts.get(state) for state in states)


def show_queue(asked: Asked) -> View:
    """Return the page. Words: `state`, `experiment`, `by` (run), `page`."""
    with Queue.open_readonly(asked.home.queue_db) as queue:
        return View("queue", "Queue", _read(asked, queue))


def _read(asked: Asked, queue: Queue) -> QueueView:
    experiments = tuple(queue.count_ready())
    chosen = asked.word("experiment") if any(one.experiment == asked.word("experiment") for one in experiments) else ""
    counts = queue.count_states()
    # An experiment that is alone is all there is, and to count that takes an index alone.
    only = chosen if len(experiments) > 1 else ""
    mine = queue.count_states(only) if only else counts
    by = "run" if asked.word("by") == "run" and chosen else "job"
    state = asked.word("state") if asked.word("state") in STATES else next(filter(mine.get, STATES), "queued")
    ready = [one for one in experiments if chosen in ("", one.experiment)]
    total = _total(queue, by, state, chosen, sum(one.ready for one in ready), mine)
    paging = make_paging(asked, total, PER)
    shut = tuple(SlotMarks(asked.home).list_shut())
    runs, rows = tuple[RunRow, ...](), tuple[Listed, ...]()
    if by == "run":
        runs = tuple(queue.page_runs(chosen, paging.start, PER))
    elif state == "queued":
        rows = list_ready(asked.home, queue, ready, paging.start, PER)
    else:
        rows = list_state(asked.home, queue, state, only or None, paging.start, PER)
    return QueueView(
        _tell(asked.home, shut) if counts.get("queued") or counts.get("running") else "",
        counts, list_running(asked.home, queue), shut, experiments,
        chosen, by, _tabs(mine, state, chosen, by), state, TOLD[state], paging, rows, runs,
    )  # fmt: skip


def _tell(home: Home, shut: Sequence[SlotMark]) -> str:
    """Return what keeps jobs from going on, less the slots that are shut out, which have a table."""
    marks = set(map(str, shut))
    return "\n".join(line for line in tell_trouble(home).splitlines() if line not in marks)


def _total(queue: Queue, by: str, state: str, chosen: str, ready: int, mine: Mapping[str, int]) -> int:
    if by == "run":
        return queue.count_runs_of(chosen)
    # A job that two experiments want has a place in the list of each.
    return ready if state == "queued" else mine.get(state, 0)


def _tabs(counts: Mapping[str, int], here: str, chosen: str, by: str) -> tuple[Tab, ...]:
    only = f"&experiment={chosen}" if chosen else ""
    return tuple(
        Tab(state, NAMES.get(state, state), counts.get(state, 0), f"state={state}{only}", by == "job" and state == here)
        for state in STATES
    )
