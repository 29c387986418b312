"""What will not fit into memory: takes the work of a plan's jobs, gives the bytes each takes and a line for those that
take more than there is. Nothing is refused: a job may know how to do with less (train.on_oom).

Of a training: weights, their gradients, the two moments of an AdamW and the copies of a checkpoint; what is kept for
the backward pass, for each image of a batch; the network of a teacher that is asked in the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from engine.plan.cost.macs import count_params
from engine.plan.cost.speeds import Probe, Speeds
from engine.plan.cost.work import Pass, Work
from engine.plan.draft import Job
from engine.spec import Student
from engine.spec.job_kinds import KINDS
from engine.spec.job_settings import DeviceKind

PROCESS: Mapping[DeviceKind, float] = {"cpu": 0.5e9, "gpu": 0.8e9}
"""Bytes before any network: torch and timm on the host; CUDA's own and its libraries' workspaces on a GPU."""
HALF_SHARE = 0.6  # of fp32's saved bytes that are kept with bf16: norms and sums stay in fp32
WEIGHTS: Mapping[DeviceKind, int] = {"cpu": 7, "gpu": 4}
"""Copies: weights, gradients, two moments; on the host those of a checkpoint too."""
SAVED_PER_MAC = 0.1  # bytes an image where nobody has counted: 0.04 (TinyViT-21M) to 0.28 (a tiny one) were
FORWARD_SHARE = 0.15  # of what training would keep that is there at once without


@dataclass(frozen=True)
class Room:
    """Bytes of memory that a job may have: the host's, and those of the smallest GPU, None where there is none."""

    host: int
    gpu: int | None = None

    def of(self, device: DeviceKind) -> int | None:
        return self.host if device == "cpu" else self.gpu


def peak_bytes(work: Work, speeds: Speeds, gpus: int = 1) -> float:
    """Return about how much memory a job takes of the device that its networks are on; 0 for one without.

    Of `gpus` that share a training each holds its share of a batch.
    """
    passes = [each for each in work.probes if each.images]
    if not passes:
        return 0.0
    trained = [each for each in passes if each.probe.trains]
    held = {each.probe.network: each.probe for each in passes}
    weights = sum(_weight_bytes(probe, speeds, is_trained=probe.trains) for probe in held.values())
    return (
        PROCESS[passes[0].probe.device] + weights + max(_kept_bytes(each, speeds) for each in trained or passes) / gpus
    )


def tell_tight(jobs: Sequence[Job], works: Mapping[str, Work], speeds: Speeds, room: Room) -> list[str]:
    """Return a line, with its fix, for each network whose jobs of a kind will not fit, the hungriest named."""
    found: dict[tuple[str, float], list[Job]] = {}
    for job in jobs:
        work = works[job.key]
        needed = peak_bytes(work, speeds, _count_gpus(job))
        there = room.of(work.probes[0].probe.device) if work.probes else None
        if there is not None and needed > there:
            found.setdefault((job.kind, needed), []).append(job)
    return [_tell(kind, needed, tight, works, room) for (kind, needed), tight in found.items()]


def _count_gpus(job: Job) -> int:
    """Return how many GPUs share the batches of a job."""
    return max(1, int(job.details.resources.gpus)) if KINDS[job.kind].trains else 1


def _tell(kind: str, needed: float, jobs: Sequence[Job], works: Mapping[str, Work], room: Room) -> str:
    device = works[jobs[0].key].probes[0].probe.device
    more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
    where = "a GPU here has" if device == "gpu" else "processes here may have"
    there = room.of(device) or 0
    what = f"{jobs[0].key}{more} will not fit: a {kind} job of its network takes about {needed / 1e9:.1f} GB of memory"
    return f"{what}, and {where} {there / 1e9:.1f} GB\nfix: {KINDS[kind].less_memory}"


def _weight_bytes(probe: Probe, speeds: Speeds, *, is_trained: bool) -> float:
    shape = speeds.shape(probe)
    params = shape.params if shape else _formula_params(probe.network)
    return 4.0 * params * (WEIGHTS[probe.device] if is_trained else 1)


@cache
def _formula_params(network: str) -> float:
    """A plan of a thousand runs asks about the same few networks again and again."""
    return count_params(Student.model_validate_json(network))


def _kept_bytes(each: Pass, speeds: Speeds) -> float:
    probe = each.probe
    shape = speeds.shape(probe)
    saved = shape.saved if shape and shape.saved else probe.macs * SAVED_PER_MAC
    share = HALF_SHARE if probe.precision in ("bf16", "fp16") else 1.0
    return saved * probe.batch * share * (1.0 if probe.trains else FORWARD_SHARE)
