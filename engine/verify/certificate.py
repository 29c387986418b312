"""Certificates of resuming: takes what a machine showed of an experiment's trainings, gives words and their keeping.

`engine/verify/resume.py` makes them; a report shows them. A certificate covers an arm as long as what decides how its
training resumes is the same: the network, the recipe, the teacher; not the data, the seeds or how long it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from engine.home.files import read_json, write_json
from engine.home.paths import Home
from engine.spec.identity import digest_of

LENGTHS = ("epochs", "warmup_epochs", "recover_epochs", "seed")


@dataclass(frozen=True)
class Verified:
    """One training: how often it was killed, and the sha256 of its weights without and with kills ("" for none)."""

    job: str
    kills: int
    straight: str
    killed: str

    @property
    def is_identical(self) -> bool:
        return self.kills > 0 and self.straight == self.killed


@dataclass(frozen=True)
class Certificate:
    """Whether the trainings of an experiment resume to the same bits on a machine; `networks`: arm -> its digest."""

    experiment: str
    networks: dict[str, str]
    jobs: tuple[Verified, ...]
    host: str
    device: str
    cpu_model: str
    torch: str
    at: str

    @property
    def is_identical(self) -> bool:
        return all(job.is_identical for job in self.jobs)

    @property
    def kills(self) -> int:
        return sum(job.kills for job in self.jobs)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_identical": self.is_identical, "kills": self.kills}


def keep_certificate(home: Home, found: Certificate) -> None:
    """Store a certificate in the home, in place of what this machine showed of the experiment before."""
    path = home.certificate(found.experiment, found.host)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found.as_json())


def read_certificates(home: Home, experiment: str) -> list[Certificate]:
    """Return what was certified of an experiment, a machine each. A file that cannot be read counts as none."""
    found = []
    for path in home.certificates(experiment):
        with suppress(Exception):
            held = {**read_json(path)}
            jobs = tuple(Verified(**job) for job in held.pop("jobs"))
            held.pop("is_identical"), held.pop("kills")
            found.append(Certificate(**held, jobs=jobs))
    return found


def training_digest(settings: Mapping[str, Any]) -> str:
    """Return the digest of what of a run's counted settings decides how it resumes: not data, seeds or lengths."""
    kept = {name: settings.get(name) for name in ("student", "teacher", "distill", "train", "prune")}
    return digest_of({**_without_lengths(kept), "image_size": (settings.get("data") or {}).get("image_size")})


def _without_lengths(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_lengths(inner) for name, inner in value.items() if name not in LENGTHS}
    return [_without_lengths(inner) for inner in value] if isinstance(value, list) else value


def describe(found: Certificate) -> list[str]:
    """Return what a certificate says, a line for each training, the verdict last."""
    lines = [f"{job.job}: {_describe_job(job)}" for job in found.jobs]
    where = f"{found.host} ({found.device}, torch {found.torch})"
    if found.is_identical:
        return [*lines, f"identical: {len(found.jobs)} trainings, {found.kills} kills, the same bits, on {where}"]
    lines.append(f"not identical: a training that is killed here does not end with the same bits, on {where}")
    if found.device != "cpu":
        lines.append("fix: train.deterministic: true")
    return lines


def _describe_job(job: Verified) -> str:
    if not job.kills:
        return "it ended before it could be killed (more --epochs make it longer)"
    if not job.killed:
        return f"killed {job.kills} times, and it never ended"
    return f"killed {job.kills} times, " + ("the same bits" if job.is_identical else "OTHER BITS")


def resume_text(found: Sequence[Certificate], networks: Mapping[str, str]) -> str:
    """Return what a report says of resuming, for arms with these digests, on each machine that killed a training."""
    told = (_tell(one, networks) for one in found if one.kills)
    return "; ".join(told) or "not verified (xp verify-resume SPEC)"


def _tell(found: Certificate, networks: Mapping[str, str]) -> str:
    other = [arm for arm, digest in networks.items() if found.networks.get(arm) != digest]
    killed = [job for job in found.jobs if job.kills]
    verdict = "verified bit-identical" if all(job.is_identical for job in killed) else "NOT bit-identical"
    if len(killed) < len(found.jobs):
        verdict += f" in {len(killed)} of {len(found.jobs)} trainings (the others ended before a kill)"
    told = f"{verdict} on {found.host} ({found.device}, torch {found.torch}, {found.kills} kills, {found.at})"
    return f"{told}, but changed since or never tried: {', '.join(other)}" if other else told
