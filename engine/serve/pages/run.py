"""One run: takes its id, gives its jobs and attempts, curves, log, figures, artifacts, settings and where it came from.

x=epoch|step|time   what curves stand over        log=JOB   whose log is shown, attempt=K which one
before=BYTE         the lines before those        why=JOB   what a job's id is made of
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Row, Snapshot
from engine.errors import XpError
from engine.home.paths import AttemptFolder, Home
from engine.home.records import read_record
from engine.inspect.log_text import LogPart, read_last
from engine.inspect.why import explain_job
from engine.inspect.why_tried import trial_lines
from engine.report.number_text import heading, scale_of, significant
from engine.serve.artifacts import Artifact, list_artifacts
from engine.serve.run_parts import JobPart, RunAbout, read_jobs, read_run, state_of
from engine.serve.trial_runs import is_unseen
from engine.serve.view import Asked, View
from engine.spec.dotted import flatten_settings
from store.metrics import METRICS

FIRST = ("val_top1", "train_loss", "val_loss", "lr")  # curves that people look at first
MOST_CURVES = 24
LONGEST = 18  # digits of a place in a file
ORDERS = {"failed": ("retry",), "cancelled": ("retry",), "paused": ("resume", "cancel"), "done": (),
          "running": ("pause", "cancel"), "queued": ("pause", "cancel"), "blocked": ("pause", "cancel")}  # fmt: skip


@dataclass(frozen=True)
class Log:
    """Lines of one attempt's log, and whether more may come."""

    job: str
    attempt: int
    attempts: tuple[int, ...]
    part: LogPart
    is_open: bool


@dataclass(frozen=True)
class Left:
    """What an attempt of a job left to look at."""

    job: str
    role: str
    attempt: int
    pictures: tuple[Artifact, ...]
    texts: tuple[Artifact, ...]
    others: tuple[Artifact, ...]


@dataclass(frozen=True)
class RunPage:
    """What the page shows."""

    about: RunAbout
    state: str
    orders: tuple[str, ...]
    jobs: tuple[JobPart, ...]
    is_published: bool
    curves: tuple[str, ...]
    along: str
    log: Log | None
    figures: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, int, float], ...]
    measured: tuple[tuple[str, ...], ...]
    left: tuple[Left, ...]
    origins: tuple[Mapping[str, Any], ...]
    settings: tuple[tuple[str, str], ...]
    why: tuple[str, ...]
    why_of: str
    tried: tuple[str, ...]

    @property
    def is_moving(self) -> bool:
        return self.state in ("running", "queued", "blocked")


def show_run(asked: Asked) -> View:
    """Return the page. Raises XpError for a run that is not here."""
    with asked.site.snapshot() as snapshot:
        about = read_run(asked.home, snapshot, asked.path["run"])
        ids = sorted(set(about.jobs.values()))
        origins = snapshot.ask("serve_origins", jobs=ids) if snapshot else []
        jobs = read_jobs(asked.home, about, snapshot)
        state = state_of(jobs)
        page = RunPage(
            about=about, state=state, orders=ORDERS.get(state, ()), jobs=tuple(jobs), is_published=snapshot is not None,
            curves=_curve_names(snapshot, about), along=along_of(asked), log=_log(asked, jobs),
            figures=tuple(_figures(snapshot, about)), parts=_parts(about), measured=_measured(snapshot, about),
            left=tuple(_left(asked.home, jobs)), origins=tuple(origins), settings=_settings(about),
            why=tuple(_why(asked, ids)), why_of=asked.word("why"),
            tried=tuple(_tried(asked.home, about)),
        )  # fmt: skip
    return View("run", f"Run {about.name}", page)


def along_of(asked: Asked) -> str:
    """What curves stand over: the word x, where it is one that there is."""
    wanted = asked.word("x", "epoch")
    return wanted if wanted in ("epoch", "step", "time") else "epoch"


