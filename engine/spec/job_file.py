"""A job's spec.json: takes settings, gives what is written and hashed; takes a job's folder, gives it back as it was.

Every reader of one comes through `read_job`, which refuses what another version of xp wrote: a file that is half
understood would give figures of something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from engine.errors import HomeError, VersionError
from engine.home import control_files
from engine.home.files import read_json
from engine.home.paths import JobFolder
from engine.spec.identity import IDENTITY_VERSION, canonical_json, counted_settings, make_id
from engine.spec.job_kinds import KINDS, kind_of
from engine.spec.job_settings import JobDetails, JobSettings

S = TypeVar("S", bound=JobSettings)
IMPORTED = "imported"  # the kind of a job that holds a run of another tool: none that is planned or run
AGAIN = "submit its experiment again: its jobs get ids of this version, and what is done stays in the results"


@dataclass(frozen=True)
class JobSpec(Generic[S]):
    """What a job is: its kind, the jobs it needs by their role in it, and what decides it."""

    kind: str
    needs: Mapping[str, str]
    settings: S


def canonical_spec(kind: str, needs: Mapping[str, str], settings: JobSettings) -> dict[str, Any]:
    """Return what is hashed into a job's id, as it is written to `jobs/<job>/spec.json`."""
    counted = counted_settings(settings)
    return {"version": IDENTITY_VERSION, "kind": kind, "needs": dict(needs), "settings": counted}


def job_id(needs: Mapping[str, str], settings: JobSettings) -> str:
    """Return the id of the job that these settings decide, of the kind that their model is of."""
    kind = kind_of(settings)
    return make_id(kind, canonical_spec(kind, needs, settings))


def read_job(folder: JobFolder, expected: type[S]) -> JobSpec[S]:
    """Return what a job is; `expected` is the model of its settings, JobSettings for any kind.

    Raises HomeError where there is no spec.json, VersionError where another version of xp wrote it.
    """
    if not folder.spec.exists():
        fix = "submit its experiment again"
        raise HomeError(f"{folder.job} has no spec.json", where=str(folder.spec), fix=fix)
    written = read_json(folder.spec)
    if written.get("kind") == IMPORTED:
        fix = "name a job or run of an experiment that xp ran; `xp report` and `xp sql` show what was imported"
        what = f"{folder.job} was imported from another tool: it has figures, and neither network nor settings of ours"
        raise HomeError(what, where=str(folder.spec), fix=fix)
    version = written.get("version")
    if version != IDENTITY_VERSION:
        raise _refuse(folder, f"version {version} of job settings, and this xp has version {IDENTITY_VERSION}")
    kind = KINDS.get(str(written.get("kind")))
    if kind is None:
        raise _refuse(folder, f"a job of kind {written.get('kind')!r}, which this xp does not know")
    settings = _read_settings(folder, kind.settings, written["settings"])
    if not isinstance(settings, expected):
        raise HomeError(f"{folder.job} is a {written['kind']} job", where=str(folder.spec), fix="name another job")
    return JobSpec(written["kind"], written["needs"], settings)


def read_details(folder: JobFolder) -> JobDetails:
    """Return how a job is done; all defaults where nothing was written. Raises VersionError for unknown words."""
    try:
        return JobDetails.model_validate(control_files.read_details(folder))
    except ValidationError as error:
        first = error.errors()[0]
        raise _refuse(folder, f"details.json: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _read_settings(folder: JobFolder, model: type[JobSettings], written: Mapping[str, Any]) -> JobSettings:
    """Return the settings; what is written must be all of them, or defaults of today would fill the gaps."""
    try:
        settings = model.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refuse(folder, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    now = counted_settings(settings)
    other = [name for name in now if name not in written or canonical_json(now[name]) != canonical_json(written[name])]
    if other:
        raise _refuse(folder, f"other words in {', '.join(other)}")
    return settings


def _refuse(folder: JobFolder, what: str) -> VersionError:
    return VersionError(f"{folder.job} was made by another version of xp: {what}", where=str(folder.spec), fix=AGAIN)
