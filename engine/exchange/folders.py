"""A foreign run as a job folder: takes a run, writes `jobs/imported-<id>/` as a finished job has it.

The id is of all that came in, so that the same run twice is one job, and a run that has grown another one. The journal
has a line for each value, as jobs write them, with the foreign times.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import DataError, closest_hint
from engine.exchange.foreign import BrokenRun, ForeignRun, Series, Tool, Values
from engine.home.commits import vouch
from engine.home.control_files import OutcomeFile, write_outcome
from engine.home.files import sync_path, write_json
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.spec.identity import make_id
from engine.spec.job_file import IMPORTED
from store.journal import JOURNAL_VERSION
from store.metrics import METRICS

IMPORT_VERSION = 1  # of what is written of a run: in the id of every imported job
SMALL, LARGE = -(1 << 31), (1 << 31) - 1  # what a column of epochs holds
BIG = 1 << 63
LATEST = 1e11  # unix seconds, to the year 5138
PERCENT = "%"
CHUNK = 4096  # lines that are written at a time
LONGEST_TEXT = 10_000


@dataclass(frozen=True)
class Written:
    """A run that is here now: its job, what a submission says of it, and what is to be said of its values."""

    job: str
    settings: Mapping[str, Any]
    is_new: bool
    values: int
    not_finite: int
    repeated: int
    left: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Renaming:
    """That a metric is one of ours: `val_acc=val_top1`, or `val_acc%=val_top1` where it is in per cent."""

    theirs: str
    ours: str
    factor: float = 1.0


def read_renaming(text: str) -> Renaming:
    """Return what `--map THEIRS=OURS` says. Raises DataError for what is none, or no metric that a run logs by step."""
    theirs, sign, ours = text.rpartition("=")
    if not sign or not theirs.rstrip(PERCENT):
        raise DataError(f"{text!r} renames nothing", where="--map", fix="write THEIRS=OURS, such as val_acc=val_top1")
    known = [metric.name for metric in METRICS.values() if f"series['{metric.name}']" in metric.source]
    if ours not in known:
        raise DataError(
            f"{ours!r} is no metric that a run logs step by step", where="--map", fix=closest_hint(ours, known)
        )
    if theirs.endswith(PERCENT):
        return Renaming(theirs.rstrip(PERCENT), ours, 0.01)
    return Renaming(theirs, ours)


def write_run(home: Home, tool: Tool, run: ForeignRun, renamings: tuple[Renaming, ...]) -> Written:
    """Read the values of a run and write its job, unless it is there. Raises BrokenRun for one that cannot be read."""
    values = run.read_values()
    for one in renamings:
        _rename(values, one)
    beside = home.jobs_root / f".{IMPORTED}.{uuid.uuid4().hex[:8]}.tmp"
    attempt = AttemptFolder(beside / "attempts" / "1")
    attempt.root.mkdir(parents=True)
    try:
        digest = _write_journal(attempt.journal, run, values)
        settings = plain_tree(run_settings(tool, run))
        job = make_id(IMPORTED, {"version": IMPORT_VERSION, "settings": settings, "journal": digest})
        is_new = not home.job(job).result.exists()
        if is_new:
            _finish(home, JobFolder(beside), attempt, job, run, {**settings, "journal": digest})
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return _told(job, settings, is_new, values)


def run_settings(tool: Tool, run: ForeignRun) -> dict[str, Any]:
    """Return what a run's settings are here: what it is under `imported`, params and tags by their own names."""
    about = {"tool": tool, "group": run.group, "id": run.id, "name": run.name, "status": run.status}
    times = {"started": run.started, "ended": run.ended, "artifacts": run.artifacts, "note": run.note[:LONGEST_TEXT]}
    told = {word: value for word, value in {**about, **times}.items() if value not in (None, "")}
    return {IMPORTED: told, **({"params": dict(run.params)} if run.params else {}),
            **({"tags": dict(run.tags)} if run.tags else {})}  # fmt: skip


