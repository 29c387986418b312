"""A profile on the stub, for `children.call_on`: a training's steps timed by events, its work counted by the stub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.verify.profile.timings import CardWork


def profile_steps(root: str, workers: int) -> dict[str, Any]:
    """Profile a small training with `workers` threads that load; return its timings as JSON."""
    from unittest.mock import patch

    from engine import run
    from engine.home.files import read_json, write_json
    from engine.home.paths import Home
    from engine.launch import Order
    from engine.verify.profile import child
    from tests.gpu_stub.job import SLOT, look_away
    from tests.run.bench import DATA, PACKED, TRAIN, TRAIN_JOB, write_spec

    home = Home(Path(root), Path(root) / "cache")
    write_spec(home.job("pack-1"), "pack", {}, {"data": PACKED, "digest": "d"})
    assert run.main(Order(home, "pack-1", 1)) == 0
    train = {**TRAIN, "precision": "bf16"}
    data = {**DATA, "augment": {"rand_augment": "rand-m9-mstd0.5-inc1", "flip": 0.5}}
    write_spec(home.job("train-1"), "train", {"pack": "pack-1"}, {**TRAIN_JOB, "train": train, "data": data})
    write_json(home.job("train-1").details, {"workers": workers, "cache": "raw"})
    order = Order(home, "train-1", 1, SLOT)
    order.folder.root.mkdir(parents=True)
    write_json(order.folder.root.with_name(child.WANTED), {"steps": 4, "seconds": 1.0})
    with look_away(), patch.object(child, "watch_work", count_work):
        status = child.profile_order(order)
    assert status == 0, (order.folder.root / child.FAULT).read_text()
    found: dict[str, Any] = read_json(order.folder.root / child.TIMINGS)
    return found


def count_work(work: Callable[[], int]) -> CardWork:
    """Take launches and waits from the stub's own counters: CUPTI is none of what it plays."""
    from engine.verify.profile.timings import CardWork
    from engine.verify.profile.work import SILENT
    from tests.gpu_stub.device import watch

    with watch() as seen:
        steps = work()
    counts = seen.counts
    launches, waits = counts["launches"] / steps, counts["syncs"] / steps
    return CardWork(launches=launches, waits=waits, lines=seen.waits, busy=None, why=SILENT)


def watch_silent() -> dict[str, Any]:
    """Watch work on the stub without CUPTI, which would ask the card for more than it plays."""
    from contextlib import nullcontext
    from unittest.mock import patch

    import torch

    from engine.verify.profile.work import watch_work

    def work() -> int:
        values = torch.zeros(8, device="cuda")
        for _ in range(3):
            values = values + 1
            values.sum().item()
        return 3

    with patch("torch.profiler.profile", lambda **words: nullcontext()):
        return watch_work(work).model_dump()
