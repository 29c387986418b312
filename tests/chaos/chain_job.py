"""A training in miniature, without torch: its weights are a chain of hashes, saved and journalled as a real one's are.

Each step hashes the one before, so a step left out, done twice or taken from another job gives other weights.
Preloaded by the chaos tests instead of engine.run. A first attempt that is told to `hold` waits after that step until
the file `go` is there.
"""

from __future__ import annotations

import hashlib
import json
import random
import signal
import time
from pathlib import Path
from typing import Any

from engine.home.control_files import read_details
from engine.home.files import write_atomic, write_json
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.launch import Order
from store.journal import JournalWriter, read_journal

asked: list[int] = []


def main(order: Order) -> int:
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    job, attempt = order.home.job(order.job), order.folder
    details = read_details(job)
    steps, go = int(details["steps"]), Path(details.get("go", ""))
    with JournalWriter(attempt.journal) as journal:
        weights, done = start_state(job, attempt.number, journal)
        attempt.checkpoints.mkdir()
        for step in range(done + 1, steps + 1):
            if asked:
                return 85
            weights = advance(weights, step)
            time.sleep(random.SystemRandom().uniform(0.0, 2 * float(details["seconds"])))
            journal.metric("train_loss", int(weights[:6], 16), step=step, epoch=step)
            journal.sync()
            save(attempt, step, {"weights": weights, "seq": journal.seq})
            while attempt.number == 1 and step == details.get("hold") and not go.exists():
                time.sleep(0.005)
        journal.metric("test_top1", 0.5, step=steps, epoch=steps)
        journal.sync()
        write_json(attempt.result, {"job": job.job, "attempt": attempt.number, "weights_sha256": weights})
        job.commit(attempt)
    return 0


def advance(weights: str, step: int) -> str:
    return hashlib.sha256(f"{weights} {step}".encode()).hexdigest()


def straight(job: str, steps: int) -> str:
    """Return the weights of a job that nobody disturbed."""
    weights = job
    for step in range(1, steps + 1):
        weights = advance(weights, step)
    return weights


def visible_steps(home: Home, job: str) -> list[int]:
    """Return the steps of the metric lines that count: the winner's chain, each predecessor cut at its successor."""
    folder, upto = home.job(job), None
    attempt = folder.winner()
    steps: list[int] = []
    while attempt is not None:
        lines, _ = read_journal(attempt.journal)
        kept = [line for line in lines if upto is None or line["seq"] <= upto]
        steps += [line["step"] for line in kept if line["type"] == "metric" and line["name"] == "train_loss"]
        start = next((line for line in kept if line["type"] == "from"), None)
        attempt, upto = (folder.attempt(start["attempt"]), start["upto"]) if start else (None, None)
    return steps


def start_state(job: JobFolder, number: int, journal: JournalWriter) -> tuple[str, int]:
    """Go on from the newest checkpoint of earlier attempts."""
    for attempt in reversed([other for other in job.attempts() if other.number < number]):
        pointer = attempt.checkpoints / "pointer.json"
        if pointer.exists():
            told = json.loads(pointer.read_text())
            state = json.loads((attempt.checkpoints / told["file"]).read_text())
            journal.resumed(attempt.number, told["step"], state["seq"])
            return state["weights"], told["step"]
    return job.job, 0


def save(attempt: AttemptFolder, step: int, state: dict[str, Any]) -> None:
    name = f"step_{step}.json"
    write_atomic(attempt.checkpoints / name, json.dumps(state))
    write_json(attempt.checkpoints / "pointer.json", {"file": name, "step": step})
