"""The smallest job over the whole path, with torch and timm loaded as for a real one: one journal line, one commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm  # noqa: F401
import torch  # noqa: F401

from engine.home.files import write_json
from engine.home.paths import Home
from store.journal import JournalWriter


def main(order: dict[str, Any]) -> int:
    job = Home(Path(order["home"]), Path(order["cache"])).job(order["job"])
    attempt = job.attempt(order["attempt"])
    with JournalWriter(attempt.journal) as journal:
        journal.metric("train_loss", 0.5, step=1, epoch=0)
        journal.sync()
    write_json(attempt.result, {"job": job.job, "attempt": attempt.number, "kind": "train"})
    job.commit(attempt)
    return 0
