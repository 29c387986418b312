"""What submissions wrote down: takes `experiments/<name>/<n>.json`, gives the record, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from engine.errors import HomeError
from engine.home.commits import Damage
from engine.home.files import read_object
from engine.home.paths import Home
from engine.home.seals import holds, is_sealed

# Ids name folders below jobs/: none may lead out of there.
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Run(BaseModel):
    run: Id
    arm: str
    cell: str
    seed: int
    jobs: dict[str, Id]


class _Job(BaseModel):
    job: Id
    kind: str
    needs: list[Id] = []
    details: dict[str, Any] | None = None
    cost: Finite | None = None
    chain: Finite | None = None


class _Record(BaseModel):
    """What every reader of a submission takes for granted."""

    name: str
    title: str | None = None
    submitted_at: Finite
    priority: int | None
    number: int | None = None
    runs: list[_Run]
    jobs: list[_Job]


def read_record(path: Path) -> dict[str, Any]:
    """Return a submission. Raises HomeError where it is damaged."""
    record = read_object(path)
    problem = record_problem(path, record)
    if record is None or problem:
        fix = "restore it from a copy; or remove it, and submit the experiment again"
        raise HomeError(f"this submission {problem}", where=str(path), fix=fix)
    return record


def jobs_of(record: Mapping[str, Any]) -> set[str]:
    """Return the jobs of a submission's runs, and all that they need."""
    return {entry["job"] for entry in record["jobs"]} | {job for run in record["runs"] for job in run["jobs"].values()}


def record_problem(path: Path, record: Mapping[str, Any] | None) -> str | None:
    """Return what is wrong with a submission, None where it can be taken at its word. Older ones have no checksum."""
    if record is None:
        return "is no JSON object"
    if is_sealed(record) != ("number" in record) or (is_sealed(record) and not holds(record)):
        return "is damaged: its checksum does not hold"
    wrong = _shape_problem(record)
    if wrong:
        return f"is damaged: {wrong}"
    if record["name"] != path.parent.name or record.get("number", int(path.stem)) != int(path.stem):
        return f"is that of {record['name']}, number {record.get('number', '?')}"
    return None


def _shape_problem(record: Mapping[str, Any]) -> str | None:
    try:
        _Record.model_validate(record, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"it has no {place}" if first["type"] == "missing" else f"{place}: {first['msg'].lower()}"
    return None


def newest_records(home: Home) -> dict[str, Path]:
    """Return the newest submission of each experiment by its name."""
    names = [path.name for path in home.experiments()]
    return {name: records[-1] for name in names if (records := home.records(name))}


def find_record_damage(home: Home, *, deep: bool = False) -> Iterator[Damage]:
    """Yield each newest submission that is damaged, with `deep` the earlier ones too, and experiments without one."""
    for folder in home.experiments():
        records = home.records(folder.name)
        for path in records if deep else records[-1:]:
            problem = record_problem(path, read_object(path))
            if problem:
                yield Damage(path, problem)
        yield from _find_gap(folder, [int(path.stem) for path in records])


def _find_gap(folder: Path, numbers: list[int]) -> Iterator[Damage]:
    """Submissions are numbered without a gap, and a folder that was made for one has it but for a moment."""
    missing = sorted({*range(1, max(numbers, default=2))} - {*numbers})
    if missing:
        yield Damage(folder / f"{missing[0]}.json", "is gone")
