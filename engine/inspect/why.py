"""Why: takes ids, gives what they are made of, why a job ran or was reused, and where two runs or jobs differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import XpError
from engine.home.control_files import read_outcome
from engine.home.files import read_json
from engine.home.paths import AttemptFolder, Home
from engine.inspect.own_code import code_lines
from engine.inspect.why_begun import explain_beginnings
from engine.schedule.lookup import Match
from engine.spec.dotted import flatten_settings
from engine.spec.identity import canonical_json, counted_settings
from engine.spec.job_file import canonical_spec, read_job
from engine.spec.job_settings import JobSettings
from store.queue import Queue


@dataclass(frozen=True)
class SettingDifference:
    """One setting that two ids do not share; None stands for absent or null."""

    path: str
    first: Any
    second: Any


def explain_job(home: Home, job: str) -> Iterator[str]:
    """Yield lines: the state and its history, who needs the job, and every setting its id is made of."""
    made_of = read_job(home.job(job), JobSettings)
    yield f"{job}: a {made_of.kind} job"
    yield from (f"  {line}" for line in _history(home, job))
    yield "  needed by: " + (", ".join(_users(home, job)) or "nothing that is queued here")
    for role, need in sorted(made_of.needs.items()):
        yield f"  needs {role}: {need}"
    yield from (f"  {line}" for line in explain_beginnings(home, [job]).values())
    settings = flatten_settings(counted_settings(made_of.settings), with_empty=True)
    yield from (f"  {line}" for line in code_lines(home, settings.items()))
    for path, value in sorted(settings.items()):
        yield f"  {path} = {canonical_json(value)}"


def _history(home: Home, job: str) -> Iterator[str]:
    folder = home.job(job)
    attempts = folder.attempts()
    winner = folder.winner()
    for attempt in attempts:
        mark = " (its result counts)" if winner is not None and attempt.number == winner.number else ""
        yield f"attempt {attempt.number}: {_outcome_of(attempt)}{mark}"
    if winner is not None:
        yield "a submit that needs the same thing reuses it"
    elif not attempts:
        yield "it has not started"


def _outcome_of(attempt: AttemptFolder) -> str:
    if not attempt.outcome.exists():
        return "no outcome yet"
    held = read_outcome(attempt)
    if held is None:
        return "an outcome that is damaged"
    return " ".join(filter(None, (held.outcome, held.reason)))


def _users(home: Home, job: str) -> list[str]:
    with Queue.open_readonly(home.queue_db) as queue:
        runs = queue.experiment_rows()
    return [f"{run.experiment}/{run.arm} {run.cell} seed {run.seed}" for run in runs if job in run.jobs.values()]


def list_differences(home: Home, one: Match, other: Match) -> list[SettingDifference]:
    """Return the settings in which two runs, two arms or two jobs of a kind differ.

    Of an arm those of its first run, without the seed. Raises XpError for two kinds of thing.
    """
    if one.kind != other.kind or one.kind == "experiment":
        fix = "give two arms, two runs (EXPERIMENT/ARM@SEED) or two jobs; `xp ls EXPERIMENT` lists them"
        raise XpError(f"{one.name} and {other.name} cannot be compared setting by setting", fix=fix)
    first, second = (flatten_settings(_settings_of(home, match), with_empty=True) for match in (one, other))
    return [
        SettingDifference(path, first.get(path), second.get(path))
        for path in sorted(first.keys() | second.keys())
        if canonical_json(first.get(path)) != canonical_json(second.get(path))
    ]


def _settings_of(home: Home, match: Match) -> Mapping[str, Any]:
    if match.kind == "job":
        job = read_job(home.job(match.name), JobSettings)
        return canonical_spec(job.kind, job.needs, job.settings)
    wanted = match.name if match.kind == "run" else match.runs[0]
    run = next(run for run in _recorded_runs(home, match.experiment or "") if run["run"] == wanted)
    return {**run["settings"], "arm": run["arm"], **({"seed": run["seed"]} if match.kind == "run" else {})}


def _recorded_runs(home: Home, experiment: str) -> Iterator[Mapping[str, Any]]:
    """Yield the runs of all submissions, those of the newest first."""
    return (run for path in reversed(home.records(experiment)) for run in read_json(path)["runs"])
