"""What a checkpoint costs a training: ours, written beside it from a copy, against writing it between two steps.

    python benchmarks/checkpoint.py [--quick] [--json]

TinyViT-5M at 224 with AdamW's moments, about 65 MB; one thread trains, as the writer has one more core to itself. The
rounds alternate: some steps without a save, with ours after the first, with the peer's (the same bytes, synced, hashed
and pointed to, on the training thread). The extra time of a save is what a round takes more than one without, and holds
what the writer takes from the training; the share is that of a save a minute, ten times as often as the default.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch.nn import functional

from benchmarks import Row
from engine.core.network.build import build_network
from engine.core.train.checkpoint import State, save_checkpoint
from engine.core.train.optim import build_optimizer
from engine.core.train.writer import CheckpointWriter
from engine.spec import Student, Train

SIZE, CLASSES, BATCH = 224, 100, 4
EVERY, LIMIT = 60.0, 2.0  # seconds between saves, per cent of the step time they may cost
Save = Callable[[State], None]


@dataclass
class Training:
    """A network in training on one random batch: what takes time is the same as on any other."""

    steps: int
    times: dict[str, list[float]] = field(default_factory=dict)
    stalls: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network = build_network(Student(arch="tiny_vit_5m"), CLASSES, SIZE).train()
        self.optimizer = build_optimizer(self.network, Train())
        self.images, self.labels = torch.rand(BATCH, 3, SIZE, SIZE), torch.arange(BATCH)
        self.step()

    def step(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(self.network(self.images), self.labels).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def round(self, way: str, save: Save) -> None:
        """Time some steps with a save after the first."""
        begun = time.perf_counter()
        self.step()
        stopped = time.perf_counter()
        save({"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()})
        self.stalls.setdefault(way, []).append(time.perf_counter() - stopped)
        for _ in range(self.steps - 1):
            self.step()
        self.times.setdefault(way, []).append(time.perf_counter() - begun)

    def extra(self, way: str) -> float:
        """Return the median over rounds of what `way` took more than the round without a save beside it, in seconds."""
        return statistics.median(a - b for a, b in zip(self.times[way], self.times["none"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = compare_saves(Path(folder), rounds=4 if chosen.quick else 21, steps=4)
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        print(
            f"{row.case:44} {row.figure:34} {row.ours:9.4f} {row.peer:9.4f} {row.unit:6} x{row.ratio:.1f}  (n={row.n})"
        )


def compare_saves(folder: Path, rounds: int, steps: int) -> list[Row]:
    training, writer = Training(steps), CheckpointWriter(folder / "ours")
    ways: dict[str, Save] = {
        "none": lambda state: None,
        "ours": lambda state: writer.save(state, 1, lambda: None),
        "peer": lambda state: save_checkpoint(folder / "peer", state, 1),
    }
    for _ in range(rounds):
        for way, save in ways.items():
            training.round(way, save)
            writer.settle()
    return _rows(training, rounds)


def _rows(training: Training, rounds: int) -> list[Row]:
    ours, peer = (statistics.median(training.stalls[way]) for way in ("ours", "peer"))
    extra, more = (max(training.extra(way), 1e-4) for way in ("ours", "peer"))
    share = 100 * extra / EVERY
    case = "a save of TinyViT-5M and AdamW"
    return [
        Row(case, "the training stands still", ours, peer, peer / ours, "s", rounds),
        Row(case, "the training takes longer", extra, more, more / extra, "s", rounds),
        Row("a save a minute, against saving in between", "share of the step time", share, 100 * more / EVERY,
            more / extra, "%", rounds),
        Row("a save a minute, against the promised 2 %", "share of the step time", share, LIMIT, LIMIT / share,
            "%", rounds),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