def byte_of(asked: Asked, name: str) -> int:
    """A place in a file, of any size; 0 where the address says something else."""
    text = asked.word(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < LONGEST else 0


def _curve_names(snapshot: Snapshot | None, about: RunAbout) -> tuple[str, ...]:
    """Return what has a curve: logged more than once, those that people look at first at the start."""
    if snapshot is None:
        return FIRST
    found = [row["name"] for row in snapshot.ask("serve_names", jobs=list(about.chain)) if row["n"] > 1]
    if not found:  # nothing is published yet: the journals may have some
        return FIRST
    first = [name for name in FIRST if name in found]
    return tuple([*first, *(name for name in found if name not in first)][:MOST_CURVES])


def _log(asked: Asked, jobs: Sequence[JobPart]) -> Log | None:
    """Return the log that was asked for, else that of the job that runs or ran last."""
    begun = [part for part in jobs if asked.home.job(part.job).attempts()]
    if not begun:
        return None
    wanted = [part for part in begun if part.job == asked.word("log")]
    wanted += [part for part in begun if part.state == "running"]
    failed = [part for part in begun if part.state in ("failed", "cancelled")]
    part = next(iter([*wanted, *failed, begun[-1]]))
    attempts = asked.home.job(part.job).attempts()
    numbers = [attempt.number for attempt in attempts]
    number = asked.number("attempt", numbers[-1], 0, 10**9)
    number = number if number in numbers else numbers[-1]
    before = byte_of(asked, "before") if asked.word("before") else None
    shown = read_last(asked.home.job(part.job).attempt(number).log, before=before)
    is_open = part.state == "running" and number == numbers[-1] and before is None
    return Log(part.job, number, tuple(numbers), shown, is_open)


def _figures(snapshot: Snapshot | None, about: RunAbout) -> Iterator[tuple[str, str]]:
    for row in snapshot.ask("serve_run_figures", run=about.run) if snapshot else ():
        for name, metric in METRICS.items():
            if row.get(name) is not None and not is_unseen(row["experiment"], name):
                yield heading(metric), scale_of(metric).write(row[name])


def _tried(home: Home, about: RunAbout) -> Iterator[str]:
    """Yield what a search tells of a trial, or of what it trains anew; nothing for any other run."""
    if home.search_mark(about.experiment, ".json").exists():
        yield from map(str.strip, trial_lines(home, read_record(home.records(about.experiment)[-1]), about.arm))


def _parts(about: RunAbout) -> tuple[tuple[str, int, float], ...]:
    """Of each part of the data that the network was asked about: how many images, and the share it told right."""
    return tuple((one["part"], one["images"], one["correct"] / one["images"]) for one in about.parts if one["images"])


def _measured(snapshot: Snapshot | None, about: RunAbout) -> tuple[tuple[str, ...], ...]:
    roles = {job: role for role, job in about.jobs.items()}
    rows = snapshot.ask("serve_measured", jobs=sorted(roles)) if snapshot else []
    return tuple(_measured_row(row, roles[row["job"]]) for row in rows)


def _measured_row(row: Row, role: str) -> tuple[str, ...]:
    def number(value: float | None) -> str:
        return "" if value is None else significant(value, 4)

    metric = METRICS.get(row["name"])
    scale = scale_of(metric) if metric and metric.unit == row["unit"] else None
    value = scale.write(row["value"]) if scale and row["value"] is not None else number(row["value"])
    unit = scale.sign if scale else row["unit"] or ""
    between = f"{number(row['p5'])} to {number(row['p95'])}" if row["p5"] is not None else ""
    where = [row["device"] or "", row["precision"] or "", str(row["batch_size"] or ""), str(row["threads"] or "")]
    return (row["name"], role, value, "" if unit == "1" else unit, between, str(row["n"] or ""), *where)


def _left(home: Home, jobs: Sequence[JobPart]) -> Iterator[Left]:
    for part in jobs:
        attempt = shown_attempt(home, part.job)
        found = list_artifacts(attempt) if attempt else []
        if attempt and found:
            pictures = tuple(one for one in found if one.is_picture)
            texts = tuple(one for one in found if one.text)
            others = tuple(one for one in found if one not in pictures and one not in texts)
            yield Left(part.job, part.role, attempt.number, pictures, texts, others)


def shown_attempt(home: Home, job: str) -> AttemptFolder | None:
    """Return the attempt that counts, else the newest. Raises HomeError for a damaged result."""
    folder = home.job(job)
    return folder.winner() or next(reversed(folder.attempts()), None)


def _settings(about: RunAbout) -> tuple[tuple[str, str], ...]:
    flat = flatten_settings(about.settings, with_empty=True)
    return tuple((path, "\N{EN DASH}" if value is None else str(value)) for path, value in sorted(flat.items()))


def _why(asked: Asked, ids: Sequence[str]) -> Iterator[str]:
    job = asked.word("why")
    if job in ids and asked.home.job(job).spec.exists():
        try:
            yield from explain_job(asked.home, job)
        except XpError as error:
            yield str(error)
