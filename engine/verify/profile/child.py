"""The process that is profiled: takes an attempt's folder in a scratch home, gives timings.json in it.

`python -P -m engine.verify.profile.child FOLDER`. It is the attempt of a training as far as its steps go: the same
settings, images, loader, loop and journal. Nothing of it is evaluated or committed. Weights are drawn and not loaded:
how long a step takes does not depend on them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Literal

import torch
from torch import nn

from engine.core.data.loader import count_threads
from engine.core.data.spans import no_span
from engine.core.host_memory import keep_freed
from engine.core.measure import count_params
from engine.core.network.build import build_network
from engine.core.train.compiled import CompiledForward
from engine.core.train.loop import Loop, Progress, Stopped
from engine.core.train.marks import Marks
from engine.core.train.optim import recovery
from engine.core.train.soundness import Diverged
from engine.errors import JobError, XpError
from engine.home.files import read_json, write_json
from engine.inputs.machine import usable_cores
from engine.launch import Order
from engine.launch.attempt_process import log_alone, read_order, run_attempt
from engine.launch.exits import Exit
from engine.run.attempt import Attempt
from engine.run.device import device_name, is_memory_error, prepare_device, seed_everything
from engine.run.inputs import Images, bare_network, open_images
from engine.run.lineage import Told
from engine.run.memory import MicroBatch, find_micro_batch
from engine.run.teaching import Teaching, open_teaching
from engine.run.training import Task, make_loop, place_task
from engine.spec import Train
from engine.spec.job_settings import PruneSettings, TrainSettings
from engine.verify.profile.clock import StepClock
from engine.verify.profile.made_up import make_up_teaching
from engine.verify.profile.timings import CardWork, Checkpoint, Surroundings, Timings
from engine.verify.profile.work import watch_work

TIMINGS, WANTED, FAULT, WIDTHS = "timings.json", "wanted.json", "fault.json", "widths.json"
# On a GPU cuDNN tries kernels out, and memory is asked for in the first steps.
WARM_UP = {"cpu": 3, "cuda": 10}
LEAST, SAVES, WATCHED = 3, 3, 4  # timed steps at least; checkpoints; steps whose work on a card is counted
Taught = Literal["", "cached", "online", "made up", "made up, online"]


class StepCount(Marks):
    """Ends a training after `most` steps, without a checkpoint."""

    def __init__(self, most: int) -> None:
        self.most, self.done = most, 0

    def end_step(self) -> None:
        self.done += 1
        if self.done >= self.most:
            raise Stopped


def profile_order(order: Order) -> int:
    """Time the training of an order; what stops it is left as a fault that a person can act on."""
    attempt = Attempt(order)
    attempt.listen()
    try:
        with attempt.journal:
            found = time_training(attempt)
            attempt.settle(None)
    except Exception as error:
        fault = _explain(error)
        if fault is None:
            raise
        write_json(order.folder.root / FAULT, {"what": fault.what, "where": fault.where, "fix": fault.fix})
        return Exit.FAILED
    write_json(order.folder.root / TIMINGS, found.model_dump(mode="json"))
    return Exit.DONE


def _explain(error: Exception) -> XpError | None:
    """Return what a person is told of an error, None for one that nobody expects."""
    if isinstance(error, XpError):
        return error
    if isinstance(error, Diverged):
        return JobError(f"the training diverges: {error}", fix="take a smaller train.lr or a longer warm-up")
    if is_memory_error(error):
        fix = "take a smaller train.batch_size, or train.memory: lean"
        return JobError("a step does not fit into memory", fix=fix)
    return None


def time_training(attempt: Attempt) -> Timings:
    """Train as the attempt would, for as many steps as wanted.json asks for, and return what was timed."""
    wanted = read_json(attempt.folder.root.with_name(WANTED))
    told = attempt.settings(TrainSettings)
    device = prepare_device(attempt.order.slot, told.train.threads, told.train.deterministic, told.train.precision)
    keep_freed()
    images = open_images(attempt, told.data)
    teaching, taught = _open_teaching(attempt, told, images, device)
    task = Task(told, images, teaching, Told({}, {}))
    seed_everything(task.seed)
    network = _first_network(attempt, task).to(device)
    train = _own_train(attempt, told)
    room = find_micro_batch(attempt, network, train.batch_size, None)
    task = place_task(attempt, task, train, network, device, room)
    loop = make_loop(attempt, task, train, network, device, "profile", room)
    loop.recipe = replace(loop.recipe, val_loader=None)  # between epochs, and no part of a step
    clock = StepClock(device, WARM_UP[device.type], wanted["steps"], wanted["seconds"], LEAST)
    _run_steps(loop, attempt, clock)
    checkpoints = [_time_save(loop, attempt) for _ in range(SAVES)]
    steps, beside = clock.read()
    about = _describe(task, loop, room, taught)
    card = _count_work(loop) if device.type == "cuda" else None
    return Timings(
        about=about, steps=steps, warm_up=clock.warm_up, epochs=clock.epochs, beside=beside, checkpoints=checkpoints,
        ends=clock.ends, idle_cores=clock.idle_cores, card=card,
    )  # fmt: skip


def _own_train(attempt: Attempt, told: TrainSettings) -> Train:
    """Return the recipe: a pruned network's is that of its recovery."""
    train = told.train
    if isinstance(told, PruneSettings):
        train = recovery(train, told.prune.recover_epochs, told.prune.recover_lr)
    if not train.epochs or told.head == "probe":
        raise JobError("this job trains nothing step by step", where=attempt.order.job, fix="name another training")
    return train


