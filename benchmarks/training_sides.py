"""One side of benchmarks/training.py: takes its words as JSON, trains an epoch for each line it reads, and times it."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import ROOT
from benchmarks.training_gate import gated, hide_prints
from benchmarks.training_peers import CLASSES, EPOCHS, SIZE, run_timm, run_torchdistill
from engine.core.data.loader import Batch, TrainLoader
from engine.core.data.pack import open_pack, write_pack
from engine.core.data.sources import list_images
from engine.core.distill.answering import Ask, CachedTeacher
from engine.core.distill.make import Maker, write_targets
from engine.core.distill.targets import Origin, open_targets
from engine.core.host_memory import keep_freed
from engine.core.network.build import build_network, normalization
from engine.core.train.compiled import Step, compile_forward
from engine.core.train.forward import Forward
from engine.core.train.loop import Loop
from engine.core.train.recipe import Recipe
from engine.home.files import write_atomic
from engine.inputs.looks import Look
from engine.run.device import prepare_device
from engine.spec import Data, Distill, Student, Train
from engine.spec.job_settings import CPU_WORKERS


def main() -> None:
    hide_prints()
    words = json.loads(sys.argv[1])
    PEERS.get(words.get("peer", ""), run_ours)(words)


class Surroundings:
    """What a job gives to the loop, but for its journal: a heartbeat each second, in a file."""

    def __init__(self, folder: Path) -> None:
        self._file, self._beaten = folder / f"heartbeat-{os.getpid()}.json", 0.0

    def metric(self, name: str, value: float, step: int, epoch: int) -> None:
        pass

    def beat(self, phase: str, **figures: float | int | None) -> None:
        if time.monotonic() - self._beaten > 1.0:
            self._beaten = time.monotonic()
            write_atomic(self._file, json.dumps({**figures, "phase": phase}), sync=False)

    def should_stop(self) -> bool:
        return False

    def save(self, state: dict[str, Any], step: int) -> None:
        pass  # between epochs, which is not timed here: benchmarks/checkpoint.py


def run_ours(words: dict[str, Any]) -> None:
    """Train with our loop, or with the bare step on batches in memory; epochs wait for their lines."""
    device = prepare_device("cpu", words["threads"], deterministic=True)
    keep_freed()
    # As the server does from which jobs are forked.
    gc.collect()
    gc.freeze()
    folder = Path(words["folder"])
    views = words["epochs"] if "teacher" in words else None
    loader = open_loader(folder, words["batch"], views)
    student = Student(arch="tiny_vit_5m", drop_path=0.0)
    network = build_network(student, CLASSES, SIZE)
    forward = Forward(device, "fp32", *normalization(network))
    if words.get("compile"):
        step = Step(words["batch"], SIZE, 10**9)
        forward, outcome = compile_forward(network, forward, words["compile"], step, ROOT / ".compiled")
        assert outcome.mode, outcome.reason
        print(outcome)
    train = Train(epochs=EPOCHS, batch_size=words["batch"], lr=1e-4, precision="fp32", clip_grad=None)
    distill = Distill(loss="hinton", temperature=2.0) if views else None
    teacher = store_answers(loader, views, folder / f"targets-{os.getpid()}") if views else None
    loop = Loop(network, Recipe(train, distill, forward, loader, None, teacher), Surroundings(folder))
    if words.get("bare"):
        run_bare(loop, Held(loader))
        return
    plain = loop._run_epoch

    def epoch() -> int:
        plain()
        return loop.progress.seen

    loop._run_epoch = gated(epoch)  # type: ignore[method-assign, assignment]
    loop.run()


def run_bare(loop: Loop, loader: Held) -> None:
    """The least that a step is: forward, loss, backward, update; nothing is looked at."""
    network, forward, optimizer = loop.network.train(), loop.recipe.forward, loop.update.optimizer

    def epoch() -> int:
        for batch in loader.batches:
            optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(forward(network, batch.images), batch.labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return sum(len(batch.rows) for batch in loader.batches)

    run = gated(epoch)
    while True:
        run()


class Held(TrainLoader):
    """A loader whose first epoch is kept in memory."""

    def __init__(self, loader: TrainLoader) -> None:
        self.__dict__.update(loader.__dict__)
        self.batches = list(loader.epoch(0))

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        return iter(self.batches[start:])


def open_loader(folder: Path, batch: int, views: int | None) -> TrainLoader:
    """Return the loader as a job has it: a pack of JPEG, one thread ahead, fresh views as long as there are some."""
    data = Data(source="folder", root=str(folder / "photos"), format="jpeg", views=views)
    pack = folder / f"pack-{os.getpid()}"
    pack.mkdir()
    write_pack(list_images(data), pack, data.short_side, lambda done, count: None, format="jpeg")
    opened, fed = open_pack(pack), data.model_copy(update={"workers": CPU_WORKERS})
    return TrainLoader(opened, np.arange(len(opened)), fed, SIZE, batch, 0, views)


def store_answers(loader: TrainLoader, views: int, folder: Path) -> Ask:
    """Return the answers of a store that was made before; what it holds is drawn, which no look-up takes longer for."""
    folder.mkdir()
    origin = Origin(loader.pack, loader.rows, loader.data, views, {"job": "drawn"})
    look = Look(SIZE, 0.875, "bicubic")
    maker = Maker(origin, lambda images: torch.randn(len(images), CLASSES), look, CLASSES)
    write_targets(maker, folder, lambda done, count: None)
    return CachedTeacher(open_targets(folder, origin, loader.rows))


PEERS: dict[str, Callable[[dict[str, Any]], None]] = {"timm": run_timm, "torchdistill": run_torchdistill}

if __name__ == "__main__":
    main()
