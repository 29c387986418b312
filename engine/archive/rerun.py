"""Runs of an archive done once more: takes its small home, its specs and which runs, gives what repeats.

A run is planned from the archived spec on this machine's data. Where its jobs get the ids that they have in the
archive, they are the same work and are done here, one after the other, in a home of their own; where not, it says what
differs and does nothing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.archive.own_code import list_files, name_copies
from engine.archive.repeated import tell_repeated
from engine.collect import collect
from engine.errors import ArchiveError, DataError, XpError, closest_hint
from engine.home.files import read_object
from engine.home.paths import Home
from engine.home.records import read_record
from engine.inputs.gpus import list_gpus, slot_env
from engine.launch import CPU_SLOT
from engine.launch.fork_link import module_words, server_env
from engine.load import load_spec
from engine.plan import Job, Plan, Run, make_plan
from engine.plan.estimate import estimate_plan
from engine.plan.own_code import trust_spec
from engine.plan.subset import Place, keep_runs, needed_jobs, place_of
from engine.schedule.growing import WORD
from engine.schedule.placing import on_gpu, read_demand
from engine.schedule.submit import submit_plan
from engine.spec import Spec
from engine.spec.dotted import flatten_settings
from engine.spec.drawn_code import uses_code
from engine.spec.job_file import IMPORTED
from engine.spec.trial_arms import trial_words, with_drawn

Tell = Callable[[str], None]
Record = Mapping[str, Any]
LAST_WORDS = 3  # lines of a log


@dataclass(frozen=True)
class Asked:
    """Which runs: a number (of the quickest ones), or words that name them; and what this machine has elsewhere.

    `trust`: people's own code that the archive holds may run.
    """

    words: Sequence[str]
    overrides: Sequence[str] = ()
    trust: bool = False


def rerun_runs(home: Home, names: Sequence[str], specs: Path, asked: Asked, root: Path, tell: Tell) -> bool:
    """Do the runs that are asked for again and tell what repeats; return whether all could be done.

    Raises ArchiveError for a word that names no run.
    """
    records = {name: read_record(home.records(name)[-1]) for name in names}
    chosen = choose_runs(home, records, asked.words)
    asked_of = [name for name in names if chosen[name]]
    done = [_rerun_some(home, records[name], chosen[name], specs, asked, root / name, tell) for name in asked_of]
    return all(done)


def choose_runs(home: Home, records: Mapping[str, Record], words: Sequence[str]) -> dict[str, list[Record]]:
    """Return the runs of each experiment that `words` ask for. Raises ArchiveError for a word that is none."""
    known = [(name, run) for name, record in records.items() for run in record["runs"]]
    picked: list[str] = []
    for word in words:
        if word.isdigit() and int(word) > 0:
            picked += _quickest(home, [run for _, run in known], int(word))
            continue
        found = [run["run"] for name, run in known if word in _names_of(name, run)]
        if not found:
            fix = closest_hint(word, {f"{run['arm']}/{run['seed']}" for _, run in known})
            raise ArchiveError(f"no run of this archive is called {word!r}", where="--rerun", fix=fix)
        picked += found
    return {name: [run for other, run in known if other == name and run["run"] in picked] for name in records}


def _names_of(name: str, run: Record) -> set[str]:
    """What a person may call a run, or all runs of its cell or arm."""
    arm, cell, seed = run["arm"], run["cell"], run["seed"]
    words = {arm, f"{arm}/{seed}", f"{arm}/{cell}", f"{arm}/{cell}/{seed}"}
    return words | {f"{name}/{word}" for word in words} | {run["run"]}


def _quickest(home: Home, runs: Sequence[Record], count: int) -> list[str]:
    """Return the runs that are done and took least, by the seconds of their jobs."""

    def seconds(run: Record) -> float | None:
        results = [read_object(home.job(job).result) for job in run["jobs"].values()]
        return None if not all(results) else sum(float((one or {}).get("seconds") or 0.0) for one in results)

    timed = [(took, run["run"]) for run in runs if (took := seconds(run)) is not None]
    return [run for _, run in sorted(timed)[:count]]


def _rerun_some(
    home: Home, record: Record, runs: Sequence[Record], specs: Path, asked: Asked, root: Path, tell: Tell
) -> bool:
    name = record["name"]
    if IMPORTED in record:
        tell(f"{name}: its runs were imported from another tool, and can be done again by that alone")
        return False
    scratch = Home(root, root / "cache")
    for folder in (scratch.experiments_root, scratch.jobs_root, scratch.cache):
        folder.mkdir(parents=True)
    try:
        spec = _with_trials(_load_archived(home, specs / f"{name}.yaml", asked, root), record, runs)
        if asked.trust:
            trust_spec(spec, scratch)
        elif uses_code(spec):
            tell(f"{name}: its runs need code that came with it, and none of that runs by itself: {_name_code(home)}")
            return False
        plan = plan_runs(spec, runs, scratch)
    except XpError as error:
        tell(f"{name}: cannot be done again here: {error}".replace("\nfix: ", "; fix: "))
        return False
    apart = list(_other_jobs(home, plan, runs))
    for line in apart:
        tell(f"{name}: {line}")
    if apart:
        return False
    return _do_jobs(scratch, plan, tell) and _tell_runs(home, scratch, runs, tell)


def _load_archived(home: Home, path: Path, asked: Asked, root: Path) -> Spec:
    """Return the spec of an archive, in which people's own code is the copy that jobs ran with."""
    told = path.read_text(encoding="utf-8")
    copied = name_copies(told, home)
    if copied != told:
        path = root / path.name
        path.write_text(copied, encoding="utf-8")
    return load_spec(path, asked.overrides)


