"""Following an experiment: takes a home and a name, hands each look at it to whoever shows it, until nothing moves.

It only looks, but for starting a scheduler when one died. Interrupted, it leaves everything running.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.errors import HomeError, XpError
from engine.home.paths import Home
from engine.inspect.status import ExperimentView, read_status
from engine.schedule.worker import scheduler_alive, start_detached
from engine.schedule.worker.attempts import last_line
from engine.schedule.worker.lock import is_starting
from engine.schedule.worker.vanish import BRING_BACK
from store.queue import QueueFault

LOOK = 0.25  # seconds between looks
CHECK = 2.0  # seconds between looks at the scheduler
# In a row, with no job done between them.
MOST_STARTS = 3


def follow(
    home: Home, experiment: str, show: Callable[[ExperimentView], None], tell: Callable[[str], None]
) -> ExperimentView:
    """Return how an experiment stands once nothing of it can go on by itself; `tell` hears of a scheduler that died.

    Raises HomeError when the home, or the experiment in its queue, is gone, XpError when no scheduler gets on.
    """
    try:
        return _follow(home, experiment, show, Keeper(home, tell))
    except (OSError, QueueFault):
        # Whatever was being read or written: that the home is gone explains it.
        _check_there(home)
        raise


def _follow(home: Home, experiment: str, show: Callable[[ExperimentView], None], keeper: Keeper) -> ExperimentView:
    checked = time.monotonic()
    while True:
        view = read_view(home, experiment)
        if not view.is_moving:
            return view
        show(view)
        if time.monotonic() - checked >= CHECK:
            keeper.look(view)
            checked = time.monotonic()
        time.sleep(LOOK)


def read_view(home: Home, experiment: str) -> ExperimentView:
    """Return how the experiment stands. Raises HomeError when the home, or the experiment in its queue, is gone."""
    found = read_status(home, experiment)
    if found:
        return found[0]
    _check_there(home)
    fix = "xp rebuild --queue makes it again from experiments/ and jobs/; or submit again"
    raise HomeError(f"the queue does not know {experiment} any more", where=str(home.queue_db), fix=fix)


def _check_there(home: Home) -> None:
    if not home.root.is_dir():
        raise HomeError("the home folder is gone while its jobs ran", where=str(home.root), fix=BRING_BACK)


class Keeper:
    """Sees that a scheduler works as long as that helps: one that ends at once, again and again, is given up."""

    def __init__(self, home: Home, tell: Callable[[str], None]) -> None:
        self.home, self.tell = home, tell
        self.starts = self.done = 0

    def look(self, view: ExperimentView) -> None:
        """Start a scheduler when there is none. Raises XpError when the last ones got nothing done."""
        if scheduler_alive(self.home) or is_starting(self.home):
            return
        done = view.jobs.get("done", 0)
        self.starts, self.done = (self.starts + 1 if done == self.done else 1), done
        if self.starts > MOST_STARTS:
            what = f"the scheduler ends as soon as it starts: {last_line(self.home.scheduler_log)}"
            raise XpError(what, where=str(self.home.scheduler_log), fix="run `xp doctor`; the log tells more")
        self.tell("the scheduler is gone: starting another one")
        start_detached(self.home)
