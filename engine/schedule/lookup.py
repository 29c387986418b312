"""Finding: takes what a person typed, gives the jobs, the run or the arm it means.

One way everywhere: EXPERIMENT, EXPERIMENT/ARM, EXPERIMENT/ARM/CELL, either with @SEED, a run, a job, or the unique
beginning of an id. Addresses are those of the newest submission.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import XpError, closest_hint
from engine.home.paths import Home, is_own_name
from engine.home.records import read_record
from engine.spec.job_kinds import final_network, kind_in_id, shared_roles
from store.queue import FoundName, Owners, Queue

RUN_FIX = "name a run, or EXPERIMENT/ARM; xp status lists them"
MOST = 7  # ids that are looked for: one more than are shown


@dataclass(frozen=True)
class Match:
    """What an id or address stands for. `jobs` are all jobs of it, in the order they are needed.

    An arm is some runs of an experiment, whichever part of an address chose them.
    """

    kind: Literal["experiment", "arm", "run", "job"]
    name: str
    experiment: str | None
    jobs: tuple[str, ...]
    runs: tuple[str, ...] = ()
    """Of an arm."""


@dataclass(frozen=True)
class FoundRun:
    """A run of the newest submission that has it, and its jobs by role."""

    run: str
    experiment: str
    arm: str
    cell: str
    seed: int
    jobs: Mapping[str, str]

    @property
    def name(self) -> str:
        cell = "" if self.cell == "default" else f"/{self.cell}"
        return f"{self.experiment}/{self.arm}{cell}@{self.seed}"


def find_run(home: Home, text: str, *, or_first: bool = False) -> FoundRun:
    """Return the run that `text` names: itself, or EXPERIMENT/ARM, EXPERIMENT/ARM/CELL, either with @SEED.

    Raises XpError where nothing is called so, and where it is several runs, unless the first of them will do.
    """
    if "/" not in text:
        match = find_match(home, text)
        if match.experiment is not None and match.kind == "run":
            return next(run for run in _all_runs(home, match.experiment) if run.run == match.name)
        arms = sorted({run.arm for run in list_runs(home, text)}) if match.kind == "experiment" else []
        fix = f"name one of its arms: {', '.join(f'{text}/{arm}' for arm in arms[:MOST])}" if arms else RUN_FIX
        raise XpError(f"{match.name} is {'an experiment' if arms else 'a job'}, and a run is wanted", fix=fix)
    runs, place = find_runs(home, text), text.partition("@")[0]
    if len(runs) > 1 and not or_first:
        cell = place.count("/") > 1
        ways = sorted({f"{place}/{run.cell}@{run.seed}" if len({one.cell for one in runs}) > 1 and not cell
                       else f"{place}@{run.seed}" for run in runs})  # fmt: skip
        raise XpError(f"{text} is {len(runs)} runs", fix=f"name one of them: {', '.join(ways[:MOST])}")
    return runs[0]


def find_runs(home: Home, address: str) -> list[FoundRun]:
    """Return the runs of EXPERIMENT/ARM or EXPERIMENT/ARM/CELL, either with @SEED. Raises XpError where none is."""
    place, _, seed = address.partition("@")
    experiment, arm, *cell = place.split("/", 2)
    runs = list_runs(home, experiment)
    arms = sorted({run.arm for run in runs})
    if arm not in arms:
        raise XpError(f"{experiment} has no arm {arm!r}", fix=closest_hint(arm, arms))
    runs = [run for run in runs if run.arm == arm]
    runs = _with(runs, "cell", cell[0], experiment) if cell else runs
    return _with(runs, "seed", seed, experiment) if seed else runs


def find_arm(home: Home, text: str) -> str:
    """Return EXPERIMENT/ARM of what `text` names: an arm as it is, or that of a run. Raises XpError for all else."""
    if "/" in text and "@" not in text:
        return text
    run = find_run(home, text, or_first=True)
    return f"{run.experiment}/{run.arm}"


def find_network(home: Home, text: str) -> tuple[str, str]:
    """Return the job whose network `text` means, and its name: of a run the last one, or a job that makes one."""
    if "/" not in text:
        match = find_match(home, text)
        kind = kind_in_id(match.name) if match.kind == "job" else None
        if kind is not None and kind.network_role is not None:
            return match.name, match.name
    run = find_run(home, text)
    return final_network(run.jobs), run.name


def name_jobs(home: Home, jobs: Sequence[str], experiment: str | None = None) -> dict[str, str]:
    """Return of each job what it is to whom, as `student of tiny/sparse@1`; of one that is nobody's its id alone.

    A job that several runs share has what they have in common.
    """
    with Queue.open_readonly(home.queue_db) as queue:
        owners = queue.owners(jobs, experiment)
    told: dict[str, list[str]] = {}
    for owner in owners:
        told.setdefault(owner.job, []).append(_owner_text(owner))
    return {job: " and ".join(told[job][:2]) + (" and others" if len(told[job]) > 2 else "") if job in told else job
            for job in jobs}  # fmt: skip


def _owner_text(owner: Owners) -> str:
    if owner.role in shared_roles() or owner.arms > 2:
        return f"{owner.role} of {owner.experiment}"
    arms = owner.arm if owner.arms == 1 else f"{owner.arm}+{owner.other_arm}"
    cell = "" if owner.cells != 1 or owner.cell == "default" else f"/{owner.cell}"
    seed = f"@{owner.seed}" if owner.seeds == 1 else ""
    return f"{owner.role} of {owner.experiment}/{arms}{cell}{seed}"


def _with(runs: Sequence[FoundRun], field: str, wanted: str, experiment: str) -> list[FoundRun]:
    kept = [run for run in runs if str(getattr(run, field)) == wanted]
    if not kept:
        there = sorted({str(getattr(run, field)) for run in runs})
        raise XpError(f"{experiment}/{runs[0].arm} has no {field} {wanted!r}", fix=closest_hint(wanted, there))
    return kept


def list_runs(home: Home, experiment: str) -> list[FoundRun]:
    """Return the runs of an experiment's newest submission. Raises XpError where there is none of that name."""
    if not is_own_name(experiment) or not home.records(experiment):
        known = [path.name for path in home.experiments() if home.records(path.name)]
        fix = closest_hint(experiment, known) if known else "submit a spec first: xp submit SPEC"
        raise XpError(f"this home has no experiment {experiment!r}", where="xp status lists what there is", fix=fix)
    return _runs_in(read_record(home.records(experiment)[-1]), experiment)


