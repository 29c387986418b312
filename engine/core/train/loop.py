"""The training loop: takes a network, a recipe and hooks, gives its progress; saves so that kills lose little.

Position is (epoch, batch): the order of images is a function of (seed, epoch) alone, so a resumed epoch goes on at its
next batch. What a step draws (dropout, drop path) comes from torch's generator, which is part of the checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.data.loader import Batch, EvalLoader
from engine.core.distill.losses import answer_loss, distill_loss, loss_entry
from engine.core.distill.temperature import taught_epochs
from engine.core.train.checkpoint import State, capture_random, restore_random
from engine.core.train.ema import make_average
from engine.core.train.evaluate import Evaluation, evaluate
from engine.core.train.groups import Groups
from engine.core.train.marks import Marks
from engine.core.train.micro_batch import Logits, couple_pieces, cut_batch, has_batch_norm, sum_pieces
from engine.core.train.ranks.backward import Loss, add_coupled, add_gradients, add_whole, cut_shares, sum_gradients
from engine.core.train.ranks.group import Ranks
from engine.core.train.ranks.validate import evaluate_together
from engine.core.train.recipe import Hooks, Recipe
from engine.core.train.schedule import learning_rate
from engine.core.train.soundness import Diverged, require_finite, require_finite_loss
from engine.core.train.update import Update
from engine.core.train.wanted import Wanted

# On a GPU: how often the sum of the loss is looked at, for which the host waits.
LOOK_STEPS = 16


class Stopped(Exception):
    """Asked to stop, and everything worth keeping is on disk: the job goes on in a later attempt."""


class Zeros(Protocol):
    """Weights that are to stay at zero: `others` are tensors of their names that shall have the zeros too."""

    def mask_gradients(self) -> None: ...

    def hold(self, step: int, *others: Mapping[str, Tensor]) -> None: ...


@dataclass
class Progress:
    """Where a training stands. `seconds`, `seen` are those of the epoch; `rates` the finished epochs' images/s."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seen: int = 0
    seconds: float = 0.0
    rates: list[float] = field(default_factory=list)
    best_top1: float = -1.0
    best_epoch: int = -1


