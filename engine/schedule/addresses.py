"""Addresses of runs: takes `EXPERIMENT/ARM`, with a cell and a seed where they are needed, gives one run of a home.

EXPERIMENT/ARM[/CELL][@SEED]; what is left out is the first one there is. The newest submission counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.errors import XpError, closest_hint
from engine.home.paths import Home
from engine.home.records import newest_records, read_record


@dataclass(frozen=True)
class NamedRun:
    """A run as its submission has it, and the job that plays each role in it."""

    run: str
    experiment: str
    arm: str
    cell: str
    seed: int
    jobs: Mapping[str, str]

    @property
    def title(self) -> str:
        cell = "" if self.cell == "default" else f"/{self.cell}"
        return f"{self.experiment}/{self.arm}{cell}@{self.seed}"


def list_runs(home: Home, experiment: str) -> list[NamedRun]:
    """Return the runs of the newest submission of an experiment. Raises XpError when there is none of that name."""
    records = newest_records(home)
    if experiment not in records:
        fix = closest_hint(experiment, records) if records else "submit a spec first: xp submit SPEC"
        raise XpError(f"no experiment here is called {experiment!r}", where="xp status lists what there is", fix=fix)
    runs = read_record(records[experiment])["runs"]
    return [
        NamedRun(run["run"], experiment, run["arm"], run["cell"], run["seed"], run["jobs"])
        for run in runs
    ]  # fmt: skip


def find_run(home: Home, address: str) -> NamedRun:
    """Return the run that an address names. Raises XpError, with what there is, when it names none."""
    path, _, seed = address.partition("@")
    experiment, _, rest = path.partition("/")
    arm, _, cell = rest.partition("/")
    runs = list_runs(home, experiment)
    runs = _narrow(runs, "arm", arm, [run.arm for run in runs])
    if cell:
        runs = _narrow(runs, "cell", cell, [run.cell for run in runs])
    if seed:
        runs = _narrow(runs, "seed", seed, [str(run.seed) for run in runs])
    return runs[0]


def _narrow(runs: Sequence[NamedRun], field: str, wanted: str, there: Sequence[str]) -> list[NamedRun]:
    kept = [run for run, value in zip(runs, there, strict=True) if value == wanted]
    if not kept:
        what = f"{runs[0].experiment} has no {field} {wanted!r}"
        raise XpError(what, where=runs[0].experiment, fix=closest_hint(wanted, there))
    return kept
