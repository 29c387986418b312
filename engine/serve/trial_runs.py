"""Runs of trials among all runs: takes names, says under which experiment they stand and which figures are not shown.

The results have them as those of NAME/trials (collect/files.py), so that no table of NAME counts them; the queue has
them as NAME's. Pages name them as the results do. Nobody may choose by test images: of a trial no table
has its figures on them.
"""

from __future__ import annotations

from functools import cache

from engine.collect.files import trials_name
from engine.home.paths import Home
from engine.schedule.searched import read_progress
from engine.spec.search import MARK

ENDING = trials_name("")


def is_of_trials(experiment: str) -> bool:
    return experiment.endswith(ENDING)


def submitted_as(experiment: str) -> str:
    """Return the experiment that has a page, a record and a queue, of one that may be its trials."""
    return experiment.removesuffix(ENDING)


def is_unseen(experiment: str, figure: str) -> bool:
    """Whether a figure is of test images, and the run a trial's."""
    return is_of_trials(experiment) and "test" in figure


class TrialNames:
    """Tells the trials among runs of the queue, by what the last look at a search wrote down (schedule/searched.py).

    No arm of a spec may be called as a trial of another one (load/search_space.py).
    """

    def __init__(self, home: Home) -> None:
        self._marks = cache(lambda name: tuple(f"{arm.arm}{MARK}" for arm in read_progress(home, name)))

    def place(self, experiment: str, arm: str) -> str:
        """Return under which name a run of the queue stands in the results."""
        return trials_name(experiment) if arm.startswith(self._marks(experiment)) else experiment
