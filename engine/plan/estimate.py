"""What a plan still costs: takes a plan and a home, gives each job's state and the seconds and bytes to spend.

Seconds are counted from the work in a job (cost/work.py) and how fast this machine is (cost/calibration.py); what jobs
of this home took corrects that. The scheduler's slots work beside each other, so the whole is no sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.home.paths import Home
from engine.inputs.gpus import list_gpus
from engine.inputs.machine import crowding, usable_cores
from engine.plan import Job, Plan
from engine.plan.cost.calibration import calibrate, kept_speeds
from engine.plan.cost.records import Evidence, list_done, network_name
from engine.plan.cost.room import Room, peak_bytes, tell_tight
from engine.plan.cost.speeds import Speeds
from engine.plan.cost.work import Asked, Work, count_work, list_questions
from engine.plan.network_jobs import WEIGHT_COPIES
from engine.plan.rungs import share_left
from engine.spec.job_kinds import KINDS
from engine.spec.job_settings import DeviceKind, JobDetails, TargetsSettings, TrainSettings

FINISHED = "done"
CROWDED = 1.5  # processes a core
START = 6.0  # seconds until a scheduler's first job runs: torch and timm are imported once


@dataclass(frozen=True)
class JobEstimate:
    """One job of a plan as this home stands: `state` is `new` where it was never submitted; `bytes` are of disk."""

    job: Job
    state: str
    seconds: float
    bytes: int

    @property
    def is_reused(self) -> bool:
        return self.state == FINISHED


@dataclass(frozen=True)
class Estimate:
    """A plan against a home; `seconds`, of the clock, and `bytes` count only what is not done."""

    jobs: tuple[JobEstimate, ...]
    seconds: float
    bytes: int
    works: Mapping[str, Work]
    """By a job's key."""
    speeds: Speeds
    recorded: frozenset[str] = frozenset()
    """Keys of the jobs that are reckoned from jobs which were done here: what the machine did beside is in them."""

    def memory(self, job: Job) -> int:
        """Return about how many bytes a job takes of its device's memory; 0 for one without a network."""
        return round(peak_bytes(self.works[job.key], self.speeds))


def estimate_plan(
    plan: Plan, home: Home, states: Mapping[str, str], tell: Callable[[str], None] | None = None
) -> Estimate:
    """Return what of `plan` is there and what is left; `states` are the queue's, by job.

    With `tell` what was never tried on this machine is tried now, for some seconds, and `tell` hears of it first.
    """
    gpus = list_gpus()
    device_of = _devices(has_gpu=bool(gpus))
    works = count_works(plan, device_of)
    left = {job.key: works[job.key] for job in plan.jobs if not _is_done(job, home) and job.reason is None}
    done = list_done(home, device_of)
    probes, feeds = list_questions(left)
    if tell is not None and left:
        calibrate(home, probes, feeds, tell)
    others = list_questions({str(number): job.work for number, job in enumerate(done)})
    speeds, cores = kept_speeds(home, [*probes, *others[0]], [*feeds, *others[1]]), usable_cores()
    evidence = Evidence(done, lambda work: work.seconds(speeds, cores))

    def price(job: Job) -> float:
        known = evidence.factor(job.kind, network_name(job.settings), device_of(job.kind, job.details))
        return works[job.key].seconds(speeds, cores) * known * share_left(job, home)

    jobs = tuple(
        JobEstimate(job, _state_of(job, home, states), round(price(job), 1), disk_bytes(job, works[job.key], speeds))
        for job in plan.jobs
    )
    size = sum(item.bytes for item in jobs if not item.is_reused)
    recorded = frozenset(job.key for job in plan.jobs if evidence.knows(job.kind, device_of(job.kind, job.details)))
    return Estimate(jobs, _whole_seconds(jobs, len(gpus) or 1), size, works, speeds, recorded)


def disk_bytes(job: Job, work: Work, speeds: Speeds) -> int:
    """Return about how much disk a job takes; of a training by the weights that were counted here, once they were.

    A plan guesses where nobody has built the network: a timm network may have half a million weights, or a billion. Of
    one with a new head alone nothing is checkpointed: its weights are there once.
    """
    is_probe = isinstance(job.settings, TrainSettings) and job.settings.head == "probe"
    shapes = [shape for one in work.probes if one.probe.trains != is_probe and (shape := speeds.shape(one.probe))]
    copies = 1 if is_probe else WEIGHT_COPIES
    return round(copies * 4 * shapes[0].params) if shapes and job.bytes else job.bytes * copies // WEIGHT_COPIES


def tell_tight_jobs(estimate: Estimate, room: Room) -> list[str]:
    """Return a line for each of the jobs still to do that will not fit into `room`, with the fix."""
    left = [item.job for item in estimate.jobs if not item.is_reused]
    return tell_tight(left, estimate.works, estimate.speeds, room)


def tell_crowding(estimates: Sequence[Estimate]) -> list[str]:
    """Return a line where other work takes the machine's time now.

    Seconds from trials are those of a machine that has none; in seconds from jobs that were done here is whatever ran
    beside them, so that they are not to be multiplied again.
    """
    times = crowding()
    left = [item.job.key in one.recorded for one in estimates for item in one.jobs if not item.is_reused]
    if times < CROWDED or not left:
        return []
    if all(left):
        return [
            "this machine is busy with other work; the time is told by jobs that were done here, with what ran beside"
        ]
    while_busy = f"this machine is busy with other work: while that lasts, it takes about {times:.1f} times as long"
    return [f"{while_busy}; what is told by jobs that were done here less" if any(left) else while_busy]


def count_works(plan: Plan, device_of: Callable[[str, JobDetails], DeviceKind]) -> dict[str, Work]:
    """Return the work in each job of a plan, by its key."""
    jobs = {job.key: job for job in plan.jobs}

    def ask(job: Job) -> Asked:
        told = jobs[job.needs["targets"]].settings if job.needs.get("targets") in jobs else None
        teacher = told if isinstance(told, TargetsSettings) else None
        return Asked(job.settings, job.details, job.images, device_of(job.kind, job.details), teacher)

    return {job.key: count_work(ask(job)) for job in plan.jobs}


def _devices(*, has_gpu: bool) -> Callable[[str, JobDetails], DeviceKind]:
    """Return what says where a job of some kind goes, by how it is done."""

    def device(kind: str, details: JobDetails) -> DeviceKind:
        wants = details.device != "cpu" and details.resources.gpus > 0 and KINDS[kind].needs_gpu
        return "gpu" if wants and (has_gpu or details.device == "gpu") else "cpu"

    return device


def _is_done(job: Job, home: Home) -> bool:
    return job.job is not None and home.job(job.job).result.exists()


def _state_of(job: Job, home: Home, states: Mapping[str, str]) -> str:
    return FINISHED if _is_done(job, home) else states.get(job.job or "", "new")


def _whole_seconds(jobs: Sequence[JobEstimate], slots: int) -> float:
    """Return seconds of the clock: all slots busy, but no less than the longest chain of jobs that wait for another."""
    chains: dict[str, float] = {}
    for item in jobs:  # each after its needs
        before = max((chains.get(need, 0.0) for need in item.job.needs.values()), default=0.0)
        chains[item.job.key] = before + (0.0 if item.is_reused else item.seconds)
    work = sum(item.seconds for item in jobs if not item.is_reused)
    return round(START + max(work / slots, *chains.values(), 0.0), 1) if work else 0.0
