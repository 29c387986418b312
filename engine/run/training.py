"""The jobs that train: takes an attempt, gives trained (pruned, recovered) weights, their evaluation and figures."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as encode_weights
from torch import nn

from engine.core.data.loader import EvalLoader, TrainLoader
from engine.core.data.share import ALONE, Share
from engine.core.host_memory import keep_freed
from engine.core.measure import count_params, peak_memory
from engine.core.network.backends import settle
from engine.core.network.build import normalization
from engine.core.train.compiled import Step, compile_forward
from engine.core.train.evaluate import Evaluation, evaluate
from engine.core.train.forward import Forward
from engine.core.train.groups import Groups
from engine.core.train.loop import Loop
from engine.core.train.recipe import Recipe
from engine.errors import JobError
from engine.home.files import write_atomic, write_json
from engine.inputs.looks import Look, look_metadata
from engine.inputs.tensors import TENSORS, tensors_digest
from engine.inputs.weights import order_header
from engine.run.answers import write_answers
from engine.run.attempt import Attempt
from engine.run.continuing import keep_branch, take_up
from engine.run.device import device_name, prepare_device, seed_everything
from engine.run.heads import probe_head
from engine.run.inputs import (
    Images,
    bare_network,
    first_network,
    load_trained,
    make_forward,
    open_images,
)
from engine.run.lineage import Told, tell_lineage
from engine.run.memory import MicroBatch, find_micro_batch, watch_memory
from engine.run.placing import place_images
from engine.run.provenance import write_origin
from engine.run.pruning import count_kept, go_on, hold_zeros, prune_here, pruned_training, take_pruned
from engine.run.ranks import begin_together, meet
from engine.run.teaching import Teaching, log_agreement, open_teaching
from engine.spec import Prune, Train
from engine.spec.job_settings import PruneSettings, TrainSettings

CALIBRATION_IMAGES, CALIBRATION_BATCH = 512, 64
PARTS = ("val", "test")


@dataclass(frozen=True)
class Task:
    """What a train or prune job was asked for, and the images it works on."""

    told: TrainSettings
    images: Images
    teaching: Teaching | None
    lineage: Told

    @property
    def train(self) -> Train:
        return self.told.train

    @property
    def num_classes(self) -> int:
        return self.told.classes_here

    @property
    def seed(self) -> int:
        return self.told.seed

    @property
    def size(self) -> int:
        return self.images.data.image_size


def run_train(attempt: Attempt) -> None:
    """Train the network of the settings from its first weights, or on from an earlier attempt's checkpoint."""
    task, device = _start(attempt)
    keep_branch(attempt)
    resumed = attempt.resume()
    found = resumed or take_up(attempt)
    widths = take_pruned(attempt) if found is None else go_on(attempt, found.state)
    # Only now: building a teacher has drawn numbers, and an untaught run would start elsewhere.
    seed_everything(task.seed)
    network = first_network(attempt, task.num_classes, task.size, widths) if found is None else None
    network = _bare(attempt, task, widths) if network is None else network
    train = task.train
    if task.told.head == "probe":
        probe_head(attempt, task.images, network.to(device), device, train.precision)
        train = train.model_copy(update={"epochs": 0})  # the head is at its optimum: only the tests are left
    room = find_micro_batch(attempt, network, attempt.share.largest(train.batch_size), found.state if found else None)
    with watch_memory(attempt, room):
        task = place_task(attempt, task, train, network.to(device), device, room)
        loop = make_loop(attempt, task, train, network, device, "train", room)
        hold_zeros(attempt, loop, None, task.seed)
        if resumed is None:
            _log_split(attempt, task)
        if found is not None:
            loop.restore(found.state)
        begin_together(attempt, loop, task.size)
        _train_and_test(attempt, task, loop, room)


