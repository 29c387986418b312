"""What was decided of each trial, and what became of it: takes a searched record and the home, gives trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from engine.collect import collect
from engine.collect.files import trials_name
from engine.errors import XpError
from engine.home.paths import Home
from engine.schedule.growing import WORD
from engine.spec import Spec
from engine.spec.search import Search
from store.queue import Queue
from store.results import open_snapshot

Stage = Literal["measure", "train", "final"]
State = Literal["open", "done", "failed", "refused"]
ENDED = ("failed", "cancelled")


@dataclass(frozen=True)
class Decision:
    """One trial as it was asked for, on one of its rungs. `marks` is what the sampler wants to know of it later.

    `seeds` are those of a final; a trial has the first of its spec.
    """

    trial: int
    arm: str
    trial_arm: str
    settings: Mapping[str, Any]
    why: str
    stage: Stage
    at: float
    refused: str | None = None
    rung: int = 0
    marks: Mapping[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Trial:
    """A trial and what became of it; `values` by metric, of those that are known."""

    decision: Decision
    state: State
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_judged(self) -> bool:
        return self.state == "done"


@dataclass(frozen=True)
class Study:
    """A search as far as it is: the record it stands in, and its trials in the order in which they were asked for."""

    spec: Spec
    record: Mapping[str, Any]
    trials: tuple[Trial, ...]

    @property
    def search(self) -> Search:
        if self.spec.search is None:
            raise XpError(f"{self.spec.name} searches nothing", fix="write `search:` in its spec, and submit it")
        return self.spec.search

    @property
    def number(self) -> int:
        return int(self.record["number"])

    @property
    def arms(self) -> list[str]:
        return [arm for arm in self.spec.arm_names if self.search.is_searched(arm)]

    @property
    def asked(self) -> int:
        """Trials of each arm, with those that were asked for later."""
        return int(self.record[WORD]["asked"])

    @property
    def is_stopped(self) -> bool:
        return bool(self.record[WORD]["stopped"])

    def of(self, arm: str) -> list[Trial]:
        """Return the trials of an arm, without its finals."""
        return [one for one in self.trials if one.decision.arm == arm and one.decision.stage != "final"]

    def finals(self, arm: str) -> list[Trial]:
        return [one for one in self.trials if one.decision.arm == arm and one.decision.stage == "final"]


def count_spent(trials: Iterable[Trial]) -> int:
    """Return how many of the trials count: a refused one was not trained."""
    return sum(one.state != "refused" for one in trials)


def read_spec(record: Mapping[str, Any]) -> Spec:
    """Return the spec of a record; what it extends is in it already."""
    return Spec.model_validate({key: value for key, value in record["spec"].items() if key != "extends"})


class Figures:
    """The figures of runs by metric, read anew only when other runs have ended."""

    def __init__(self, home: Home, name: str) -> None:
        self.home, self.name = home, name
        self.ended: list[str] = []
        self.values: dict[str, dict[str, float]] = {}

    def of(self, ended: list[str], metrics: Sequence[str]) -> dict[str, dict[str, float]]:
        if ended != self.ended:
            self.ended, self.values = ended, _read_values(self.home, self.name, metrics)
        return self.values


def read_study(home: Home, record: Mapping[str, Any], figures: Figures | None = None) -> Study:
    """Return the search of a record, with the figures of all that has ended: results are brought up to the files.

    `figures` are kept from one look to the next of a process.
    """
    spec = read_spec(record)
    decisions = [Decision(**told) for told in record[WORD]["trials"]]
    states = _run_states(home, record)
    ended = [run["run"] for run in record["runs"] if states[run["run"]] == "done"]
    names = sorted({*spec.search.metrics, *spec.search.constraint}) if spec.search is not None else []
    values = (figures or Figures(home, spec.name)).of(ended, names) if decisions else {}
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for run in record["runs"]:
        runs.setdefault(run["arm"], []).append(run)
    trials = [_join(one, runs.get(one.trial_arm, []), states, values) for one in decisions]
    return Study(spec, record, tuple(trials))


def _join(
    decision: Decision, runs: Sequence[Mapping[str, Any]], states: Mapping[str, State],
    values: Mapping[str, Mapping[str, float]],
) -> Trial:  # fmt: skip
    """Return the trial: refused, as far as its runs are, with the figures of its first run."""
    if decision.refused is not None:
        return Trial(decision, "refused", values.get(runs[0]["run"], {}) if runs else {})
    found = {states[run["run"]] for run in runs}
    state: State = "failed" if "failed" in found else "done" if found == {"done"} else "open"
    trial = Trial(decision, state)
    return replace(trial, values=values.get(runs[0]["run"], {})) if state == "done" else trial


def _run_states(home: Home, record: Mapping[str, Any]) -> dict[str, State]:
    """Results on disk say what is done, the queue what cannot be."""
    with Queue.open_readonly(home.queue_db) as queue:
        queued = queue.job_states()
    done = {entry["job"]: home.job(entry["job"]).result.exists() for entry in record["jobs"]}
    states: dict[str, State] = {}
    for run in record["runs"]:
        jobs = run["jobs"].values()
        has_failed = any(not done[job] and queued.get(job) in ENDED for job in jobs)
        states[run["run"]] = "failed" if has_failed else "done" if all(done[job] for job in jobs) else "open"
    return states


def _read_values(home: Home, name: str, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the figures of an experiment's runs as `results` has them: the same that reports will show."""
    collect(home, wait=60.0)
    with open_snapshot(home) as db:
        columns = ", ".join(f'"{metric}"' for metric in metrics)
        # Finals are the experiment's own arms: they are read too, to tell how their validation compares.
        rows = db.execute(
            f"select run, {columns} from results where list_contains($names, experiment)",
            {"names": [name, trials_name(name)]},
        ).fetchall()
    return {
        str(run): {metric: float(value) for metric, value in zip(metrics, found, strict=True) if value is not None}
        for run, *found in rows
    }