def _with_trials(spec: Spec, record: Record, runs: Sequence[Record]) -> Spec:
    """Return the spec with those trials and finals of its search that are to be done again as arms of it."""
    if spec.search is None:
        return spec
    arms = {run["arm"] for run in runs}
    told = [one for one in record.get(WORD, {}).get("trials", ()) if one["trial_arm"] in arms]
    return with_drawn(spec, {one["trial_arm"]: (one["arm"], trial_words(spec.search, one)) for one in told})


def _name_code(home: Home) -> str:
    files = ", ".join(list_files(home)) or "it is not in the archive"
    return f"{files}; fix: read it, and if you trust who wrote it, say --trust"


def plan_runs(spec: Spec, runs: Sequence[Record], scratch: Home) -> Plan:
    """Return the plan of these runs on this machine. Raises DataError where something is missing here."""
    places: set[Place] = {(run["arm"], run["cell"], run["seed"]) for run in runs}
    seeds = sorted({*spec.seeds, *(seed for _, _, seed in places)})
    plan = make_plan(spec.model_copy(update={"seeds": seeds}), scratch)
    lacks = (*plan.missing, *plan.refused)
    if lacks or plan.is_provisional:
        reasons = lacks or tuple(str(job.reason) for job in plan.jobs if job.reason)
        what, _, fix = reasons[0].partition("\nfix: ")
        raise DataError(what, fix=fix or "bring it here, or name where it is with --set")
    return _as_recorded(keep_runs(plan, places), runs)


def _as_recorded(plan: Plan, runs: Sequence[Record]) -> Plan:
    """Return the plan of runs with the jobs, and under the ids, that they have in the archive: a trial has fewer."""
    told = {(run["arm"], run["cell"], run["seed"]): run for run in runs}
    kept = tuple(_like(run, told[place_of(run)]) for run in plan.runs)
    wanted = needed_jobs({job.key: job for job in plan.jobs}, kept)
    return replace(plan, runs=kept, jobs=tuple(job for job in plan.jobs if job.key in wanted))


def _like(run: Run, told: Record) -> Run:
    jobs = {role: job for role, job in run.jobs.items() if role in told["jobs"]}
    return replace(run, run=told["run"], jobs=jobs)


def _other_jobs(home: Home, plan: Plan, runs: Sequence[Record]) -> Iterator[str]:
    """Yield why a run is not the same work here: of each job that has another id, what decides it otherwise."""
    planned = {place_of(run): run for run in plan.runs}
    jobs = {job.key: job for job in plan.jobs}
    for run in runs:
        ours = planned.get((run["arm"], run["cell"], run["seed"]))
        if ours is None:
            yield f"{_title(run)} is no run of the archived spec as this xp reads it"
            continue
        if lost := run["jobs"].keys() - ours.jobs.keys():
            yield f"{_title(run)} has a {min(lost)} job there, and none here"
            continue
        for role, job in ours.jobs.items():
            theirs = run["jobs"][role]
            if theirs != job:
                there = read_object(home.job(str(theirs)).spec) or {}
                yield f"{_title(run)}: another {role} job here, {_first_difference(there, jobs[job].canonical)}"
                break


def _first_difference(there: Record, here: Record) -> str:
    one, two = (flatten_settings(dict(side.get("settings") or {})) for side in (there, here))
    for path in sorted({*one, *two}):
        if one.get(path) != two.get(path):
            return f"because {path} is {_short(one.get(path))} there and {_short(two.get(path))} here"
    return "because of a job that it needs"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _title(run: Record) -> str:
    return f"{run['arm']} {run['cell']} seed {run['seed']}"


def _do_jobs(scratch: Home, plan: Plan, tell: Tell) -> bool:
    """Do the jobs of a plan, each after its needs; tell the last words of one that fails."""
    estimate = estimate_plan(plan, scratch, {})
    tell(f"{plan.spec.name}: {len(plan.runs)} runs again, {len(plan.jobs)} jobs, about {estimate.seconds / 60:.0f} min")
    submit_plan(plan, scratch)
    slots = list_gpus() or [CPU_SLOT]
    for number, job in enumerate(plan.jobs, 1):
        folder = scratch.job(job.key)
        tell(f"  {number} of {len(plan.jobs)}: {job.key}")
        words = module_words("engine.run", str(folder.root), "--log")
        place = {"XP_CACHE": str(scratch.cache), "XP_SLOT": slot_of(job, slots)}
        done = subprocess.run(words, env={**server_env(), **place, **slot_env(place["XP_SLOT"])}, check=False)
        if not folder.result.exists():
            log = folder.attempt(1).log
            said = log.read_text(errors="replace").splitlines()[-LAST_WORDS:] if log.exists() else []
            tell(f"  it failed (exit {done.returncode}): {' / '.join(said)}")
            return False
    return True


def slot_of(job: Job, slots: Sequence[str]) -> str:
    """Return where a scheduler would do a job: the first GPU for what asks for one, else the CPU."""
    demand = read_demand(job.kind, job.details.model_dump(mode="json"))
    return slots[0] if on_gpu(demand, slots) else CPU_SLOT


def _tell_runs(home: Home, scratch: Home, runs: Sequence[Record], tell: Tell) -> bool:
    collect(scratch, wait=60.0)
    for run in runs:
        for line in tell_repeated(home, scratch, run):
            tell(line)
    return True