def run_prune(attempt: Attempt) -> None:
    """Prune the parent's network, train it on at a lower rate, test it once; resumes in the pruned shape."""
    task, device = _start(attempt)
    prune = attempt.settings(PruneSettings).prune
    train = pruned_training(task.train, prune)
    found = attempt.resume()
    seed_everything(task.seed)
    if found is None:
        network = _whole_network(attempt, task, prune).to(device)
        _log_split(attempt, task)
        _prune(attempt, task, network, prune, device)
    else:
        network = _bare(attempt, task, go_on(attempt, found.state)).to(device)
    room = find_micro_batch(attempt, network, attempt.share.largest(train.batch_size), found.state if found else None)
    with watch_memory(attempt, room):
        task = place_task(attempt, task, train, network, device, room)
        loop = make_loop(attempt, task, train, network, device, "recover", room)
        hold_zeros(attempt, loop, prune, task.seed)
        if found is None:
            # A kill from here on goes on in the pruned shape, and prunes no second time.
            loop.save()
        else:
            loop.restore(found.state)
        begin_together(attempt, loop, task.size)
        _train_and_test(attempt, task, loop, room)


def _start(attempt: Attempt) -> tuple[Task, torch.device]:
    told = attempt.settings(TrainSettings)
    train = told.train
    device = prepare_device(attempt.order.slot, train.threads, train.deterministic, train.precision)
    meet(attempt, device)
    keep_freed()
    images = open_images(attempt, told.data)
    write_origin(attempt, device, train.threads, images.pack.digest)
    lineage = tell_lineage(attempt, images)
    teaching = open_teaching(attempt, images, device)
    return Task(told, images, teaching, lineage), device


def _bare(attempt: Attempt, task: Task, widths: Any) -> nn.Module:
    """Return the network in the shape that a checkpoint fits, without weights."""
    return bare_network(task.told.network, task.num_classes, task.size, widths, attempt.details.memory)


def place_task(
    attempt: Attempt, task: Task, train: Train, network: nn.Module, device: torch.device, room: MicroBatch
) -> Task:
    """Return the task with its images held where there is room beside the training."""
    forward = make_forward(network, device, train.precision)
    ask = task.teaching.ask if task.teaching else None
    return replace(task, images=place_images(attempt, task.images, network, forward, room.images, ask))


def make_loop(
    attempt: Attempt, task: Task, train: Train, network: nn.Module, device: torch.device, phase: str, room: MicroBatch
) -> Loop:
    settle(network, device, train.precision, attempt.home.attention_times, train.deterministic)
    data, pack, split = task.images.data, task.images.pack, task.images.split
    share = attempt.share
    loader = TrainLoader(pack, split.train, data, task.size, train.batch_size, task.seed, data.views, device, share)
    if train.checkpoint == "best_val" and not len(split.val):
        fix = "give data.split a validation part, or set train.checkpoint: last"
        raise JobError("best_val needs validation images, and the split has none", where=attempt.order.job, fix=fix)
    teaching = task.teaching
    forward = _make_forward(attempt, task, train, network, device, room, len(split.train))
    recipe = Recipe(
        train=train,
        distill=teaching.distill if teaching else None,
        forward=forward,
        loader=loader,
        val_loader=_eval_loader(task, "val", room, device, share),
        teacher=teaching.ask if teaching else None,
        schedule=teaching.schedule(train.epochs, Groups.of(loader, train.accumulate).steps) if teaching else None,
        phase=phase,
        save_seconds=60.0 * attempt.details.save_minutes,
        micro_batch=room.images if room.is_split else None,
        ranks=attempt.ranks,
        hints=teaching.hints(network, task.size, task.seed) if teaching else None,
    )
    return Loop(network, recipe, attempt)


