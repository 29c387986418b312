"""The smallest job over the whole path, with torch and timm loaded as for a real one: one journal line, one commit."""

from __future__ import annotations

import timm  # noqa: F401
import torch  # noqa: F401

from engine.home.files import write_json
from engine.launch import Order
from store.journal import JournalWriter


def main(order: Order) -> int:
    job, attempt = order.home.job(order.job), order.folder
    with JournalWriter(attempt.journal) as journal:
        journal.metric("train_loss", 0.5, step=1, epoch=0)
        journal.sync()
    write_json(attempt.result, {"job": job.job, "attempt": attempt.number, "kind": "train"})
    job.commit(attempt)
    return 0