def _all_runs(home: Home, experiment: str) -> list[FoundRun]:
    """Return the runs of all submissions, those of the newest first."""
    return [run for path in reversed(home.records(experiment)) for run in _runs_in(read_record(path), experiment)]


def _runs_in(record: Mapping[str, Any], experiment: str) -> list[FoundRun]:
    words = ("run", "arm", "cell", "seed", "jobs")
    return [FoundRun(experiment=experiment, **{word: run[word] for word in words}) for run in record["runs"]]


def find_experiment(home: Home, text: str) -> str:
    """Return the experiment that `text` names, or that has the run it names. Raises XpError when there is none."""
    with Queue.open_readonly(home.queue_db) as queue:
        if text in queue.experiment_names():
            return text
    match = find_match(home, text)
    if match.experiment is None:
        raise XpError(f"{match.name} is a job, which several experiments may have", fix=f"try `xp why {match.name}`")
    return match.experiment


def find_match(home: Home, text: str) -> Match:
    """Return what `text` names. Raises XpError when nothing, or more than one thing, begins so."""
    # Bytes of an argument that are no Unicode name nothing here, and SQLite does not take them.
    text = text.encode("utf-8", "replace").decode()
    with Queue.open_readonly(home.queue_db) as queue:
        names = queue.experiment_names()
        if text in names:
            return Match("experiment", text, text, tuple(queue.jobs_of(text)))
        if "/" in text:
            return _match_address(home, queue, text)
        # A job's folder is enough, such as one that was copied here.
        if is_own_name(text) and home.job(text).spec.exists():
            return Match("job", text, None, (text,))
        # One letter is too little to mean anything.
        found = queue.find_ids(text, MOST) if len(text) >= 2 else []
        if len(found) == 1:
            return _match_of(queue, found[0])
    raise _no_match(home, text, found, names)


def _told(home: Home, found: Sequence[FoundName]) -> Iterator[str]:
    """Yield ids with what they are: a run's address, what a job is to whom; a hash alone says nothing."""
    jobs = name_jobs(home, [one.name for one in found if one.experiment is None])
    runs: dict[str, str] = {}
    for name in {one.experiment for one in found if one.experiment is not None}:
        with suppress(XpError):  # a record that is damaged names no runs
            runs |= {run.run: run.name for run in _all_runs(home, name)}
    for one in found:
        told = runs.get(one.name) or jobs.get(one.name, one.name)
        yield one.name if told == one.name else f"{one.name} ({told})"


def _match_address(home: Home, queue: Queue, text: str) -> Match:
    runs = find_runs(home, text)
    names = tuple(run.run for run in runs)
    experiment = runs[0].experiment
    if len(runs) == 1:
        return Match("run", names[0], experiment, tuple(queue.jobs_of(experiment, names)))
    return Match("arm", text, experiment, tuple(queue.jobs_of(experiment, names)), names)


def _match_of(queue: Queue, found: FoundName) -> Match:
    if found.experiment is None:
        return Match("job", found.name, None, (found.name,))
    return Match("run", found.name, found.experiment, tuple(queue.jobs_of(found.experiment, [found.name])))


def _no_match(home: Home, text: str, found: list[FoundName], experiments: list[str]) -> XpError:
    if found:
        names = ", ".join(_told(home, found[: MOST - 1]))
        more = f" more than {MOST - 1} ids" if len(found) == MOST else f" {len(found)} ids"
        return XpError(f"{text!r} begins{more}: {names}", fix="type more of the one you mean")
    fix = closest_hint(text, experiments) if experiments else "submit a spec first: xp submit SPEC"
    return XpError(f"nothing here is called {text!r}", where="xp status lists what there is", fix=fix)