def _make_forward(
    attempt: Attempt, task: Task, train: Train, network: nn.Module, device: torch.device, room: MicroBatch, count: int
) -> Forward:
    """Return the forward pass of the training, compiled where `train.compile` has it; log what became of that."""
    plain = make_forward(network, device, train.precision)
    if train.compile == "off" or not train.epochs or attempt.ranks is not None:
        return plain
    attempt.beat("compile")
    # The largest of the equal pieces that a batch is cut into.
    batch = min(train.batch_size, count)
    images = -(-batch // -(-batch // room.images))
    step = Step(images, task.size, count * train.epochs, is_whole=not room.is_split and train.accumulate == 1)
    cache, earlier = attempt.home.compiled, attempt.was_compiled
    forward, outcome = compile_forward(network, plain, train.compile, step, cache, earlier)
    attempt.extra["compiled"] = outcome.mode is not None  # in every checkpoint: a training goes on as it began
    attempt.journal.fact("compile", outcome.as_fact())
    print(f"compile: {outcome.mode or 'not compiled'} ({outcome.reason})", flush=True)
    return forward


def _eval_loader(
    task: Task, part: str, room: MicroBatch, device: torch.device, share: Share = ALONE
) -> EvalLoader | None:
    rows = task.images.split.part(part)
    if not len(rows):
        return None
    return EvalLoader(task.images.pack, rows, task.images.data, task.size, room.images, device, share)


# Pruning --------------------------------------------------------------------------------------------------------------


def _whole_network(attempt: Attempt, task: Task, prune: Prune) -> nn.Module:
    """Return what is to be pruned: the parent as it was trained, or the first weights."""
    if prune.when == "before":
        return first_network(attempt, task.num_classes, task.size)
    return load_trained(attempt.home, attempt.need("parent"), attempt.details.memory)


def _prune(attempt: Attempt, task: Task, network: nn.Module, prune: Prune, device: torch.device) -> None:
    forward = make_forward(network, device, task.train.precision)
    measured = partial(_measure, attempt, task, device)
    prune_here(attempt, network, prune, _calibration(task, forward), task.seed, task.size, measured)


def _calibration(task: Task, forward: Forward) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return (prepared images, labels) of training images centre-cropped, drawn by the run's seed."""
    rows = task.images.split.train
    drawn = np.random.default_rng(task.seed).permutation(len(rows))[:CALIBRATION_IMAGES]
    batch_size = min(CALIBRATION_BATCH, task.train.batch_size)
    loader = EvalLoader(task.images.pack, rows[np.sort(drawn)], task.images.data, task.size, batch_size)
    return [(forward.prepare(batch.images), batch.labels.to(forward.device)) for batch in loader]


# The end --------------------------------------------------------------------------------------------------------------


def _train_and_test(attempt: Attempt, task: Task, loop: Loop, room: MicroBatch) -> None:
    """Do the epochs that are left, then measure the tested weights on each part, once, and commit."""
    progress = loop.run()
    if attempt.ranks is not None and not attempt.ranks.is_first:
        return
    epoch = loop.load_tested()
    kept = count_kept(loop)
    if kept is not None:
        _measure(attempt, task, loop.recipe.forward.device, "params_nonzero", kept, "1")
    figures = {"epochs": float(progress.epoch), **_test_network(attempt, task, loop, room)}
    for name in ("test_top1", "test_loss"):
        attempt.metric(name, figures[name], progress.step, max(epoch, 0))
    _log_cost(attempt, task, loop, figures)
    if room.is_split:
        _measure(attempt, task, loop.recipe.forward.device, "micro_batch", room.images, "images")
    if task.teaching is not None:
        log_agreement(attempt, task.teaching, task.images, loop.network, loop.recipe.forward)
    write_answers(attempt, task.teaching, task.images, loop.network, loop.recipe.forward)
    attempt.write_result(progress.step, figures, _write_network(attempt, task, loop.network))


def _test_network(attempt: Attempt, task: Task, loop: Loop, room: MicroBatch) -> dict[str, float]:
    """Return accuracy and loss on each part; log the predictions, and the speed of inference with its loader."""
    figures: dict[str, float] = {}
    device, images, seconds = loop.recipe.forward.device, 0, 0.0
    for part in PARTS:
        loader = _eval_loader(task, part, room, device)
        if loader is None:
            continue
        began = time.perf_counter()
        found = evaluate(loop.network, loader, loop.recipe.forward, attempt.watcher("evaluate"))
        images, seconds = images + found.n, seconds + time.perf_counter() - began
        _log_predictions(attempt, task, part, found)
        figures[f"{part}_top1"], figures[f"{part}_loss"] = found.top1, found.loss
    # Neither the speed of training nor that of the network alone, which a measure job takes
    _measure(attempt, task, device, "evaluate_images_per_second", images / seconds, "images/s")
    return figures


def _log_predictions(attempt: Attempt, task: Task, part: str, found: Evaluation) -> None:
    keys = [task.images.pack.keys[row] for row in found.rows]
    attempt.journal.predictions(part, keys, found.labels.tolist(), found.predicted.tolist(), found.confidence.tolist())


def _log_cost(attempt: Attempt, task: Task, loop: Loop, figures: dict[str, float]) -> None:
    """Log speed, memory and size. Speed is the median epoch: the first one also pays for starting up."""
    device, rates = loop.recipe.forward.device, loop.progress.rates
    if rates:
        low, middle, high = (float(edge) for edge in np.percentile(rates, [5, 50, 95]))
        _measure(attempt, task, device, "train_images_per_second", middle, "images/s", p5=low, p95=high, n=len(rates))
        figures["train_images_per_second"] = middle
    held = loop.recipe.loader.decoded.device_bytes
    if held:
        _measure(attempt, task, device, "device_images", held, "bytes")
    for name, peak in {**peak_memory(device), "host_peak_rss": attempt.peak_rss()}.items():
        # images that are held on the device are a choice of feeding, no part of what training the network takes
        _measure(attempt, task, device, name, peak - (held if name.startswith("cuda") else 0), "bytes")
    _measure(attempt, task, device, "ranks", attempt.share.ranks, "1")
    if attempt.taken_over:
        _measure(attempt, task, device, "seconds_taken_over", round(attempt.taken_over, 3), "s")
        figures["seconds_taken_over"] = round(attempt.taken_over, 3)
    figures["params"] = count_params(loop.network)
    _measure(attempt, task, device, "params", figures["params"], "1")


def _measure(
    attempt: Attempt, task: Task, device: torch.device, name: str, value: float, unit: str, **spread: Any
) -> None:
    attempt.journal.measurement(
        name,
        value,
        unit,
        device=device_name(device),
        precision=task.train.precision,
        batch_size=task.train.batch_size,
        threads=task.train.threads,
        **spread,
    )


def _write_network(attempt: Attempt, task: Task, network: nn.Module) -> dict[str, str]:
    """Write weights and what is needed to build the network around them; return the digests by which it is known."""
    folder: Path = attempt.folder.artifacts
    folder.mkdir(exist_ok=True)
    # clone: safetensors refuses tensors that share memory.
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    about_it = {**task.lineage.metadata, **look_metadata(_look(task, network))}
    encoded = encode_weights(weights, metadata=about_it)
    tensors = tensors_digest(encoded)
    raw = order_header(encoded, {TENSORS: tensors})
    write_atomic(folder / "weights.safetensors", raw)
    about = {"network": task.told.network.model_dump(), "num_classes": task.num_classes}
    about |= {"image_size": task.size, "widths": attempt.extra.get("widths")}
    if isinstance(kept := attempt.extra.get("masks"), dict):
        about |= {"zeros": sum(int((~mask).sum()) for mask in kept.values())}
    write_json(folder / "network.json", about)
    return {"weights_sha256": hashlib.sha256(raw).hexdigest(), "tensors_sha256": tensors}


def _look(task: Task, network: nn.Module) -> Look:
    data = task.images.data
    return Look(data.image_size, data.crop_share, data.interpolation, *normalization(network))


def _log_split(attempt: Attempt, task: Task) -> None:
    images = task.images
    about = {"text": images.data.split, "pack": attempt.needs["pack"]}
    attempt.journal.fact("split", {**about, **images.split.describe()})
    attempt.journal.fact("classes", list(images.pack.class_names))
    attempt.journal.fact("lineage", task.lineage.fact)
    if task.teaching is not None:
        attempt.journal.fact("temperature", task.teaching.about())
