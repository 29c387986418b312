"""Finding: takes what a person typed (an experiment, a run, a job, or a unique beginning), gives the jobs it means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from engine.errors import XpError, closest_hint
from engine.home import Home
from store.queue import Queue, RunRow


@dataclass(frozen=True)
class Match:
    """What an id stands for. `jobs` are all jobs of it, in the order they are needed."""

    kind: Literal["experiment", "run", "job"]
    name: str
    experiment: str | None
    jobs: tuple[str, ...]


def find_match(home: Home, text: str) -> Match:
    """Return what `text` names. Raises XpError when nothing, or more than one thing, begins so."""
    with Queue.open_readonly(home.queue_db) as queue:
        runs = queue.experiment_rows()
        jobs = list(queue.job_states())
    experiments = {run.experiment for run in runs}
    if text in experiments:
        return Match("experiment", text, text, _jobs_of(run for run in runs if run.experiment == text))
    found = [Match("run", run.run, run.experiment, _jobs_of([run])) for run in runs if _begins(run.run, text)]
    found += [Match("job", job, None, (job,)) for job in jobs if _begins(job, text)]
    if len(found) == 1:
        return found[0]
    raise _no_match(text, found, experiments)


def _begins(name: str, text: str) -> bool:
    """`train-3f9c` and `3f9c` both begin `train-3f9c0a1b2c4d`; one letter is too little to mean anything."""
    return len(text) >= 2 and (name.startswith(text) or name.partition("-")[2].startswith(text))


def _jobs_of(runs: Iterable[RunRow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(job for run in runs for job in run.jobs.values()))


def _no_match(text: str, found: list[Match], experiments: set[str]) -> XpError:
    if found:
        names = ", ".join(match.name for match in found[:6])
        return XpError(f"{text!r} begins {len(found)} ids: {names}", fix="type more of the one you mean")
    fix = closest_hint(text, experiments) if experiments else "submit a spec first: xp submit SPEC"
    return XpError(f"nothing here is called {text!r}", where="xp status lists what there is", fix=fix)
