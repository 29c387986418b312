"""What own code is tried with: takes a subject of each kind, gives a digest of all that came out, or raises Wrong.

Small batches of random numbers, as each Protocol (protocols.py) asks; the digest tells two imports of one code apart.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.core.own_code.subject import Subject, guard
from engine.core.own_code.views import seed_generator, view_problem
from engine.inputs.folders import PART_FOLDER

IMAGES, CLASSES, LOOKED_AT = 2, 7, 8
RATE, STEPS, UNITS = 0.01, 3, 6
SEEDS = (1, 2, 3, 1)  # of views: the first comes again, after others


def _try_network(subject: Subject) -> str:
    size = int(subject.question.facts.get("image_size", 32))
    network = subject.call(CLASSES, size)
    if not isinstance(network, nn.Module):
        raise subject.wrong(f"it gives a {type(network).__name__}, and no torch.nn.Module", "return a module")
    looks = [getattr(network, word, None) for word in ("mean", "std")]
    if any(look is not None and len(tuple(look)) != 3 for look in looks):
        raise subject.wrong("its mean or std are not three numbers", "give red, green and blue one each")
    images = torch.randn(IMAGES, 3, size, size)
    logits = _forward(subject, network, (images,), (IMAGES, CLASSES), "logits (B, num_classes)")
    network.eval()
    with torch.no_grad():
        again = guard(subject.root, "looking at images", lambda: network(images))
        alone = guard(subject.root, "looking at one image", lambda: network(images[:1]))
    if not torch.allclose(again[:1], alone, rtol=1e-3, atol=1e-3):
        fix = "let eval() switch off what looks at the batch, as batch norm does"
        raise subject.wrong("what it says of an image depends on the others of the batch", fix, network.forward)
    return f"{_state(network)} {_digest(logits)} {_digest(again)}"


def _try_loss(subject: Subject) -> str:
    student = torch.randn(IMAGES * 2, CLASSES, requires_grad=True)
    teacher, labels = torch.randn(IMAGES * 2, CLASSES), torch.arange(IMAGES * 2)
    kept = teacher.clone()
    answer = subject.call(student, teacher, labels, 2.0)
    _refuse_tensor(subject, answer, (), "one number, the mean over the batch", subject.thing)
    if not torch.equal(kept, teacher):
        raise subject.wrong("it changes the teacher's logits", "work on a copy: teacher.clone()")
    if not answer.requires_grad:
        fix = "use neither .detach(), .item() nor torch.no_grad() on the student's side"
        raise subject.wrong("its answer has no gradient: the student would not learn", fix)
    guard(subject.root, "its gradient", answer.backward)
    if student.grad is None or not torch.isfinite(student.grad).all():
        raise subject.wrong("its gradient is missing or not finite", "look for divisions by 0 and logs of 0")
    return f"{_digest(answer)} {_digest(student.grad)}"


def _try_attention(subject: Subject) -> str:
    told = []
    for dim, heads, window in subject.question.facts.get("stages", [(16, 2, 4)]):
        module = subject.call(dim, heads, window)
        if not isinstance(module, nn.Module):
            raise subject.wrong(f"it gives a {type(module).__name__}, and no torch.nn.Module", "return a module")
        shape = (IMAGES, window * window, dim)
        tokens = torch.randn(shape)
        keep = torch.ones(shape[:2], dtype=torch.bool)
        keep[:, -1] = False
        for mask in (None, keep):
            out = _forward(subject, module, (tokens, mask), shape, f"tokens (W, N, D), as {shape} came")
            told.append(_digest(out))
        told.append(_state(module))
    return " ".join(told)


def _try_source(subject: Subject) -> str:
    root = subject.question.facts.get("root")
    given = subject.call(Path(root) if root else None)
    if not hasattr(given, "__iter__"):
        raise subject.wrong(f"it gives a {type(given).__name__}, and no images one by one", "yield (class, image)")
    some = guard(subject.root, "its images", lambda: list(itertools.islice(given, LOOKED_AT)))
    if not some:
        raise subject.wrong("it gives no image", "yield (class, image) for each")
    for one in some:
        problem = image_problem(one)
        if problem is not None:
            raise subject.wrong(*problem)
    return hashlib.sha256(b"".join(_image_bytes(one) for one in some)).hexdigest()


def _try_optimizer(subject: Subject) -> str:
    """Take some steps, then go on from a copy of its state: both must come to the same bits."""
    first, second = nn.Linear(5, 4), nn.Linear(5, 4)
    one = _optimizer_of(subject, first)
    start = first.weight.detach().clone()
    _take_steps(subject, one, first)
    if torch.equal(start, first.weight):
        raise subject.wrong("its steps change nothing", "change the parameters of its groups in step()")
    second.load_state_dict(first.state_dict())
    other = _optimizer_of(subject, second)
    guard(subject.root, "load_state_dict", lambda: other.load_state_dict(copy.deepcopy(one.state_dict())))
    for optimizer, layer in ((one, first), (other, second)):
        _take_steps(subject, optimizer, layer)
    if not torch.equal(first.weight, second.weight):
        fix = "keep all that it remembers in `self.state`, which state_dict() saves"
        raise subject.wrong("it does not go on from its state_dict(): a killed training would end otherwise", fix)
    return _digest(first.weight)


def _optimizer_of(subject: Subject, layer: nn.Linear) -> torch.optim.Optimizer:
    groups = [{"params": [layer.weight], "weight_decay": 0.05}, {"params": [layer.bias], "weight_decay": 0.0}]
    made = subject.call(groups, RATE)
    if not isinstance(made, torch.optim.Optimizer):
        raise subject.wrong(f"it gives a {type(made).__name__}, and no torch.optim.Optimizer", "return an optimizer")
    if any(group.get("lr") != RATE for group in made.param_groups):
        raise subject.wrong("its groups do not have the rate as `lr`", "pass {'lr': rate} to Optimizer.__init__")
    return made


def _take_steps(subject: Subject, optimizer: torch.optim.Optimizer, layer: nn.Linear) -> None:
    for step in range(STEPS):
        images = torch.linspace(-1.0, 1.0, 15).view(3, 5) * (step + 1)
        optimizer.zero_grad()
        layer(images).square().mean().backward()
        guard(subject.root, "step", optimizer.step)


def _try_criterion(subject: Subject) -> str:
    incoming, outgoing = torch.randn(UNITS, 12), torch.randn(UNITS, 9)
    with torch.no_grad():
        scores = subject.call(incoming, outgoing)
    _refuse_tensor(subject, scores, (UNITS,), f"one score for each of the {UNITS} units", subject.thing)
    return _digest(scores)


def _try_augmentation(subject: Subject) -> str:
    """Show it images of each size that a network looks at; one that comes again with its seed must look the same."""
    told = []
    for size in subject.question.facts.get("sizes", [32]):
        seen: dict[int, Tensor] = {}
        for seed in SEEDS:
            image = torch.randint(256, (3, size, size), dtype=torch.uint8, generator=seed_generator(seed))
            with torch.no_grad():
                answer = subject.call(image, seed_generator(seed))
            problem = view_problem(answer, size)
            if problem is not None:
                raise subject.wrong(*problem)
            if not torch.equal(seen.setdefault(seed, answer.clone()), answer):
                fix = "draw with the generator that it is given, and keep nothing between two calls"
                raise subject.wrong("it makes another view of the same image and seed when it is asked again", fix)
        told += [_digest(view) for view in seen.values()]
    return " ".join(told)


def image_problem(one: object) -> tuple[str, str] | None:
    """Return what is wrong with what a source gave, and the fix; None where nothing is."""
    if not (isinstance(one, tuple) and len(one) == 2):
        return f"it gives a {type(one).__name__}, and no pair (class, image)", "yield (class, image) for each"
    name, image = one
    if not isinstance(name, str) or not name or name != name.strip() or name.startswith(".") or len(name) > 200:
        return f"its class {name!r} is no name", "yield the class as a text of up to 200 letters"
    if {"/", "\0", "\\"} & set(name) or PART_FOLDER.fullmatch(name):
        return f"its class {name!r} is no name for a folder of images", "use another name for it"
    if isinstance(image, bytes):
        return None
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        what = f"{image.dtype} array" if isinstance(image, np.ndarray) else type(image).__name__
        return f"an image is a {what}", "yield the bytes of a file, or an array of uint8"
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or 0 in image.shape:
        return f"an image has the shape {image.shape}", "give (height, width, 3), or (height, width) for grey"
    return None


def _image_bytes(one: Any) -> bytes:
    name, image = one
    content = image if isinstance(image, bytes) else f"{image.shape}".encode() + image.tobytes()
    return f"{name}\0".encode() + content


def _forward(subject: Subject, module: nn.Module, words: tuple[Any, ...], shape: tuple[int, ...], what: str) -> Tensor:
    """Call a module in training mode with its gradients, and check what comes out."""
    module.train()
    try:
        inspect.signature(module.forward).bind(*words)
    except TypeError as error:
        raise subject.wrong(
            f"forward{inspect.signature(module.forward)}: {error}", f"give it {len(words)}", module.forward
        ) from error
    out: Tensor = guard(subject.root, "forward", lambda: module(*words))
    _refuse_tensor(subject, out, shape, what, module.forward)
    if any(one.requires_grad for one in module.parameters()):
        if not out.requires_grad:
            fix = "use neither .detach() nor torch.no_grad() in forward"
            raise subject.wrong("its answer has no gradient: nothing would be learnt", fix, module.forward)
        squares: Any = out.square().sum()
        guard(subject.root, "its gradient", squares.backward)
    return out


def _refuse_tensor(subject: Subject, out: object, shape: tuple[int, ...], what: str, of: Any) -> None:
    if not isinstance(out, Tensor):
        raise subject.wrong(f"it gives a {type(out).__name__}, and not {what}", "return one tensor", of)
    if tuple(out.shape) != shape:
        fix = f"return the shape {shape} here"
        raise subject.wrong(f"it gives the shape {tuple(out.shape)}, and not {what}", fix, of)
    if out.dtype != torch.float32:
        fix = "take the dtype of what comes in, and set no other"
        raise subject.wrong(f"it gives {out.dtype} where float32 came in", fix, of)
    if not torch.isfinite(out).all():
        raise subject.wrong("it gives NaN or infinity", "look for divisions by 0 and logs of 0", of)


def _digest(value: Tensor) -> str:
    return hashlib.sha256(value.detach().contiguous().numpy().tobytes()).hexdigest()


def _state(network: nn.Module) -> str:
    told = ((name, tuple(value.shape), _digest(value.float())) for name, value in network.state_dict().items())
    return hashlib.sha256(repr(list(told)).encode()).hexdigest()


TRIALS: dict[str, Callable[[Subject], str]] = {
    "network": _try_network,
    "loss": _try_loss,
    "attention": _try_attention,
    "source": _try_source,
    "optimizer": _try_optimizer,
    "criterion": _try_criterion,
    "augmentation": _try_augmentation,
}
