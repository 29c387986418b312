"""A home whose jobs run in processes of their own, with the smallest settings that train, and what its journals say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.home.files import write_json
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.launch import Order
from engine.spec.job_file import canonical_spec
from engine.spec.job_kinds import KINDS
from store.journal import read_journal
from tests.helpers.forking import ForkServer, Hold, shared_server
from tests.helpers.queueing import until

NETWORK = {
    "arch": "tiny_vit",
    "dims": [8, 8, 16, 16],
    "depths": [1, 1, 1, 1],
    "heads": [1, 1, 2, 2],
    "windows": [3, 3, 2, 1],
    "drop_path": 0.2,
}
DATA = {"source": "digits", "image_size": 24, "split": "30/10/60", "short_side": 8}
PACKED = {"source": "digits", "short_side": 8, "format": "raw", "broken": "stop", "classes": None}
TRAIN = {"epochs": 3, "batch_size": 64, "lr": 2e-3, "precision": "fp32", "threads": 1}
TRAIN_JOB = {"data": DATA, "network": NETWORK, "num_classes": 10, "train": TRAIN, "distill": None, "seed": 0}
TARGETS_JOB = {
    **{"data": DATA, "network": NETWORK, "num_classes": 10, "precision": "fp32", "threads": 1},
    **{"head": "own", "logit_scale": 1.0, "rows": "train"},
}
LESSON = {
    **{"loss": "hinton", "temperature": 2.0, "weight": 0.9, "label_weight": 0.1, "until": 1.0},
    **{"options": {}, "targets": "cached", "calibrate": False},
}
SPEED = ("train_images_per_second", "evaluate_images_per_second", "host_peak_rss")


def write_spec(job: JobFolder, kind: str, needs: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Write a job's spec.json as a submit does; words that are left out are at their defaults."""
    job.root.mkdir(parents=True, exist_ok=True)
    write_json(job.spec, canonical_spec(kind, needs, KINDS[kind].settings.model_validate(settings)))


@dataclass
class Bench:
    """A home folder, and the way to run attempts of its jobs in processes of their own."""

    home: Home
    server: ForkServer

    def write(self, job: str, kind: str, needs: dict[str, str], settings: dict[str, Any]) -> JobFolder:
        folder = self.home.job(job)
        write_spec(folder, kind, needs, settings)
        return folder

    def start(self, job: JobFolder, hold: Hold | None = None, **details: Any) -> tuple[int, AttemptFolder]:
        number = len(job.attempts()) + 1
        write_json(job.details, details)
        return self.server.start(Order(self.home, job.job, number), hold), job.attempt(number)

    def start_held(
        self, job: JobFolder, phases: tuple[str, ...], step: int, **details: Any
    ) -> tuple[int, AttemptFolder]:
        """Start an attempt and return when it has come to `step` of a phase, where it waits to be told to stop."""
        pid, attempt = self.start(job, hold=(phases, step), **details)
        until((attempt.root / "held").exists, seconds=120.0)
        return pid, attempt

    def run(self, job: JobFolder, **details: Any) -> int:
        self.start(job, **details)
        return self.server.wait()

    def train(self, job: str, kind: str = "train", needs: dict[str, str] | None = None, **settings: Any) -> JobFolder:
        return self.write(job, kind, {"pack": "pack-1", **(needs or {})}, {**TRAIN_JOB, **settings})


def visible_lines(job: JobFolder) -> list[dict[str, Any]]:
    """The chain rule: the committed attempt's lines, after its predecessor's up to the `from`."""
    attempt, upto = job.winner() or job.attempts()[-1], None
    chain: list[dict[str, Any]] = []
    while True:
        lines = [line for line in read_journal(attempt.journal)[0] if upto is None or line["seq"] <= upto]
        chain = [line for line in lines if line["type"] != "from"] + chain
        start = next((line for line in lines if line["type"] == "from"), None)
        if start is None:
            return chain
        attempt, upto = job.attempt(start["attempt"]), start["upto"]


def figures(job: JobFolder) -> list[dict[str, Any]]:
    """What is visible and does not depend on the clock."""
    kept = []
    for line in visible_lines(job):
        if line.get("name") not in SPEED:
            kept.append({name: value for name, value in line.items() if name not in ("seq", "at")})
    return kept


@contextmanager
def open_bench(root: Path) -> Iterator[Bench]:
    """Give an empty home at `root`."""
    yield Bench(Home(root, root / "cache"), shared_server())


@contextmanager
def digits_bench(root: Path) -> Iterator[Bench]:
    """Give a home at `root` in which the job pack-1 has packed the digits."""
    with open_bench(root) as bench:
        assert bench.run(bench.write("pack-1", "pack", {}, {"data": PACKED, "digest": "d"})) == 0
        yield bench
