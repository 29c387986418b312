"""What watching knows and what its keys mean: takes a home and keys, gives what is shown, carries out orders.

An order goes through the same functions as its command. Nothing is drawn here: that is watch_screen.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.errors import XpError
from engine.home.paths import Home
from engine.inspect.run_views import RunView, by_attention, read_runs
from engine.inspect.status import ExperimentView, find_trouble, read_status
from engine.schedule.lookup import find_match
from engine.schedule.orders import explain_nothing, give_order
from store.amounts import counted

Pane = Literal["", "log", "curves", "help"]
PAGE = 10  # rows
MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -PAGE, "page down": PAGE}
VERBS = {"x": "cancel", "r": "retry", "p": "pause"}


@dataclass(frozen=True)
class Question:
    """An order that waits for y or n; `target` is an address, `text` what is asked."""

    verb: str
    target: str
    text: str


@dataclass
class Watcher:
    """What is shown and chosen. `name` is the experiment whose runs are shown, None for the list of experiments."""

    home: Home
    name: str | None = None
    pane: Pane = ""
    chosen: str = ""
    views: Sequence[ExperimentView] = ()
    runs: Sequence[RunView] = ()
    trouble: str = ""
    message: str = ""
    question: Question | None = None
    is_over: bool = False
    is_fixed: bool = field(init=False)
    """Whether it was begun with one experiment, so that there is no list to go back to."""

    def __post_init__(self) -> None:
        self.is_fixed = self.name is not None

    def look(self) -> None:
        """Read how things stand now; the choice stays on what it was on."""
        found = read_status(self.home)
        self.trouble = find_trouble(self.home, found)
        self.views = sorted(found, key=lambda view: not view.is_moving)
        self.runs = read_runs(self.home, self.name) if self.name else ()
        if self.chosen not in self.keys:
            first = [run.run for run in by_attention(self.runs)] or self.keys
            self.chosen = first[0] if first else ""

    @property
    def keys(self) -> list[str]:
        """What can be chosen: runs by their ids, or experiments by their names."""
        return [run.run for run in self.runs] if self.name else [view.experiment for view in self.views]

    @property
    def row(self) -> int:
        return self.keys.index(self.chosen) if self.chosen in self.keys else 0

    @property
    def run(self) -> RunView | None:
        return next((run for run in self.runs if run.run == self.chosen), None)

    @property
    def view(self) -> ExperimentView | None:
        wanted = self.name or self.chosen
        return next((view for view in self.views if view.experiment == wanted), None)

    def press(self, key: str) -> None:
        """Do what a key means here."""
        if self.question is not None:
            self._answer(key)
            return
        self.message = ""
        if key in MOVES:
            self._move(MOVES[key])
        elif key in ("home", "end"):
            self._move(-len(self.keys) if key == "home" else len(self.keys))
        elif key in VERBS:
            self._ask(VERBS[key])
        elif key in KEYS:
            KEYS[key](self)
        else:
            self.message = "? tells the keys"

    def _move(self, step: int) -> None:
        if self.keys:
            self.chosen = self.keys[min(max(self.row + step, 0), len(self.keys) - 1)]

    def _ask(self, verb: str) -> None:
        """Ask before a cancel; what can be taken back is done at once."""
        if not self.chosen:
            return
        target = self.address
        if verb == "pause" and self._is_paused():
            verb = "resume"
        question = Question(verb, target, f"{verb} {target}? y/n")
        if verb == "cancel":
            self.question = question
        else:
            self._carry_out(question)

    def _is_paused(self) -> bool:
        """Whether what is chosen is paused and has nothing more to pause."""
        if self.run is not None:
            return self.run.state == "paused"
        return self.view is not None and bool(self.view.jobs.get("paused")) and not self.view.is_moving

    @property
    def address(self) -> str:
        """Return what is chosen as a command would name it."""
        run = self.run
        if self.name is None or run is None:
            return self.chosen
        cell = "" if run.cell == "default" else f"/{run.cell}"
        return f"{self.name}/{run.arm}{cell}@{run.seed}"

    def _answer(self, key: str) -> None:
        asked, self.question = self.question, None
        if key in ("y", "Y") and asked is not None:
            self._carry_out(asked)
        else:
            self.message = "nothing was done"

    def _carry_out(self, asked: Question) -> None:
        """Do what the command of that name does, without waiting for processes to end; say what came of it."""
        try:
            match = find_match(self.home, asked.target)
            verb, jobs = asked.verb, give_order(self.home, asked.verb, match, waits=False)
            # Where others need the rest of it, a run is not paused as a whole: what is, goes on with the next p.
            if verb == "pause" and not jobs and (jobs := give_order(self.home, "resume", match)):
                verb = "resume"
            why = "" if jobs else f"nothing to do: {explain_nothing(self.home, verb, match)}"
            self.message = f"{verb} {asked.target}: {why or counted(len(jobs), 'job')}"
            self.look()
        except XpError as error:
            self.message = error.what

    def enter(self) -> None:
        """Open what is chosen: an experiment's runs, or a run's log."""
        if self.name is None and self.chosen:
            self.name, self.chosen = self.chosen, ""
            self.look()
        elif self.name is not None:
            self.pane = "log"

    def back(self) -> None:
        """Close the pane, or go back to the experiments."""
        if self.pane:
            self.pane = ""
        elif self.name is not None and not self.is_fixed:
            self.chosen, self.name = self.name, None
            self.look()

    def open(self, pane: Pane) -> None:
        """Show a pane, or close it where it is open already."""
        if pane != "help" and self.name is None:
            self.enter()
        self.pane = "" if self.pane == pane else pane

    def leave(self) -> None:
        self.is_over = True


KEYS: dict[str, Callable[[Watcher], None]] = {
    "enter": Watcher.enter, "right": Watcher.enter, "escape": Watcher.back, "left": Watcher.back, "q": Watcher.leave,
    "l": lambda watcher: watcher.open("log"), "c": lambda watcher: watcher.open("curves"),
    "?": lambda watcher: watcher.open("help"),
}  # fmt: skip
