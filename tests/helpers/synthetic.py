"""A home folder as finished jobs leave it, made of invented figures: needs no torch, no queue, no processes."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.home.commits import vouch
from engine.home.paths import AttemptFolder, Home, open_home
from engine.home.seals import seal
from store.journal import JournalWriter

START = 1_760_000_000.0
MB = 1 << 20


@dataclass(frozen=True)
class Arm:
    """What an invented arm comes out as."""

    accuracy: float = 0.60
    speed: float = 500.0
    memory: float = 900 * MB
    params: int = 21_000_000
    macs: int = 4_000_000_000
    prune: float = 0.0
    kind: str = "window"
    images: int = 200
    settings: Mapping[str, Any] = field(default_factory=dict)


ARMS = {
    "original": Arm(),
    "proposed": Arm(0.63, 560.0, 1100 * MB, 21_400_000, 3_800_000_000, kind="longformer"),
    "proposed_pruned": Arm(0.55, 640.0, 950 * MB, 17_100_000, 3_000_000_000, 0.2, kind="longformer"),
}


class SyntheticHome:
    """Builds jobs, attempts and records under `root`; every figure follows from names and seeds alone.

    With `sealed` they have checksums, as this version of xp writes them; without, as older ones did.
    """

    def __init__(self, root: Path, *, sealed: bool = False) -> None:
        self.home: Home = open_home(root, create=True)
        self.sealed = sealed

    def job(self, job: str, kind: str, needs: Mapping[str, str] | None = None, settings: Any = None) -> str:
        folder = self.home.job(job)
        folder.root.mkdir(parents=True, exist_ok=True)
        _put(folder.spec, {"version": 1, "kind": kind, "needs": dict(needs or {}), "settings": settings or {}})
        return job

    def attempt(self, job: str, number: int) -> tuple[AttemptFolder, JournalWriter]:
        attempt = self.home.job(job).attempt(number)
        attempt.root.mkdir(parents=True)
        _put(
            attempt.handle, {"pid": 1, "start_time": 1, "host": "bench", "boot_id": "x", "job": job, "attempt": number}
        )
        about = {"git_commit": "c0ffee" * 6, "git_dirty": None, "python": "3.11", "torch": "2.15.0", "timm": "1.0.31"}
        _put(
            attempt.provenance,
            {**about, "host": "bench", "device": "cpu", "driver": None, "spec_digest": "s", "data_digest": "d"},
        )
        return attempt, JournalWriter(attempt.journal)

    def finish(self, job: str, attempt: AttemptFolder, seconds: float = 12.0) -> None:
        kind = json.loads(self.home.job(job).spec.read_text())["kind"]
        about = {"job": job, "attempt": attempt.number, "kind": kind, "steps": 10, "seconds": seconds, "figures": {}}
        _put(attempt.result, vouch(self.home.job(job), attempt, about) if self.sealed else about)
        os.link(attempt.result, self.home.job(job).result)
        self.outcome(attempt, "done")

    def unfinish(self, run: Mapping[str, Any]) -> None:
        """Leave the student of a run as one that was never begun."""
        job = self.home.job(run["jobs"]["student"])
        job.result.unlink()
        shutil.rmtree(job.root / "attempts")

    def outcome(self, attempt: AttemptFolder, outcome: str, reason: str = "") -> None:
        about = {"outcome": outcome, "exit": 0, "reason": reason, "slot": "cpu:0"}
        about |= {"started_at": START, "ended_at": START + 12}
        _put(attempt.outcome, seal(about) if self.sealed else about)

    def done(self, job: str, kind: str, needs: Mapping[str, str] | None = None, settings: Any = None) -> str:
        self.job(job, kind, needs, settings)
        attempt, journal = self.attempt(job, 1)
        journal.close()
        self.finish(job, attempt)
        return job

    def train(self, job: str, arm: Arm, seed: int, *, kind: str = "train", epochs: int = 3) -> str:
        """A trained job with its curve, figures and test predictions; which images it gets wrong follows the seed."""
        self.job(job, kind, {}, {"seed": seed})
        attempt, journal = self.attempt(job, 1)
        draw = random.Random(f"{arm.accuracy} {arm.kind} {arm.prune} {seed}")
        right = [draw.random() < arm.accuracy for _ in range(arm.images)]
        top1 = sum(right) / arm.images
        with journal:
            for epoch in range(epochs):
                share = (epoch + 1) / epochs
                for name, value in (
                    ("train_loss", 2 - share),
                    ("val_loss", 2.1 - share),
                    ("val_top1", top1 * share),
                    ("lr", 1e-3),
                ):
                    journal.metric(name, value, step=10 * (epoch + 1), epoch=epoch)
            keys = [sha256(f"image {number}".encode()).hexdigest() for number in range(arm.images)]
            labels = [number % 10 for number in range(arm.images)]
            guess = [label if good else (label + 1) % 10 for label, good in zip(labels, right, strict=True)]
            journal.predictions("test", keys, labels, guess, [0.9 if good else 0.4 for good in right])
            journal.metric("test_top1", top1, step=10 * epochs, epoch=epochs - 1)
            where: dict[str, Any] = {"device": "cpu", "precision": "fp32", "batch_size": 64, "threads": 2}
            journal.measurement("train_images_per_second", arm.speed / 3 + seed, "images/s", **where)
            journal.measurement("host_peak_rss", arm.memory + seed * MB, "bytes", **where)
            if arm.prune:
                journal.measurement("prune_asked", arm.prune, "1", **where)
                journal.measurement("prune_achieved", arm.prune - 0.004, "1", **where)
        self.finish(job, attempt)
        return job

    def measure(self, job: str, arm: Arm, parent: str) -> str:
        self.job(job, "measure", {"parent": parent})
        attempt, journal = self.attempt(job, 1)
        with journal:
            where: dict[str, Any] = {"device": "cpu", "precision": "fp32", "threads": 1}
            journal.measurement("params", arm.params, "1", batch_size=1, **where)
            journal.measurement("macs", arm.macs, "1", batch_size=1, **where)
            for batch in (1, 64):
                journal.measurement(
                    "infer_images_per_second",
                    arm.speed * batch / 64,
                    "images/s",
                    batch_size=batch,
                    p5=1.0,
                    p95=2.0,
                    n=30,
                    **where,
                )
            journal.measurement("infer_latency", 1000 / arm.speed, "ms", batch_size=1, **where)
        self.finish(job, attempt)
        return job

    def explain(self, job: str, parent: str, colour: int) -> str:
        self.job(job, "explain", {"parent": parent})
        attempt, journal = self.attempt(job, 1)
        attempt.artifacts.mkdir()
        shown = []
        for number in range(3):
            path = attempt.artifacts / f"map_{number:03d}.png"
            _write_png(path, colour, 60 * number)
            shown.append({"file": path.name, "sample": f"s{number}", "label": number, "predicted": number % 2})
        with journal:
            journal.fact("maps", {"method": "received", "layer": "stage 2", "images": shown})
        self.finish(job, attempt)
        return job

    def experiment(
        self,
        name: str,
        arms: Mapping[str, Arm],
        seeds: tuple[int, ...] = (0, 1, 2),
        splits: tuple[str, ...] = ("60/20/20",),
        claims: tuple[dict[str, Any], ...] = (),
        **more: Any,
    ) -> list[dict[str, Any]]:
        """All jobs of an experiment, done, and its record; returns the runs of the record."""
        pack = f"pack-{_hex(name)}"
        if not self.home.job(pack).root.exists():
            self.done(pack, "pack")
        runs = [
            self._run(name, arm, arms[arm], seed, split, pack) for split in splits for arm in arms for seed in seeds
        ]
        self.record(name, runs, next(iter(arms)), claims, **more)
        return runs

    def _run(self, name: str, label: str, arm: Arm, seed: int, split: str, pack: str) -> dict[str, Any]:
        key = _hex(f"{name} {label} {split} {seed}")
        jobs = {"pack": pack, "student": f"train-{key}"}
        self.train(jobs["student"], replace(arm, prune=0.0), seed)
        last = jobs["student"]
        if arm.prune:
            last = jobs["prune"] = self.train(f"prune-{key}", arm, seed, kind="prune")
        jobs["measure"] = self.measure(f"measure-{key}", arm, last)
        jobs["explain"] = self.explain(f"explain-{key}", last, 40 * len(label) % 255)
        settings = {
            "data": {"source": "digits", "split": split, "image_size": 32},
            "student": {"arch": "tiny_vit_21m", "attention": {"kind": arm.kind}},
            "train": {"epochs": 3, "batch_size": 64, "checkpoint": "last"},
            "prune": {"ratio": arm.prune} if arm.prune else None,
            **arm.settings,
        }
        about = {"run": f"run-{key}", "arm": label, "cell": f"data.split={split}", "seed": seed, "split": split}
        return {**about, "settings": settings, "jobs": jobs}

    def record(
        self, name: str, runs: list[dict[str, Any]], baseline: str, claims: tuple[dict[str, Any], ...] = (), **more: Any
    ) -> Path:
        folder = self.home.experiment(name)
        folder.mkdir(parents=True, exist_ok=True)
        number = len(self.home.records(name)) + 1
        path = folder / f"{number}.json"
        about = {"version": 1, "name": name, "title": f"The {name} experiment", "baseline": baseline}
        spec = {"name": name, "baseline": baseline, "claims": list(claims)}
        rest = {"submitted_at": START, "priority": 0, "spec": spec, "claims": list(claims), "runs": runs, "jobs": []}
        record = {**about, **rest, **more}
        _put(path, seal({**record, "number": number}) if self.sealed else record)
        return path


def _put(path: Path, value: Any) -> None:
    """Write JSON as the engine does, without waiting for the disk: these homes need not outlive the machine."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def _hex(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def _write_png(path: Path, red: int, green: int) -> None:
    from PIL import Image

    Image.new("RGB", (96, 48), (red, green, 120)).save(path)