def _first_network(attempt: Attempt, task: Task) -> nn.Module:
    """Return the network in the shape that is trained, its weights drawn."""
    model, memory = task.told.network.model_copy(update={"weights": "none"}), attempt.details.memory
    widths = attempt.folder.root.with_name(WIDTHS)
    if widths.exists():
        return bare_network(model, task.num_classes, task.size, read_json(widths), memory)
    return build_network(model, task.num_classes, task.size, memory=memory)


def _open_teaching(
    attempt: Attempt, told: TrainSettings, images: Images, device: torch.device
) -> tuple[Teaching | None, Taught]:
    """Return who teaches, and how they came to answer: a job that is not done yet has its answers made up."""
    lesson = told.distill
    if lesson is None:
        return None, ""
    roles = [role for role in ("targets", "reference", "teacher") if role in attempt.needs]
    if all(attempt.home.job(attempt.needs[role]).result.exists() for role in roles):
        return open_teaching(attempt, images, device), lesson.targets
    made_up: Taught = "made up, online" if lesson.targets == "online" else "made up"
    return make_up_teaching(attempt, lesson, images, device), made_up


def _run_steps(loop: Loop, attempt: Attempt, clock: StepClock) -> None:
    """Train until the clock has enough. Raises Stopped when a person had."""
    loop.marks, loop.recipe.loader.span = clock, clock.span
    _train_until_stopped(loop)
    loop.marks, loop.recipe.loader.span = Marks(), no_span
    if attempt.should_stop():
        raise Stopped


def _train_until_stopped(loop: Loop) -> None:
    """Train; a training that comes to its end begins again."""
    try:
        while True:
            loop.run()
            loop.progress = Progress()
            loop.loss_sum.zero_()
    except Stopped:
        return


def _time_save(loop: Loop, attempt: Attempt) -> Checkpoint:
    attempt.settle(None)
    if loop.loss_sum.device.type == "cuda":
        torch.cuda.synchronize()
    began = perf_counter()
    loop.save()
    waited = perf_counter()
    attempt.settle(None)
    return Checkpoint(waits=waited - began, beside=perf_counter() - waited)


def _count_work(loop: Loop) -> CardWork:
    """Do a few steps more under torch's profiler."""
    loop.progress = Progress()
    loop.loss_sum.zero_()
    loop.marks = counter = StepCount(WATCHED)

    def work() -> int:
        _train_until_stopped(loop)
        return counter.done

    return watch_work(work)


def _describe(task: Task, loop: Loop, room: MicroBatch, taught: Taught) -> Surroundings:
    recipe, own, device = loop.recipe, loop.recipe.train, loop.recipe.forward.device
    return Surroundings(
        device=device_name(device),
        kind="gpu" if device.type == "cuda" else "cpu",
        precision=own.precision,
        threads=own.threads,
        cores=usable_cores(),
        workers=count_threads(task.images.data),
        batch=own.batch_size,
        images=loop.groups.images / loop.groups.steps,
        micro_batch=room.images if room.is_split else None,
        compiled=own.compile if isinstance(recipe.forward, CompiledForward) else None,
        save_seconds=recipe.save_seconds,
        epoch_steps=loop.groups.steps,
        taught=taught,
        keeps_views=recipe.loader.keeps_views,
        parameters=count_params(loop.network),
    )


def main(folder: str) -> int:
    return run_attempt(read_order(Path(folder), os.environ), profile_order, log_alone)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
