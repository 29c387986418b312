"""`targets: auto`: takes a drawn plan, gives for each teacher whether its logits are cached, and why.

Counted, not guessed: how many images the teacher would look at for a cache, how many in the step of every training
that reads it, and whether the cache fits the disk. One that lies here already takes no more room.
"""

from __future__ import annotations

import shutil

from engine.plan.draft import Choice, Draft, DraftJob, Job
from engine.spec.job_settings import TrainSettings

SPARE = 0.9  # of the free disk: a full one stops every job


def decide_targets(draft: Draft) -> dict[str, Choice]:
    """Return a choice for each targets job that this draft took as cached without knowing better."""
    return {key: _decide(draft, key, name, passes) for key, (name, passes) in draft.undecided.items()}


def _decide(draft: Draft, key: str, name: str, passes: float) -> Choice:
    job = draft.jobs[key]
    online = sum(_asked_images(other) for other in draft.jobs.values() if other.needs.get("targets") == key)
    free = shutil.disk_usage(draft.home.cache).free * SPARE
    counts = f"a cache takes {passes:,.0f} passes of the teacher, training with it in the step {online:,.0f}"
    if job.job is None:
        return Choice("cached", f"targets of {name}: cached, as long as its data or weights are not here")
    if job.bytes > free and not draft.home.job(key).result.exists():
        lacks = f"a cache would take {job.bytes / 1e9:.1f} GB and {free / 1e9:.1f} GB are free"
        return Choice("online", f"targets of {name}: online, because {lacks}")
    way = "cached" if passes <= online else "online"
    return Choice(way, f"targets of {name}: {way}, because {counts}")


def decide_features(draft: Draft, name: str, asked: str, cached: DraftJob) -> Choice:
    """Return how features of teacher `name` are had, where `cached` are targets with them and `asked` is of targets."""
    free, size = shutil.disk_usage(draft.home.cache).free * SPARE, cached.cost.bytes
    if asked == "online":
        return Choice("online", f"features of {name}: online, as its targets are")
    if size > free and not draft.home.job(cached.key).result.exists():
        lacks = f"a cache with them would take {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free"
        return Choice("online", f"features of {name}: online, because {lacks}")
    return Choice("cached", f"features of {name}: cached with its targets, {size / 1e6:,.1f} MB in all")


def _asked_images(job: Job) -> float:
    """Return how many images a training would ask a teacher in its steps about: none after `distill.until`."""
    lesson = job.settings.distill if isinstance(job.settings, TrainSettings) else None
    return job.images * lesson.until if lesson is not None else 0.0
