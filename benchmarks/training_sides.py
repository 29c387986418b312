"""One side of benchmarks/training.py: takes its words as JSON, trains an epoch for each line it reads, and times it."""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks import ROOT
from engine.core.data.loader import Batch, TrainLoader
from engine.core.data.pack import open_pack, write_pack
from engine.core.data.sources import list_images
from engine.core.distill.answering import Ask
from engine.core.distill.encoding import Answers
from engine.core.host_memory import keep_freed
from engine.core.network.build import build_network, normalization
from engine.core.train.compiled import Step, compile_forward
from engine.core.train.forward import Forward
from engine.core.train.loop import Loop, Recipe
from engine.home.files import write_atomic
from engine.spec import Data, Distill, Student, Train

SIZE, CLASSES, EPOCHS = 224, 2, 1000
# Where answers go: what a library prints must not come between them.
ANSWERS = os.fdopen(os.dup(1), "w")


def main() -> None:
    os.dup2(2, 1)
    words = json.loads(sys.argv[1])
    if "timm" in words:
        run_timm(words)
    else:
        run_ours(words)


def gated(epoch: Callable[[], int]) -> Callable[[], int]:
    """Return `epoch` (it gives its images) so that it waits for a line, and tells what it took."""

    def run() -> int:
        if not sys.stdin.readline():
            os._exit(0)
        wall, cpu = time.perf_counter(), cpu_seconds()
        images = epoch()
        told = {"images": images, "wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}
        print(json.dumps(told), file=ANSWERS, flush=True)
        return images

    return run


def cpu_seconds() -> float:
    """Return the CPU time of this process, of its children and of those that have ended."""
    own = psutil.Process()
    every = [own.cpu_times(), *(child.cpu_times() for child in own.children(recursive=True))]
    alive = float(sum(one.user + one.system for one in every))
    return alive + float(every[0].children_user + every[0].children_system)


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
    torch.set_num_threads(words["threads"])
    torch.use_deterministic_algorithms(True, warn_only=True)
    keep_freed()
    folder = Path(words["folder"])
    loader = open_loader(folder, words["batch"])
    student = Student(arch="tiny_vit_5m", drop_path=0.0)
    network = build_network(student, CLASSES, SIZE)
    device = torch.device("cpu")
    forward = Forward(device, "fp32", *normalization(network))
    if words.get("compile"):
        step = Step(words["batch"], SIZE, 10**9)
        forward, outcome = compile_forward(network, forward, words["compile"], step, ROOT / ".compiled")
        assert outcome.mode, outcome.reason
    if words.get("bare"):
        held = Held(loader)
    train = Train(epochs=EPOCHS, batch_size=words["batch"], lr=1e-4, precision="fp32", clip_grad=None)
    teacher = cached_answers(loader, words["teacher"]) if "teacher" in words else None
    distill = Distill(loss="hinton", temperature=2.0) if teacher else None
    recipe = Recipe(train, distill, forward, loader, None, teacher)
    loop = Loop(network, recipe, Surroundings(folder))
    if words.get("bare"):
        run_bare(loop, held)
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


def open_loader(folder: Path, batch: int) -> TrainLoader:
    data = Data(source="folder", root=str(folder / "photos"), format="jpeg")
    pack = folder / f"pack-{os.getpid()}"
    pack.mkdir()
    write_pack(list_images(data), pack, data.short_side, lambda done, count: None, format="jpeg")
    opened = open_pack(pack)
    return TrainLoader(opened, list(range(len(opened))), data, SIZE, batch, 0, None)  # type: ignore[arg-type]


def cached_answers(loader: TrainLoader, teacher: str) -> Ask:
    """Answers that were made before, looked up by row: a second use does no work of the teacher's. They are drawn."""
    logits = torch.randn(len(loader.rows), CLASSES)
    return lambda batch: Answers(logits[batch.rows])


def run_timm(words: dict[str, Any]) -> None:
    """Run timm's own train.py, whose epochs wait for their lines; it takes its package from the same checkout."""
    torch.set_num_threads(words["threads"])
    checkout, folder = words["timm"], words["folder"]
    sys.path.insert(0, checkout)
    sys.argv = [
        "train.py",
        *("--data-dir", f"{folder}/photos", "--model", "tiny_vit_5m_224", "--num-classes", str(CLASSES)),
        *("--batch-size", str(words["batch"]), "--opt", "adamw", "--lr", "1e-4", "--device", "cpu", "--workers", "1"),
        *(
            "--epochs",
            str(EPOCHS),
            "--val-interval",
            str(EPOCHS),
            "--output",
            f"{folder}/timm",
            "--log-interval",
            "999",
        ),
        *words["flags"],
    ]
    # Imported, not run: its steps are then a name that can be given another value.
    script = runpy.run_path(f"{checkout}/train.py", run_name="timm_train")
    names = script["main"].__globals__
    _skip_weights()
    plain = names["train_one_epoch"]

    def train_one_epoch(*given: Any, **named: Any) -> Any:
        answer: list[Any] = []
        loader = given[2] if len(given) > 2 else named["loader"]

        def epoch() -> int:
            answer.append(plain(*given, **named))
            return len(loader) * int(words["batch"])

        gated(epoch)()
        return answer[0]

    names["train_one_epoch"] = train_one_epoch
    script["main"]()


def _skip_weights() -> None:
    """Let timm's teacher be drawn: how fast it is does not depend on its weights, which need a network to be had."""
    distillation: Any = import_module("timm.task.distillation")
    make = distillation.create_model
    distillation.create_model = lambda *given, **named: make(*given, **{**named, "pretrained": False})


if __name__ == "__main__":
    main()
