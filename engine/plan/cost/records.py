"""How long jobs of this home took: takes records and speeds, gives what to multiply a job's counted seconds with.

A job that is done is taken apart as one that is planned is; its seconds over what its work comes to is how far off the
count is here. Of the same kind and network where there is one, else of the same kind, else of whatever is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from engine.errors import XpError
from engine.home.files import read_object
from engine.home.paths import Home
from engine.plan.cost.work import Asked, Work, count_work
from engine.spec.job_file import read_details, read_job
from engine.spec.job_settings import JobDetails, JobSettings, TargetsSettings

NEWEST = 5  # records that are looked at
MOST_JOBS = 40  # of a kind in a record: more would tell the same
FASTEST, SLOWEST = 0.02, 50.0
"""Beyond, a job was not what its settings say: it found its work done, or was stopped for hours."""


@dataclass(frozen=True)
class Done:
    """A job that was done here: what its work was, and the seconds that it took."""

    kind: str
    network: str
    device: str
    work: Work
    seconds: float


class Evidence:
    """What the jobs that were done here say of those to come; `price` gives the counted seconds of a work."""

    def __init__(self, done: Sequence[Done], price: Callable[[Work], float]) -> None:
        self.ratios: dict[tuple[str, ...], list[float]] = {}
        for job in done:
            ratio = min(SLOWEST, max(FASTEST, job.seconds / max(price(job.work), 1e-3)))
            for key in ((job.device, job.kind, job.network), (job.device, job.kind)):
                self.ratios.setdefault(key, []).append(ratio)

    def knows(self, kind: str, device: str) -> bool:
        """Whether a job of this kind was done here, so that its factor is measured."""
        return (device, kind) in self.ratios

    def factor(self, kind: str, network: str, device: str) -> float:
        """Return measured over counted of the jobs that are most like this one; 1 where there is none."""
        for key in ((device, kind, network), (device, kind)):
            if key in self.ratios:
                return median(self.ratios[key])
        return 1.0


def list_done(home: Home, device_of: Callable[[str, JobDetails], str]) -> list[Done]:
    """Return the jobs of the newest records that are done, each once."""
    found: dict[str, Done] = {}
    for folder in _newest_experiments(home):
        told = (read_object(home.records(folder.name)[-1]) or {}).get("jobs", ())
        counts = Counter[str]()
        for job in told:
            if (
                counts[job["kind"]] < MOST_JOBS
                and job["job"] not in found
                and (done := _read_done(home, job, device_of))
            ):
                counts[job["kind"]] += 1
                found[job["job"]] = done
    return list(found.values())


def _newest_experiments(home: Home) -> list[Path]:
    folders = [folder for folder in home.experiments() if home.records(folder.name)]
    return sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)[:NEWEST]


def _read_done(home: Home, job: Mapping[str, Any], device_of: Callable[[str, JobDetails], str]) -> Done | None:
    folder = home.job(job["job"])
    # A damaged result says nothing of how long a job takes, nor does one of another version.
    seconds = (read_object(folder.result) or {}).get("seconds") if folder.result.exists() else None
    if not isinstance(seconds, int | float) or not job.get("images"):
        return None
    try:
        spec, details = read_job(folder, JobSettings), read_details(folder)
        teacher = read_job(home.job(spec.needs["targets"]), JobSettings).settings if "targets" in spec.needs else None
    except XpError:
        return None
    device = device_of(spec.kind, details)
    heard = teacher if isinstance(teacher, TargetsSettings) else None
    asked = Asked(spec.settings, details, job["images"], device, heard)  # type: ignore[arg-type]  # one of the two
    return Done(spec.kind, network_name(spec.settings), device, count_work(asked), seconds)


def network_name(settings: JobSettings) -> str:
    """Return what tells networks at their sizes apart, "" for a job without one."""
    network, data = getattr(settings, "network", None), getattr(settings, "data", None)
    size = getattr(settings, "image_size", None) or getattr(data, "image_size", None)
    return "" if network is None else f"{network.model_copy(update={'weights': 'none'}).model_dump_json()} {size}"
