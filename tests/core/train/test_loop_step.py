"""Two steps of the loop leave the parameters that hand-written formulas do, and each word of the recipe matters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.data.loader import Batch, TrainLoader
from engine.core.data.pack import Pack
from engine.core.distill.encoding import Answers
from engine.core.distill.temperature import TemperatureCurve
from engine.core.train.forward import Forward
from engine.core.train.loop import Loop, Stopped
from engine.spec import Augment, Distill, Train

from .toy import DATA, Notes, make_loop

Words = Mapping[str, Any]
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
PLAIN = {"batch_size": 64, "optimizer": "sgd", "lr": 0.2, "weight_decay": 0.0, "clip_grad": None, "warmup_epochs": 0}
STEPS = 6  # of an epoch of 361 images


class Small(nn.Module):
    """A network in fp64 with every sort of parameter that weight decay tells apart, and a frozen one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.norm = nn.LayerNorm(36)
        self.attention_biases = nn.Parameter(torch.randn(2, 18))
        self.head = nn.Linear(36, 10)
        self.last = nn.Linear(10, 10).requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.norm(self.conv(images.double()).flatten(1)) + self.attention_biases.flatten()
        answer: Tensor = self.last(self.head(features.tanh()))
        return answer


@dataclass(frozen=True)
class Case:
    """Words of a recipe: `train` over PLAIN, `distill`, a strength of mixup, a schedule of temperatures.

    Without `mixed_labels` the formulas take each mixed image for its own label.
    """

    train: Words = field(default_factory=dict)
    distill: Words | None = None
    mixup: float = 0.0
    schedule: tuple[float, float] | None = None
    micro_batch: int | None = None
    mixed_labels: bool = True

    @property
    def words(self) -> dict[str, Any]:
        return {**PLAIN, **self.train}


def teacher_answers(pack: Pack) -> tuple[Tensor, Tensor]:
    """Return logits for each row of the pack, and moments that are not those of the logits."""
    noise = torch.Generator().manual_seed(5)
    logits = 4 * torch.randn(len(pack), 10, generator=noise)
    return logits - logits.amax(1, keepdim=True), torch.rand(len(pack), 2, generator=noise) + 2.0


def our_steps(pack: Pack, case: Case) -> tuple[nn.Module, TrainLoader]:
    """Let the loop do two steps."""
    logits, moments = teacher_answers(pack)
    notes = Notes(stop_at=2)
    train = Train(epochs=3, precision="fp32", threads=1, **case.words)
    distill = None if case.distill is None else Distill.model_validate(case.distill)
    schedule = None if case.schedule is None else TemperatureCurve(*case.schedule, epochs=3, steps=STEPS)
    base = make_loop(pack, notes, train=train, distill=distill, schedule=schedule)
    data = DATA.model_copy(update={"augment": Augment(mixup=case.mixup)})
    loader = TrainLoader(pack, base.recipe.loader.rows, data, 8, train.batch_size, 0, None)

    def ask(batch: Batch) -> Answers:
        return Answers(logits[batch.rows], moments[batch.rows])

    recipe = replace(base.recipe, loader=loader, forward=Forward(torch.device("cpu"), "fp32", MEAN, STD))
    recipe = replace(recipe, micro_batch=case.micro_batch, teacher=ask if distill else None)
    loop = Loop(Small().double(), recipe, notes)
    with pytest.raises(Stopped):
        loop.run()
    assert loop.progress.step == 2
    return loop.network, loader


def their_steps(pack: Pack, case: Case, loader: TrainLoader) -> nn.Module:
    """Do the same two steps by formulas that share no code with the engine."""
    network, moved = Small().double(), Moved(case.words)
    trained = [(name, value) for name, value in network.named_parameters() if value.requires_grad]
    batches = iter(loader.epoch(0))
    for step in range(2):
        loss = written_loss(pack, case, network, next(batches), step)
        grads = list(torch.autograd.grad(loss, [value for _, value in trained]))
        if case.words["clip_grad"] is not None:
            norm = math.sqrt(sum(float(grad.square().sum()) for grad in grads))
            grads = [grad * min(1.0, case.words["clip_grad"] / (norm + 1e-6)) for grad in grads]
        for (name, value), grad in zip(trained, grads, strict=True):
            moved.update(name, value, grad, step)
    return network


def written_loss(pack: Pack, case: Case, network: nn.Module, batch: Batch, step: int) -> Tensor:
    middle, spread = (torch.tensor(numbers, dtype=torch.float64).view(1, 3, 1, 1) for numbers in (MEAN, STD))
    answer: Tensor = network((batch.images.double() / 255 - middle) / spread)
    own = (batch.labels[:, None] == torch.arange(10)).double()
    if batch.mix is not None and case.mixed_labels:
        share = batch.mix.share.double()[:, None]
        own = share * own + (1 - share) * own[batch.mix.partner]
    smoothing = case.words.get("label_smoothing", 0.0)
    wanted = (1 - smoothing) * own + smoothing / 10
    hard: Tensor = -(wanted * log_shares(answer)).sum() / len(answer)
    if case.distill is None:
        return hard
    temperature = case.distill.get("temperature", 2.0)
    if case.schedule is not None:
        first, last = case.schedule
        temperature = first + (last - first) * step / (3 * STEPS - 1)
    logits, moments = (numbers[batch.rows].double() for numbers in teacher_answers(pack))
    if case.distill.get("loss") == "lskd":
        logits = (logits - moments[:, :1]) / (1e-7 + moments[:, 1:])
        centred = answer - answer.mean(1, keepdim=True)
        answer = centred / (1e-7 + centred.square().mean(1, keepdim=True).sqrt())
    target = log_shares(logits / temperature)
    gaps = target.exp() * (target - log_shares(answer / temperature))
    soft = gaps.sum() / len(answer) * temperature**2
    total: Tensor = case.distill.get("weight", 0.9) * soft + case.distill.get("label_weight", 0.1) * hard
    return total


