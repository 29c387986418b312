"""Beginning where a shorter training stood: takes an attempt, gives the state of another job that it may begin with.

The other job did the same up to there, by the same code on the same kind of machine, so that the bits are those of a
straight run, and the id of this job says nothing of it. Where that is not so, or nothing is left of it, nothing is
given, and the job begins at its start. The figures of the epochs that are taken over lie in the state, and are logged
once more, by this job; the seconds that they took are told beside its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.core.train.checkpoint import LoadedCheckpoint, State, load_newest
from engine.errors import XpError
from engine.home.files import read_object
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.run.attempt import Attempt
from engine.spec.continuing import branch_epoch, stable_epochs, tied_words
from engine.spec.identity import canonical_json, counted_settings
from engine.spec.job_file import JobSpec, read_job
from engine.spec.job_settings import TargetsSettings, TrainSettings

# What of an attempt's provenance must be alike for its bits to be those that this one would have come to.
SAME = ("code_digest", "torch", "timm", "device", "driver", "cpu_model", "threads", "data_digest", "ranks")


@dataclass(frozen=True)
class Beginning:
    """The state that a job begins with, and whose it is: `seconds` were spent on it, by all jobs before."""

    job: str
    attempt: int
    epoch: int
    found: LoadedCheckpoint
    seconds: float

    def as_fact(self) -> dict[str, Any]:
        told = {"job": self.job, "attempt": self.attempt, "epoch": self.epoch, "step": self.found.step}
        return {**told, "seconds": round(self.seconds, 3)}


def keep_branch(attempt: Attempt) -> None:
    """Let the attempt keep its state where longer trainings may begin; called before its first step."""
    attempt.keep_branch(branch_epoch(attempt.settings(TrainSettings).train, attempt.details.rungs))


def take_up(attempt: Attempt) -> LoadedCheckpoint | None:
    """Return the state of the longest of the shorter trainings that is there; None begins at the start."""
    begun = next(filter(None, (_open(attempt, job) for job in attempt.details.begins)), None)
    if begun is None:
        return None
    state = begun.found.state
    attempt.begin_with(state["attempt"]["logged"], begun.seconds, state.get("compiled"))
    attempt.journal.fact("begins", begun.as_fact())
    # Speed is that of the epochs that this job does itself.
    state["progress"]["rates"] = []
    print(f"begins with the state of {begun.job} after epoch {begun.epoch}", flush=True)
    return begun.found


def _open(attempt: Attempt, job: str) -> Beginning | None:
    """Return what another job left to begin with, None where it is not there, damaged, or not what is needed."""
    folder = attempt.home.job(job)
    problem = beginning_problem(attempt.home, attempt.job, folder)
    if problem is None:
        for kept in reversed(folder.attempts()):
            found = load_newest([kept.branch])
            epoch = None if found is None else _epoch_of(folder, found.state)
            if found is None or epoch is None:
                problem = f"attempt {kept.number} kept no whole state"
            elif not _is_made_alike(attempt, folder, kept.number):
                problem = "it was made by other code, or on another kind of machine"
            else:
                mine = found.state["attempt"]
                return Beginning(job, kept.number, epoch, found, mine["seconds"] + mine["taken_over"])
    print(f"does not begin with the state of {job}: {problem or 'it has no attempt'}", flush=True)
    return None


def beginning_problem(home: Home, longer: JobFolder, shorter: JobFolder) -> str | None:
    """Return why a training is not the beginning of a longer one, by what decides the two; None where it is."""
    if not shorter.spec.exists():
        return "there is no such job here"
    try:
        mine, other = read_job(longer, TrainSettings), read_job(shorter, TrainSettings)
        if _essence(home, mine) != _essence(home, other):
            return "it differs in more than its epochs"
    except (XpError, OSError, ValueError) as error:
        return str(error).splitlines()[0]
    tied = [what for _, what, _ in (*_tied(mine), *_tied(other))]
    is_shorter = (stable_epochs(other.settings.train) or 0) <= (stable_epochs(mine.settings.train) or 0)
    return tied[0] if tied else None if is_shorter else "it is not shorter"


def _tied(spec: JobSpec[TrainSettings]) -> list[tuple[str, str, str]]:
    return list(tied_words(spec.settings.train, spec.settings.distill))


def _essence(home: Home, spec: JobSpec[TrainSettings]) -> str:
    """Return what decides a training but for its epochs; views that are fresh in each are as many as epochs."""
    counted, needs = counted_settings(spec.settings), dict[str, object](spec.needs)
    counted["train"]["epochs"] = None
    if "targets" in needs and spec.settings.data.views is None:
        told = read_job(home.job(spec.needs["targets"]), TargetsSettings)
        needs["targets"] = [dict(told.needs), {**counted_settings(told.settings), "views": None}]
    return canonical_json([spec.kind, needs, counted])


def _is_made_alike(attempt: Attempt, folder: JobFolder, number: int) -> bool:
    """Whether all that may have worked on a state did so as this attempt does."""
    mine = _origin(attempt.folder)
    others = [_origin(one) for one in folder.attempts() if one.number <= number]
    return mine is not None and all(origin in (None, mine) for origin in others) and others[-1] is not None


def _origin(folder: AttemptFolder) -> list[object] | None:
    told = read_object(folder.provenance)
    return None if told is None else [told.get(name) for name in SAME]


def _epoch_of(folder: JobFolder, state: State) -> int | None:
    """Return after how many epochs a state was kept; None where it is not at the place where it should be."""
    try:
        train = read_job(folder, TrainSettings).settings.train
        epoch, batch, split = state["progress"]["epoch"], state["progress"]["batch"], state.get("micro_batch")
        is_whole = state["attempt"]["logged"] is not None and epoch == stable_epochs(train) and batch == 0
    except (KeyError, TypeError):
        return None
    # In pieces of a batch a step rounds otherwise.
    return int(epoch) if is_whole and split is None else None
