"""A teacher by reference: takes EXPERIMENT/ARM, gives the job of that run here, taken over into this plan.

The newest submission counts. A network that was trained on another part of the images than this run's training part
may have seen this run's test images, so its run must be of the same images and split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import DataError, VersionError, closest_hint
from engine.home.files import read_json
from engine.plan.draft import Cost, PlanContext
from engine.spec.job_file import AGAIN, JobSpec, read_details, read_job
from engine.spec.job_kinds import final_network
from engine.spec.job_settings import SPLIT_WORDS, JobSettings, QuantizeSettings, TrainSettings

WHERE = "teacher.run"
Record = Mapping[str, Any]


def find_run(context: PlanContext, name: str, seed: int) -> Record:
    """Return the run `EXPERIMENT/ARM` (or `.../CELL`) of this split with `seed`, as its record has it."""
    experiment, arm, *cell = name.split("/", 2)
    runs = _runs_of(context, experiment)
    arms = {run["arm"] for run in runs}
    if arm not in arms:
        raise DataError(f"{experiment} has no arm {arm!r}", where=WHERE, fix=closest_hint(arm, arms))
    runs = [run for run in runs if run["arm"] == arm]
    runs = _narrow(runs, "cell", cell[0]) if cell else _narrow(runs, "split", context.settings.data.split)
    runs = _narrow(runs, "seed", seed)
    if len(runs) > 1:
        cells = sorted(str(run["cell"]) for run in runs)
        what = f"{experiment}/{arm} is {len(runs)} runs with seed {seed}"
        raise DataError(what, where=WHERE, fix=f"name one: {experiment}/{arm}/{cells[0]}")
    return runs[0]


def _runs_of(context: PlanContext, experiment: str) -> list[Record]:
    home = context.draft.home
    records = home.records(experiment)
    if not records:
        known = [path.name for path in home.experiments() if home.records(path.name)]
        fix = closest_hint(experiment, known) if known else "submit that experiment first"
        raise DataError(f"this home has no experiment {experiment!r}", where=WHERE, fix=fix)
    runs: list[Record] = read_json(records[-1])["runs"]
    return runs


def _narrow(runs: list[Record], field: str, wanted: object) -> list[Record]:
    kept = [run for run in runs if run[field] == wanted]
    if not kept:
        there = ", ".join(sorted({str(run[field]) for run in runs}))
        word = {"seed": "teacher.seed", "split": "data.split"}.get(field, WHERE)
        raise DataError(f"that arm has no run of {field} {wanted}", where=WHERE, fix=f"set {word} to one of: {there}")
    return kept


def take_over(context: PlanContext, name: str, run: Record, pack: str) -> tuple[str, TrainSettings]:
    """Add the job that made the run's network, and what it needs, to the plan; return it and its settings.

    Raises DataError when it learnt from other images or another split than this run does.
    """
    job = final_network(run["jobs"])
    _refuse_quantized(context, name, job)
    made_of = read_job(context.draft.home.job(job), TrainSettings)
    record = read_json(context.draft.home.records(name.split("/")[0])[-1])
    _take_job(context, job, {held["job"]: held for held in record["jobs"]})
    mine, theirs = context.settings.data, made_of.settings.data
    other = [word for word in (*SPLIT_WORDS, "classes") if getattr(theirs, word) != getattr(mine, word)]
    if made_of.needs["pack"] != pack or other:
        what = f"{name} learnt from other images or another split: it may have seen this run's test images"
        fix = "name a run with the same data: section" + (f" ({', '.join(other)} differ)" if other else "")
        raise DataError(what, where=WHERE, fix=fix)
    return job, made_of.settings


def _refuse_quantized(context: PlanContext, name: str, job: str) -> None:
    if isinstance(read_job(context.draft.home.job(job), JobSettings).settings, QuantizeSettings):
        what = f"{name} is quantised: it is a file of another runtime, and a teacher answers in torch"
        raise DataError(what, where=WHERE, fix="name the arm that it was quantised from")


def _take_job(context: PlanContext, job: str, costs: Mapping[str, Record]) -> None:
    """Add `job` and all before it as their spec.json has them: what is done is reused, what is not is done."""
    folder = context.draft.home.job(job)
    made_of: JobSpec[JobSettings] = read_job(folder, JobSettings)
    for need in made_of.needs.values():
        _take_job(context, need, costs)
    cost = Cost(read_details(folder), costs.get(job, {}).get("images", 0.0))
    key = context.draft.add(made_of.settings, made_of.needs, cost)
    if key != job:
        raise VersionError(f"{job} was made by another version of xp", where=str(folder.spec), fix=AGAIN)
