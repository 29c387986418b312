"""What an experiment lacks for a page: takes a site and a name, gives what would fill it and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.analysis.lacking import Lacking, recorded_lacking
from engine.home.records import read_record
from engine.inspect.status import ExperimentView
from engine.schedule.growing import trial_arms
from engine.serve.readings import await_briefly
from engine.serve.site import Site

PATIENCE = 0.4  # seconds
MOVED = (
    "{name}: what is missing cannot be told from here: planned in this folder, its spec gives other runs than those "
    "that were submitted. Relative paths lead elsewhere, or its data or weights have changed: start xp serve in the "
    "folder that it was submitted from."
)


@dataclass(frozen=True)
class Wanted:
    """Runs that are wanted together: what they are for, why, and what they cost ("" where no run helps)."""

    what: str
    why: str
    price: str


@dataclass(frozen=True)
class Lacks:
    """All that is wanted and what it costs together, or `unknown`: why that cannot be told here."""

    wanted: Sequence[Wanted]
    total: str
    unknown: str = ""


def ask_lacks(site: Site, view: ExperimentView) -> Lacks | None:
    """Return what an experiment lacks now; None while that is being found out, as its jobs are planned anew for it."""
    name = view.experiment
    key = ("lacks", name, site.results_mark(), tuple(sorted(view.jobs.items())))
    return await_briefly(site.kept.begin(key, lambda: _find(site, name)), PATIENCE)


def _find(site: Site, name: str) -> Lacks:
    found = recorded_lacking(site.home, name)
    if isinstance(found, str):
        return Lacks((), "", found)
    if not _is_as_submitted(site, name, found):
        return Lacks((), "", MOVED.format(name=name))
    wanted = [Wanted(one.what, one.why, str(found.price_of(one)) if one.places else "") for one in found.needs]
    return Lacks(wanted, str(found.total) if found.needs else "")


def _is_as_submitted(site: Site, name: str, found: Lacking) -> bool:
    """Whether a plan made here has the runs of the newest submission: of others it would say that they are missing.

    But for what a search added.
    """
    record = read_record(site.home.records(name)[-1])
    tried = trial_arms(record)
    return {run["run"] for run in record["runs"] if run["arm"] not in tried} <= {run.run for run in found.plan.runs}
