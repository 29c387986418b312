"""Resume: tells whether a training that is killed by SIGKILL, again and again, ends as one that is not."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_parts.findings import Place, Teller
from benchmarks.gpu_parts.jobs import Bench, first_jobs, photo_spec
from benchmarks.gpu_parts.photos import write_photos
from engine.home.files import read_object
from engine.launch.exits import Exit
from engine.plan import Job

KILLS, LOOK = 2, 0.02  # seconds between looks for a checkpoint
OFTEN = 0.0001  # minutes between checkpoints: one after each step
CASE = "killed by SIGKILL, deterministic"


def run(place: Place, teller: Teller) -> None:
    photos = write_photos(place.folder / "photos", 160 if place.device == "cpu" else 320, 4, tall=72, wide=96)
    precision = "bf16" if place.device == "cuda" else "fp32"
    words = photo_spec(
        "resume", photos, data={"image_size": 64, "short_side": 72, "augment": {"mixup": 0.8}},
        train={"epochs": 3, "batch_size": 16, "deterministic": True, "save_minutes": OFTEN, "precision": precision},
    )  # fmt: skip
    straight, struck = (Bench.open(place, name) for name in ("straight", "killed"))
    (done, ends), (killed, kills) = work(straight, words, 0), work(struck, words, KILLS)
    attempts = len(struck.home.job(killed.key).attempts())
    teller.tell(CASE, "kills", "measured" if kills else "failed", kills, f"of {KILLS}", note=f"{attempts} attempts")
    before, after = (str(bench.result(job)["weights_sha256"]) for bench, job in ((straight, done), (struck, killed)))
    teller.judge(CASE, "the same weights, bit by bit", before == after and not ends, note=f"{before[:12]} {after[:12]}")


def work(bench: Bench, words: dict[str, Any], kills: int) -> tuple[Job, int]:
    """Pack and train as a spec says, with kills; return the training and how often it was killed."""
    pack, trained = first_jobs(bench.lay_out(words))
    bench.run(pack)
    killed = sum(strike(bench, trained) for _ in range(kills))
    if (status := bench.run(trained)) != Exit.DONE:
        raise RuntimeError(f"{trained.key} ended with {status}: {bench.last_words(trained)}")
    return trained, killed


def strike(bench: Bench, job: Job) -> bool:
    """Start an attempt and kill it once it has a checkpoint of its own; return whether it was killed in time."""
    handle = bench.start(job)
    folder = bench.home.job(job.key).attempt(handle.attempt)
    while bench.place.left > 0 and not is_saved(folder.checkpoints) and not folder.result.exists():
        time.sleep(LOOK)
    told = read_object(folder.handle) or {}
    if "exit" not in told:
        os.kill(int(told["pid"]), signal.SIGKILL)
    return bench.wait(handle) == -signal.SIGKILL


def is_saved(folder: Path) -> bool:
    """Return whether a checkpoint of an attempt is on the disk, past its first step."""
    return int((read_object(folder / "pointer.json") or {}).get("step", -1)) > 0
