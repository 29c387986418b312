"""What is said of an attempt beside its results: takes its folder, gives it typed, or None where it is damaged.

    handle.json     which process the attempt is, and in the end what it exited with
    heartbeat.json  how far it is
    outcome.json    the scheduler's verdict, sealed (home/seals.py); that of an older version of xp has no checksum
    details.json    how the job is done, of its folder; sealed as well

No number of any report is in them, but budgets, states and whom to end are. So a file is taken with every word
of its kind, or not at all: who reads one deals with None as with a file that is not there yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import HomeError
from engine.home.files import read_json, read_small, write_json
from engine.home.paths import AttemptFolder, JobFolder
from engine.home.seals import SELF, holds, is_sealed, seal

Text = Annotated[str, Field(max_length=10_000)]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]  # what the kernel counts, and a database takes
Moment = Annotated[float, Field(ge=-1e11, le=1e11)]  # unix seconds, to the year 5138; a clock may stand at 1970
Pid = Annotated[int, Field(ge=0, le=1 << 22)]  # the most that Linux gives out
ExitCode = Annotated[int, Field(ge=-255, le=255)]


class ControlFile(BaseModel):
    """Words of other versions are left out; a word that is null is absent, an odd one too where it is dispensable."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)
    dispensable: ClassVar[frozenset[str]] = frozenset()


class HandleFile(ControlFile):
    """Which process an attempt is: a pid counts together with its start (ticks since the boot), boot and host."""

    # Without them it is still known whom to end.
    dispensable: ClassVar[frozenset[str]] = frozenset({"slot", "exit", "oom_counter", "oom_kills"})

    pid: Pid = 0
    start_time: Count = 0
    host: Text = ""
    boot_id: Text = ""
    slot: Text = ""
    exit: ExitCode | None = None
    oom_counter: Text = ""
    oom_kills: Count | None = None


class BeatFile(ControlFile):
    """The last sign of life; `rate` in images a second."""

    phase: Text = ""
    step: Count = 0
    steps: Count = 0
    epoch: Count = 0
    epochs: Count = 0
    rate: Annotated[float, Field(ge=0, le=1e12)] | None = None
    loss: float | None = None


class OutcomeFile(ControlFile):
    """How an attempt ended, what follows for its job, and which budgets it spent."""

    # Of an older version's, which has no checksum; of ours a word that is odd breaks the seal.
    dispensable: ClassVar[frozenset[str]] = frozenset({"exit", "spent", "started_at", "ended_at", "reason", "slot"})

    outcome: Text = ""
    exit: ExitCode | None = None
    state: Text = ""
    spent: dict[Text, Annotated[int, Field(ge=0, le=1000)]] = {}
    started_at: Moment | None = None
    ended_at: Moment | None = None
    reason: Text = ""
    slot: Text = ""


F = TypeVar("F", bound=ControlFile)


def read_handle(attempt: AttemptFolder) -> HandleFile | None:
    return _as_model(HandleFile, read_small(attempt.handle))


def read_beat(attempt: AttemptFolder) -> BeatFile | None:
    return _as_model(BeatFile, read_small(attempt.heartbeat))


def read_outcome(attempt: AttemptFolder) -> OutcomeFile | None:
    """Return the verdict; None where there is none, or one that is damaged."""
    told = read_small(attempt.outcome)
    return None if told is None or not _may_hold(told) else _as_model(OutcomeFile, told)


def write_outcome(attempt: AttemptFolder, told: OutcomeFile) -> None:
    write_json(attempt.outcome, seal(told.model_dump()))


def read_details(folder: JobFolder) -> dict[str, Any]:
    """Return how a job is done, without the seal; empty where nothing was written. Raises HomeError for a damaged file.

    An older version of xp wrote no checksum.
    """
    if not folder.details.exists():
        return {}
    told, where = read_json(folder.details), str(folder.details)
    if not isinstance(told, dict):
        raise HomeError("the file is damaged: it is no JSON object", where=where, fix=DETAILS_FIX)
    if not _may_hold(told):
        raise HomeError("the file is damaged: its checksum does not hold", where=where, fix=DETAILS_FIX)
    return {name: value for name, value in told.items() if name != SELF}


DETAILS_FIX = f"submit its experiment again, which writes it anew; or, if you changed it, remove `{SELF}`"


def _may_hold(told: Mapping[str, Any]) -> bool:
    return not is_sealed(told) or holds(told)


def _as_model(model: type[F], told: Mapping[str, Any] | None) -> F | None:
    if told is None:
        return None
    words = {name: value for name, value in told.items() if value is not None}
    try:
        return model.model_validate(words)
    except ValidationError as error:
        odd = {str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False)}
    if odd <= model.dispensable:
        return model.model_validate({name: value for name, value in words.items() if name not in odd})
    return None
