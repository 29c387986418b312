"""The first page: takes a home, gives its experiments, newest first, how far they are, and what the machine does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.inspect.status import ExperimentView, find_trouble, read_status
from engine.serve.machine import Machine, look_at_machine
from engine.serve.view import Asked, View
from store.queue import RUN_ORDER

AT_ONCE = 100  # experiments of a page
MANY = 10  # from which on there is a filter
MOST_PAGES = 100_000


@dataclass(frozen=True)
class Counted:
    """How many are in a state."""

    state: str
    count: int


@dataclass(frozen=True)
class Line:
    """An experiment as a row of the first page."""

    name: str
    title: str
    submitted_at: float
    share: float
    done: int
    runs: int
    states: Sequence[Counted]  # of its runs, without those that are done
    failed: int  # jobs that failed or were cancelled
    seconds_left: float | None
    standing: str
    trials: str  # how many trials of a search there are, "" where nothing is searched


@dataclass(frozen=True)
class Front:
    """A page of experiments, how many the filter leaves of all, and why nothing goes on; "" when all is well."""

    experiments: Sequence[Line]
    found: int
    all: int
    query: str
    page: int
    pages: int
    trouble: str
    machine: Machine

    @property
    def has_filter(self) -> bool:
        return self.all > MANY or bool(self.query)


def show_home(asked: Asked) -> View:
    """Return the experiments whose name or title has every word that was asked for."""
    views = read_status(asked.home)
    words = asked.word("q").casefold().split()
    found = [view for view in views if all(word in f"{view.experiment} {view.title}".casefold() for word in words)]
    pages = max(1, -(-len(found) // AT_ONCE))
    page = asked.number("page", 1, 1, min(pages, MOST_PAGES))
    shown = [describe(view) for view in found[AT_ONCE * (page - 1) : AT_ONCE * page]]
    trouble, machine = find_trouble(asked.home, views), look_at_machine(asked.home, views)
    front = Front(shown, len(found), len(views), asked.word("q"), page, pages, trouble, machine)
    return View("home", "Experiments", front)


def describe(view: ExperimentView) -> Line:
    """Return an experiment as a row."""
    # Of an open search nobody knows what its next trials take.
    left = view.seconds_left if view.is_moving and view.jobs and not view.is_searching else None
    states = [Counted(state, view.runs[state]) for state in RUN_ORDER if view.runs.get(state) and state != "done"]
    return Line(
        view.experiment, view.title if view.title != view.experiment else "", view.submitted_at, view.share,
        view.runs.get("done", 0), sum(view.runs.values()), states,
        view.jobs.get("failed", 0) + view.jobs.get("cancelled", 0), left, standing_of(view),
        _trials_text(view),
    )  # fmt: skip


def _trials_text(view: ExperimentView) -> str:
    """Say how many of the trials that are asked for are done, of all arms that are searched."""
    done, asked = (sum(getattr(arm, word) for arm in view.searched) for word in ("done", "asked"))
    if not view.searched:
        return "searching" if view.is_searching else ""
    return f"{'searching' if view.is_searching else 'searched'}: {done:,} of {asked:,} trials done"


def standing_of(view: ExperimentView) -> str:
    """Say in a word how an experiment stands; a record that somebody made by hand may name no jobs."""
    if view.is_searching and set(view.jobs) <= {"done"}:
        return "searching"
    if not view.jobs:
        return "not queued"
    if set(view.jobs) <= {"done"}:
        return "done"
    if view.running:
        return "running"
    if view.is_moving:
        return "queued"
    return next((state for state in ("failed", "cancelled", "paused") if view.jobs.get(state)), "blocked")