def plain_tree(value: Any) -> Any:
    """Return JSON that every reader takes: numbers that it has no word for, and all that is none, as texts."""
    if isinstance(value, str):
        return sound_text(value)
    if isinstance(value, Mapping):
        return {sound_text(str(key)): plain_tree(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_tree(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= BIG:
        return str(value)
    return value if isinstance(value, int | float | bool | None) else sound_text(str(value))


def sound_text(text: str) -> str:
    """Return a text that is Unicode, and that databases take: without halves of letters, and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _rename(values: Values, one: Renaming) -> None:
    """Put a metric beside itself under our name. Raises DataError for per cents that would pass as shares."""
    series = values.series.get(one.theirs)
    if series is None:
        return
    found = [value * one.factor for value in series.values]
    if METRICS[one.ours].is_share and any(math.isfinite(value) and not 0 <= value <= 1 for value in found):
        fix = f"where it is in per cent: --map {one.theirs}{PERCENT}={one.ours}"
        what = f"{one.ours} is a share, from 0 to 1, and {one.theirs} has {max(found, key=abs):g}"
        raise DataError(what, where="--map", fix=fix)
    values.series[one.ours] = Series(list(series.steps), list(series.times), found)


def _write_journal(path: Path, run: ForeignRun, values: Values) -> str:
    """Write a line for each value, metric by metric; return the sha256 of it all."""
    total, lines = hashlib.sha256(), list[str]()
    with open(path, "wb") as out:
        for line in _lines(run, values):
            lines.append(line)
            if len(lines) >= CHUNK:
                _put(out, total, lines)
        _put(out, total, lines)
        out.flush()
        os.fsync(out.fileno())
    return total.hexdigest()


def _put(out: Any, total: Any, lines: list[str]) -> None:
    data = "".join(lines).encode()
    out.write(data)
    total.update(data)
    lines.clear()


def _lines(run: ForeignRun, values: Values) -> Iterator[str]:
    """Yield journal lines in the writer's own layout (store/points.py), which readers cut without parsing."""
    number, otherwise = 0, _moment(run.started) or 0.0
    epochs = _epochs(values)
    for name, series in values.series.items():
        head, called = f'{{"v":{JOURNAL_VERSION},"seq":', json.dumps(sound_text(name))
        for step, time, value in zip(series.steps, series.times, series.values, strict=True):
            number += 1
            known = _moment(time)
            at = round(otherwise if known is None else known, 6)
            told = repr(value) if math.isfinite(value) else _odd(value)
            epoch = epochs.get(step, step if SMALL <= step <= LARGE else 0)
            if not -BIG <= step < BIG:
                raise BrokenRun(f"step {step} of {name} is no 64-bit number", where=str(run.source))
            yield (
                f'{head}{number},"type":"metric","at":{at},"name":{called},"value":{told},"step":{step},"epoch":{epoch}}}\n'
            )


def _odd(value: float) -> str:
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


def _epochs(values: Values) -> dict[int, int]:
    """Return step -> epoch, where the run logged a metric of that name; else a step counts as its own epoch."""
    series = values.series.get("epoch")
    if series is None:
        return {}
    return {
        step: int(value)
        for step, value in zip(series.steps, series.values, strict=True)
        if math.isfinite(value) and SMALL <= value <= LARGE
    }


def _finish(
    home: Home, beside: JobFolder, attempt: AttemptFolder, job: str, run: ForeignRun, settings: Mapping[str, Any]
) -> None:
    """Write all that a finished job has, and give the folder its name last: it is whole, or not there."""
    write_json(beside.spec, {"version": IMPORT_VERSION, "kind": IMPORTED, "needs": {}, "settings": settings})
    started, ended = _moment(run.started), _moment(run.ended)
    seconds = None if started is None or ended is None or ended < started else round(ended - started, 6)
    told = OutcomeFile(outcome="done", state="done", started_at=started, ended_at=ended)
    write_outcome(attempt, told)
    write_json(attempt.result, vouch(beside, attempt, {"job": job, "attempt": 1, "seconds": seconds, "figures": {}}))
    os.link(attempt.result, beside.result)
    for folder in (attempt.root, beside.root):
        sync_path(folder)
    final = home.job(job).root
    if final.exists():  # without a result: what somebody began to remove by hand
        shutil.rmtree(final)
    os.replace(beside.root, final)
    sync_path(home.jobs_root)


def _moment(time: float | None) -> float | None:
    """Return a time that a file of ours takes; None for one that no clock has shown."""
    return time if time is not None and abs(time) < LATEST else None


def _told(job: str, settings: Mapping[str, Any], is_new: bool, values: Values) -> Written:
    series = values.series.values()
    return Written(
        job=job,
        settings=settings,
        is_new=is_new,
        values=sum(len(one.values) for one in series),
        not_finite=sum(not math.isfinite(value) for one in series for value in one.values),
        repeated=sum(len(one.steps) - len(set(one.steps)) for one in series),
        left=values.left,
        notes=tuple(values.notes),
    )


def run_id(job: str) -> str:
    """Return the id of the run that an imported job is all of."""
    return make_id("run", {IMPORTED: job})