def log_shares(logits: Tensor) -> Tensor:
    return logits - logits.exp().sum(1, keepdim=True).log()


class Moved:
    """SGD with Nesterov momentum 0.9, or AdamW with betas 0.9 and 0.999, written out; decay of matrices alone."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.memory: dict[str, list[Tensor]] = {}

    def update(self, name: str, value: Tensor, grad: Tensor, step: int) -> None:
        decay = self.words["weight_decay"] if name in ("conv.weight", "head.weight") else 0.0
        rate = self.words["lr"]
        if self.words["warmup_epochs"]:
            rate *= (step + 1) / (self.words["warmup_epochs"] * STEPS)
        else:
            rate = 1e-6 + (rate - 1e-6) * (1 + math.cos(math.pi * step / (3 * STEPS))) / 2
        first, second = self.memory.setdefault(name, [torch.zeros_like(value.data), torch.zeros_like(value.data)])
        if self.words["optimizer"] == "sgd":
            grad = grad + decay * value.data
            first.mul_(0.9).add_(grad)
            value.data -= rate * (grad + 0.9 * first)
            return
        first.mul_(0.9).add_(0.1 * grad)
        second.mul_(0.999).add_(0.001 * grad.square())
        value.data *= 1 - rate * decay
        root = (second / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
        value.data -= rate * first / (1 - 0.9 ** (step + 1)) / root


HINTON: Words = {"loss": "hinton", "temperature": 3.0}
# name: the case, and the same without the word that it is about
CASES: dict[str, tuple[Case, Case]] = {
    "label_smoothing": (Case({"label_smoothing": 0.3}), Case()),
    "clip_grad": (Case({"clip_grad": 0.1}), Case()),
    "weight_decay of sgd": (Case({"weight_decay": 0.1}), Case()),
    "warmup_epochs": (Case({"warmup_epochs": 1}), Case()),
    "adamw": (Case({"optimizer": "adamw", "lr": 0.01}), Case({"lr": 0.01})),
    "weight_decay of adamw": (
        Case({"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.5}),
        Case({"optimizer": "adamw", "lr": 0.01}),
    ),
    "mixup": (Case(mixup=0.8), Case(mixup=0.8, mixed_labels=False)),
    "mixup and label_smoothing": (Case({"label_smoothing": 0.3}, mixup=0.8), Case(mixup=0.8)),
    "teacher": (Case(distill=HINTON), Case()),
    "temperature": (Case(distill=HINTON), Case(distill={**HINTON, "temperature": 4.0})),
    "schedule": (Case(distill=HINTON, schedule=(8.0, 1.0)), Case(distill=HINTON)),
    "schedule of the second step": (Case(distill=HINTON, schedule=(3.0, 1.0)), Case(distill=HINTON)),
    "weight": (Case(distill={**HINTON, "weight": 0.4}), Case(distill=HINTON)),
    "label_weight": (Case(distill={**HINTON, "label_weight": 1.0}), Case(distill=HINTON)),
    "label_smoothing with a teacher": (
        Case({"label_smoothing": 0.3}, distill={**HINTON, "label_weight": 1.0}),
        Case(distill={**HINTON, "label_weight": 1.0}),
    ),
    "mixup with a teacher": (
        Case(distill={**HINTON, "label_weight": 1.0}, mixup=0.8),
        Case(distill={**HINTON, "label_weight": 1.0}, mixup=0.8, mixed_labels=False),
    ),
    "moments of lskd": (Case(distill={"loss": "lskd", "weight": 0.9, "temperature": 2.0}), Case(distill=HINTON)),
}


def largest_gap(one: nn.Module, other: nn.Module) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((left.detach() - right.detach()).abs().max()) for left, right in pairs)


@pytest.mark.parametrize("name", CASES)
def test_two_steps_equal_the_written_formulas(pack: Pack, name: str) -> None:
    case, without = CASES[name]
    network, loader = our_steps(pack, case)
    same = largest_gap(network, their_steps(pack, case, loader))
    assert same < 1e-6
    assert largest_gap(network, their_steps(pack, without, loader)) > 1e3 * same, "a case that shows nothing"


@pytest.mark.parametrize("case", [Case(), Case({"label_smoothing": 0.3}, mixup=0.8), CASES["moments of lskd"][0]])
def test_micro_batches_change_no_formula(pack: Pack, case: Case) -> None:
    network, loader = our_steps(pack, replace(case, micro_batch=24))
    assert largest_gap(network, their_steps(pack, case, loader)) < 1e-6


def test_a_frozen_parameter_stays_as_it_was(pack: Pack) -> None:
    network, _ = our_steps(pack, Case({"weight_decay": 0.5}))
    assert torch.equal(network.get_submodule("last").weight, Small().double().last.weight)  # type: ignore[arg-type]