class Loop:
    """One training of one network; `run` returns when all epochs are done, else raises Stopped or Diverged."""

    def __init__(self, network: nn.Module, recipe: Recipe, hooks: Hooks) -> None:
        self.network, self.recipe, self.hooks, self.marks = network, recipe, hooks, Marks()
        self.update = Update(network, recipe.train, recipe.forward.device, recipe.forward.precision, recipe.hints)
        self.groups = Groups.of(recipe.loader, recipe.train.accumulate)
        self.average = make_average(network, recipe.train)
        self.zeros: Zeros | None = None
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}  # on the host
        # On the device, so that adding to it waits for nothing; in doubles, as it sums a whole epoch.
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=recipe.forward.device)
        self.shown_loss: float | None = None  # the epoch's mean, as of the last look at the sum
        self.saved_at = time.monotonic()
        self.counted_at: float | None = None  # None between epochs, when no time counts

    def restore(self, state: State) -> None:
        """Go back to where `state` was captured, generators included."""
        self.network.load_state_dict(state["network"])
        if self.recipe.hints is not None:
            self.recipe.hints.load_state_dict(state["hints"])
        self.update.restore(state)
        if self.average is not None:
            self.average.restore(state["ema"])
        self.progress = Progress(**state["progress"])
        self.best = state["best"]
        self.loss_sum.fill_(self.progress.loss_sum)
        restore_random(state["random"])

    def run(self) -> Progress:
        epochs = self.recipe.train.epochs
        while self.progress.epoch < epochs:
            try:
                self._run_epoch()
                self._end_epoch()
            except Diverged as error:
                where = f"step {self.progress.step}, epoch {self.progress.epoch + 1} of {epochs}"
                raise Diverged(f"{error} ({where})") from None
        return self.progress

    def load_tested(self) -> int:
        """Put the weights that are to be tested into the network; return the epoch they come from."""
        if self.recipe.train.checkpoint == "best_val" and self.best:
            self.network.load_state_dict(self.best)
            return self.progress.best_epoch
        if self.average is not None:
            self.average.put()
        return self.progress.epoch - 1

    def save(self) -> None:
        """Write a checkpoint of now. Raises Diverged rather than keep a state that is not finite."""
        self.progress.loss_sum = float(self.loss_sum)
        # The time up to here counts, that of saving does not.
        self._count_time()
        self.marks.mark("log")
        self._require_sound()
        self.hooks.save(self.capture(), self.progress.step)
        self.marks.mark("checkpoint")
        self.saved_at = time.monotonic()
        if self.counted_at is not None:
            self.counted_at = time.perf_counter()

    def _require_sound(self) -> None:
        """Raise Diverged where there is nothing worth keeping."""
        require_finite(self.network, self.progress.loss_sum)
        if self.update.is_lost:
            raise Diverged("the gradients overflow fp16 at any scale")

    def capture(self) -> State:
        average = {} if self.average is None else {"ema": self.average.values}
        hints = {} if self.recipe.hints is None else {"hints": self.recipe.hints.state_dict()}
        return {
            # Not copied here: the writer does that before the next step.
            "network": self.network.state_dict(),
            **self.update.capture(),
            **average,
            **hints,
            "progress": asdict(self.progress),
            "best": self.best,
            "random": capture_random(),
        }

    def _run_epoch(self) -> None:
        """Do the batches that are left of this epoch. The clock counts loading and steps, not saving."""
        now = self.progress
        self.network.train()
        self.counted_at = time.perf_counter()
        self.marks.begin()
        for batch in self.recipe.loader.epoch(now.epoch, start=now.batch):
            self.marks.mark("load")
            self._add(batch)
            is_step = self.groups.ends(now.batch)
            if is_step:
                self._step()
            seen = now.seen + self.groups.count(now.batch)
            now.batch, now.step, now.seen = now.batch + 1, now.step + is_step, seen
            self._count_time()
            if is_step:
                self._between_steps()
                self.marks.mark("log")
                self.marks.end_step()
            else:  # gradients are in no checkpoint
                self._beat(self.recipe.phase)
        now.loss_sum = float(self.loss_sum)  # waits for the device, so that the epoch's seconds hold all of its work
        self._count_time()
        self.counted_at = None

    def _count_time(self) -> None:
        """Add the time since the last call to the epoch's; nothing outside of its steps."""
        instant = time.perf_counter()
        if self.counted_at is not None:
            self.progress.seconds += instant - self.counted_at
            self.counted_at = instant

    def _add(self, batch: Batch) -> None:
        """Add the gradients of a batch to those of its group."""
        if self.groups.begins(self.progress.batch):
            self.update.begin()
            self.marks.mark("optimizer")
        loss = self._backward(batch)
        self.loss_sum += loss.double() * self.groups.count(self.progress.batch)
        self.marks.mark("backward")

    def _step(self) -> None:
        now = self.progress
        if self.recipe.ranks is not None:
            sum_gradients(self.recipe.ranks, self.update.parameters)
        if self.zeros is not None:
            self.zeros.mask_gradients()
        # From the step alone: there is no schedule to save or to restore.
        self.update.step(learning_rate(now.step, self.groups.steps, self.recipe.train))
        if self.zeros is not None:
            self.zeros.hold(now.step + 1, *([] if self.average is None else [self.average.values]))
        if self.average is not None:
            self.average.update(now.step + 1)
        self.marks.mark("optimizer")

    def _scale(self, loss: Tensor) -> Tensor:
        """Return what of a batch's loss is differentiated: its share of the group's mean, as the precision asks."""
        share = self.groups.share(self.progress.batch)
        return self.update.scale(loss if share == 1.0 else loss * share)

    def _backward(self, batch: Batch) -> Tensor:
        """Add the gradients of the batch's loss, in micro-batches where the recipe asks for them; return the loss."""
        recipe, wanted = self.recipe, self._wanted(batch)
        # BatchNorm cannot take statistics of a single image.
        least = 2 if recipe.micro_batch and has_batch_norm(self.network) else 1

        def logits(piece: slice) -> Tensor:
            self.marks.mark("backward")  # of the piece before
            with nullcontext() if recipe.hints is None or wanted.targets is None else recipe.hints.listening():
                answers = recipe.forward(self.network, batch.images[piece])
            self.marks.mark("forward")
            return answers

        def loss(answers: Tensor, towards: Wanted) -> Tensor:
            found = self._loss(answers, towards)
            self.marks.mark("forward")
            return found

        couples = wanted.targets is not None and recipe.distill is not None and loss_entry(recipe.distill.loss).couples
        if recipe.hints is not None and wanted.targets is not None:
            recipe.hints.refuse_pieces(len(batch.rows), recipe.micro_batch, couples=couples)
        if recipe.ranks is not None:
            return self._backward_shared(recipe.ranks, wanted, logits, loss, least, couples)
        pieces = cut_batch(len(batch.rows), recipe.micro_batch, least)
        if couples and len(pieces) > 1:
            return couple_pieces(self.network, pieces, logits, lambda a, piece: loss(a, wanted[piece]), self._scale)
        return sum_pieces(pieces, logits, lambda answers, piece: loss(answers, wanted[piece]), self._scale)

    def _backward_shared(
        self, ranks: Ranks, wanted: Wanted, logits: Logits, loss: Loss, least: int, couples: bool
    ) -> Tensor:
        """The same for a batch that ranks share; return the loss of all its images."""
        count = self.groups.count(self.progress.batch)
        if not ranks.share.is_cut(count):
            return add_whole(ranks, wanted, logits, loss, self._scale)
        pieces = cut_shares(ranks.share, count, self.recipe.micro_batch, least)
        if couples and len(pieces[0]) > 1:
            return add_coupled(ranks, self.network, pieces, logits, wanted, loss, self._scale)
        return add_gradients(ranks, pieces, logits, wanted, loss, self._scale)

    def _wanted(self, batch: Batch) -> Wanted:
        """Return what this batch is trained towards: the teacher's logits as long as it teaches."""
        recipe, device = self.recipe, self.recipe.forward.device
        labels = batch.labels.to(device, non_blocking=True)
        if batch.mix is not None:
            labels = batch.mix.labels(labels, len(recipe.loader.pack.class_names))
        self.marks.mark("copy")
        if recipe.teacher is None or not self._is_taught:
            return Wanted(labels, None)
        answers = recipe.teacher(batch).onto(device)
        self.marks.mark("teacher")
        return Wanted(labels, answers)

    def _loss(self, logits: Tensor, wanted: Wanted) -> Tensor:
        """Return the mean loss of some of a batch's images, whose logits are fp32 (B, C)."""
        recipe, smoothing = self.recipe, self.recipe.train.label_smoothing
        if recipe.distill is None or wanted.targets is None:
            return functional.cross_entropy(logits, wanted.labels, label_smoothing=smoothing)
        distill, teacher, at = recipe.distill, wanted.targets, self._temperature()
        found = distill_loss(distill, logits, teacher.logits, wanted.labels, smoothing, at, teacher.moments)
        if recipe.hints is None:
            return found
        own = partial(
            answer_loss,
            distill,
            teacher_logits=teacher.logits,
            labels=wanted.labels,
            temperature=at,
            moments=teacher.moments,
        )
        return found + recipe.hints.loss(teacher, own)

    @property
    def _is_taught(self) -> bool:
        """Whether the teacher still has a say in this epoch."""
        distill = self.recipe.distill
        return distill is not None and self.progress.epoch < taught_epochs(distill, self.recipe.train.epochs)

    def _temperature(self) -> float | None:
        """Return the temperature of the step that comes next; None where it is the spec's own number."""
        schedule = self.recipe.schedule
        return None if schedule is None else schedule.at(self.progress.epoch, self.progress.step)

    def _between_steps(self) -> None:
        """Write the heartbeat, notice a loss that is not finite, save when it is time, stop when asked."""
        # Asked once: a signal that comes after the save must not stop it unsaved.
        now, stop = self.progress, self.hooks.should_stop()
        # Reading the sum waits for the device, so a GPU is asked now and then; a bad sum stays bad.
        if self.loss_sum.device.type == "cpu" or now.step % LOOK_STEPS == 0:
            now.loss_sum = float(self.loss_sum)
            require_finite_loss(now.loss_sum)
            # Of the same images as the sum: until the next look more are seen than it holds.
            self.shown_loss = now.loss_sum / now.seen if now.seen else None
        self._beat(self.recipe.phase)
        is_due = stop or time.monotonic() - self.saved_at > self.recipe.save_seconds
        stop, is_due = self._agree(stop, is_due)
        if is_due:
            self.save()
        if stop:
            raise Stopped

    def _agree(self, *flags: bool) -> list[bool]:
        """Return of each flag whether it is up, of several ranks in any of them: all leave at the same step."""
        return list(flags) if self.recipe.ranks is None else self.recipe.ranks.any(flags)

    def _beat(self, phase: str) -> None:
        now, recipe = self.progress, self.recipe
        steps = recipe.train.epochs * self.groups.steps
        rate = now.seen / now.seconds if now.seconds else None
        self.hooks.beat(
            phase,
            step=now.step,
            steps=steps,
            epoch=now.epoch,
            epochs=recipe.train.epochs,
            rate=rate,
            loss=self.shown_loss,
        )

    def _end_epoch(self) -> None:
        """Log the epoch, move to the next one, save. All is logged after validation: a stop in it logs nothing."""
        now, recipe = self.progress, self.recipe
        self._require_sound()
        found = self._validate(recipe.val_loader) if recipe.val_loader else None
        now.rates.append(now.seen / max(now.seconds, 1e-9))
        self._log("train_loss", now.loss_sum / now.seen)
        # The rate of the epoch's last step: `step` counts the ones done.
        self._log("lr", learning_rate(now.step - 1, self.groups.steps, recipe.train))
        self._log("train_images_per_second", now.rates[-1])
        if recipe.schedule is not None and recipe.teacher is not None and self._is_taught:
            self._log("temperature", recipe.schedule.at(now.epoch, now.step - 1))
        if found is not None:
            self._log("val_loss", found.loss)
            self._log("val_top1", found.top1)
            self._keep_best(found.top1)
        self._next_epoch()

    def _next_epoch(self) -> None:
        now = self.progress
        self.progress = Progress(now.epoch + 1, 0, now.step, 0.0, 0, 0.0, now.rates, now.best_top1, now.best_epoch)
        self.loss_sum.zero_()
        # After the log lines: a kill in between goes on from an older checkpoint, and cuts them off again.
        self.save()
        if self._agree(self.hooks.should_stop())[0]:
            raise Stopped

    def _validate(self, loader: EvalLoader) -> Evaluation:
        """Measure the validation part, of the average where there is one. Asked to stop, save the trained epoch."""
        try:
            with self._shown():
                found = self._evaluate(loader)
        except Stopped:
            # All steps of the epoch are done and none of its lines logged: after the resume it ends once more.
            self.save()
            raise
        if not math.isfinite(found.loss):
            raise Diverged("the validation loss is not finite")
        return found

    def _evaluate(self, loader: EvalLoader) -> Evaluation:
        network, forward, ranks = self.network, self.recipe.forward, self.recipe.ranks
        if ranks is None:
            return evaluate(network, loader, forward, self._watch)
        return evaluate_together(network, loader, forward, self._watch, ranks)

    def _watch(self, seen: int, total: int) -> None:
        self._beat("validate")
        if self._agree(self.hooks.should_stop())[0]:
            raise Stopped

    def _shown(self) -> AbstractContextManager[None]:
        return nullcontext() if self.average is None else self.average.shown()

    def _keep_best(self, top1: float) -> None:
        """Keep a copy of the best weights so far when they are the ones to be tested; of equals the earlier."""
        now = self.progress
        if self.recipe.train.checkpoint == "best_val" and top1 > now.best_top1:
            now.best_top1, now.best_epoch = top1, now.epoch
            with self._shown():
                # clone: on a CPU `.cpu()` is the live tensor itself.
                self.best = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}

    def _log(self, name: str, value: float) -> None:
        self.hooks.metric(name, value, self.progress.step, self.progress.epoch)
