"""What sharing and caching save: takes a plan, gives how often teachers look at an image, and how often they would."""

from __future__ import annotations

from dataclasses import dataclass

from engine.plan.draft import Job, Plan
from engine.spec.job_settings import TargetsSettings, TrainSettings


@dataclass(frozen=True)
class Passes:
    """Images through a teacher: `planned`, and `alone` if every run asked its own teacher in every step."""

    planned: int
    alone: int

    def __str__(self) -> str:
        text = f"teacher passes: {self.planned:,}; without sharing and caching {self.alone:,}"
        return f"{text} ({1 - self.planned / self.alone:.0%} saved)" if self.planned < self.alone else text


def count_passes(plan: Plan) -> Passes | None:
    """Return the teacher passes of `plan`, None where nobody is taught or the images are not here.

    Jobs that are done already count too.
    """
    jobs = {job.key: job for job in plan.jobs}
    taught = [key for run in plan.runs for key in run.jobs.values() if "targets" in jobs[key].needs]
    if not any(jobs[key].images for key in taught):
        return None
    online = {key for key in taught if _asks_in_steps(jobs[key])}
    planned = sum(job.images for job in plan.jobs if isinstance(job.settings, TargetsSettings) or job.key in online)
    return Passes(round(planned), round(sum(jobs[key].images for key in taught)))


def _asks_in_steps(job: Job) -> bool:
    lesson = job.settings.distill if isinstance(job.settings, TrainSettings) else None
    return lesson is not None and lesson.asks_in_steps
