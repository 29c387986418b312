"""Numbers: tells how far every attention and every loss on the device is from double precision on the CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu_parts.findings import Place, Teller, Verdict
from benchmarks.gpu_parts.variants import CLASSES, SIDE, SMALL, Memory, name_variant, variants
from engine.core.distill.losses import LOSSES, LossSpec
from engine.core.network.backends import settle
from engine.core.network.build import build_network
from engine.errors import JobError
from engine.run.device import prepare_device
from engine.spec import Student

# The most that logits and all gradients together may be off, as a share of their norm.
MOST = {"fp32": (1e-4, 1e-3), "bf16": (0.05, 0.3)}
LOSS_MOST = 1e-4
BATCH, TEMPERATURE = 2, 2.0
FEW = 9  # without a GPU every ninth variant is tried: the tests hold them all to the reference
Worst = dict[str, tuple[float, str]]
RESERVE = 5.0  # seconds for the losses


def run(place: Place, teller: Teller) -> None:
    if place.device == "cuda":
        prepare_device("0", 2, deterministic=False)  # TF32 off
    for name, loss in LOSSES.items():
        if loss.function is not None:
            with teller.case(f"loss {name}"):
                compare_loss(place, teller, name, loss)
    tried = list(variants()) if place.is_real else list(variants())[::FEW]
    worst: Worst = {}
    done = 0
    for words, memory in tried:
        if place.left < RESERVE:
            break
        name = name_variant(words, memory)
        with teller.case(name):
            compare_variant(place, teller, words, memory, worst)
        done += 1
    teller.tell("attention", "variants tried", "measured" if done == len(tried) else "failed", done, f"of {len(tried)}")
    compare_kernels(place, teller, worst)
    for figure, (value, name) in worst.items():
        verdict: Verdict = "not judged" if place.is_stub else "held"
        told = None if place.is_stub else value
        teller.tell("attention", f"{figure}, the worst that held", verdict, told, "of its norm", note=name)


def compare_kernels(place: Place, teller: Teller, worst: Worst) -> None:
    """Do the same with the kernels in Triton, for what they claim and as far as time goes: each has to be compiled."""
    if not place.is_real:
        teller.tell("attention in Triton", "variants tried", "not measured", note="kernels need a GPU")
        return
    done, claimed = 0, [{"kind": "window"}, *(words for words, memory in variants() if memory == "standard")]
    for words in claimed:
        if place.left < RESERVE:
            break
        name = " ".join(str(word) for word in words.values())
        with teller.case(f"triton {name}"):
            done += compare_variant(place, teller, words, "standard", worst, backend="triton")
    teller.tell("attention in Triton", "variants tried", "measured", done, f"of {len(claimed)}, where claimed")


def compare_variant(
    place: Place, teller: Teller, words: dict[str, Any], memory: Memory, worst: Worst, backend: str = "auto"
) -> bool:
    """Hold one attention to its network in doubles; only what is too far away is told by itself.

    Return whether the backend does it: False where kernels do not claim to.
    """
    networks = [draw_network(words, memory), draw_network({**words, "backend": backend}, memory)]
    images = torch.randn(BATCH, 3, SIDE, SIDE)
    mine = networks[1].to(place.device)
    if not is_claimed(mine, torch.device(place.device)):
        return False
    exact = gradients(networks[0].double(), images.double(), "fp32")
    for precision, most in MOST.items():
        found = gradients(mine, images.to(place.device), precision)
        for figure, limit, one, other in zip(("logits", "gradients"), most, found, exact, strict=True):
            away, name = distance(one, other), f"{backend} {' '.join(map(str, words.values()))} {memory}"
            if place.is_stub or away <= limit:
                key = f"{backend}, {precision} {figure}"
                worst[key] = max(worst.get(key, (0.0, "")), (0.0 if place.is_stub else away, name))
            else:
                teller.judge(name, f"{precision} {figure}", False, away, f"of its norm, at most {limit:g}")
    return True


def draw_network(words: dict[str, Any], memory: Memory) -> nn.Module:
    """Return the network of these words, with the same weights each time."""
    torch.manual_seed(0)
    network = build_network(Student.model_validate({**SMALL, "attention": words}), CLASSES, SIDE, memory=memory)
    shake(network)
    return network


def is_claimed(network: nn.Module, device: torch.device) -> bool:
    try:
        settle(network, device, "fp32")
    except JobError:
        return False
    return True


def shake(network: nn.Module) -> None:
    """Move what begins at zero or one, so that no part of the formula is idle."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))


def gradients(network: nn.Module, images: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """Return the logits and the gradients of all parameters, one after another, both fp64 on the CPU.

    In eval mode: the statistics of two images would make of a rounding a difference.
    """
    network.eval().zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = network(images)
    weights = torch.linspace(-1.0, 1.0, logits.numel(), device=images.device, dtype=images.dtype)
    (logits.to(images.dtype).flatten() * weights).sum().backward()
    parts = [part.grad for part in network.parameters() if part.grad is not None]
    return logits.detach().double().cpu(), torch.cat([part.double().cpu().flatten() for part in parts])


def distance(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm().clamp(min=1e-12))


def compare_loss(place: Place, teller: Teller, name: str, loss: LossSpec) -> None:
    """Tell how far a loss and its gradient in fp32 are from doubles."""
    draw = torch.Generator().manual_seed(0)
    student, teacher = (4 * torch.randn(64, 100, generator=draw, dtype=torch.float64) for _ in range(2))
    labels = torch.randint(0, 100, (64,), generator=draw)
    exact = teach(loss, student, teacher, labels)
    found = teach(loss, student.to(place.device, torch.float32), teacher.to(place.device, torch.float32), labels)
    for figure, one, other in zip(("value", "gradient"), found, exact, strict=True):
        away = distance(one, other)
        teller.judge(f"loss {name}", f"{figure}, off by", away <= LOSS_MOST, away, "of its norm")


def teach(loss: LossSpec, student: Tensor, teacher: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss and its gradient by the student's logits, both fp64 on the CPU."""
    asked = student.clone().requires_grad_()
    value = loss.teach(asked, teacher, labels.to(student.device), TEMPERATURE)
    (slope,) = torch.autograd.grad(value, asked)
    return value.detach().double().cpu(), slope.double().cpu()
