"""A compiled step is one graph with the numbers of the plain one, from a cache, and training goes on where it fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.train import compiled
from engine.core.train.compiled import CompiledForward, Step, choose_mode, compile_forward
from engine.core.train.forward import Forward
from engine.errors import JobError

from ..network.nets import network

FORWARD = Forward(torch.device("cpu"), "fp32", (0.5,) * 3, (0.25,) * 3)
STEP = Step(images=4, size=56, total=100_000)
KINDS: dict[str, dict[str, Any]] = {
    "dense": {},
    "dense lean": {"memory": "lean"},
    "slide": {"attention": {"pattern": "slide", "radius": 1}},
    "slide lean": {"attention": {"pattern": "slide", "radius": 1}, "memory": "lean"},
    "block": {"attention": {"pattern": "block", "tile": 7}, "windows": [7, 14, 14, 7]},
    "block lean": {"attention": {"pattern": "block", "tile": 7}, "windows": [7, 14, 14, 7], "memory": "lean"},
}


def images(count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, 3, 56, 56), dtype=torch.uint8, generator=generator)


def gradients(net: nn.Module, forward: Forward, shown: Tensor) -> list[Tensor]:
    torch.manual_seed(7)
    net.train()
    net.zero_grad(set_to_none=True)
    torch.nn.functional.cross_entropy(forward(net, shown), torch.arange(len(shown)) % 10).backward()  # type: ignore[no-untyped-call]
    return [parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None]


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "dense" else pytest.mark.slow) for kind in KINDS]
)
def test_every_attention_is_one_graph_with_the_gradients_of_the_plain_step(kind: str) -> None:
    net = network(112, drop_path=0.0, **KINDS[kind]).float() if "block" in kind else network(**KINDS[kind]).float()
    size = 112 if "block" in kind else 56
    shown = torch.nn.functional.interpolate(images(2).float(), size).to(torch.uint8)
    # Without code generation, which takes minutes: what is traced is the same.
    call = torch.compile(net, backend="aot_eager", fullgraph=True, dynamic=False)
    traced = CompiledForward(FORWARD.device, "fp32", FORWARD.mean, FORWARD.std, call, 2)
    for ours, plain in zip(gradients(net, traced, shown), gradients(net, FORWARD, shown), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-5)
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("wish", "kind", "step", "mode"),
    [
        ("off", "cpu", Step(16, 224, 10**9), None),
        ("auto", "cpu", Step(16, 224, 10**9), None),
        ("max", "cpu", Step(16, 224, 1), "default"),
        ("auto", "cuda", Step(256, 224, 199_999), None),
        ("auto", "cuda", Step(256, 224, 200_000), "default"),
        ("auto", "cuda", Step(64, 224, 200_000), "reduce-overhead"),
        ("auto", "cuda", Step(64, 224, 200_000, is_whole=False), "default"),
        ("max", "cuda", Step(256, 224, 1), "max-autotune"),
        ("max", "cuda", Step(128, 224, 1, is_whole=False), "max-autotune-no-cudagraphs"),
    ],
)
def test_the_mode_follows_from_settings_and_device(wish: Any, kind: str, step: Step, mode: str | None) -> None:
    found, reason = choose_mode(wish, kind, step)
    assert found == mode
    # What `auto` does on a GPU rests on guesses, and says so.
    assert ("not measured" in reason) == ((wish, kind) == ("auto", "cuda"))


def break_compiler(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: object, **words: object) -> None:
        raise error

    monkeypatch.setattr(compiled, "_try_step", fail)


def test_what_cannot_be_compiled_trains_without_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_compiler(monkeypatch, RuntimeError("\nno working C++ compiler\nand much more"))
    forward, outcome = compile_forward(nn.Linear(1, 1), FORWARD, "max", STEP, tmp_path)
    assert forward is FORWARD
    assert outcome.mode is None
    assert outcome.reason == "it cannot be compiled here: RuntimeError: no working C++ compiler"


def test_a_compiler_that_cannot_be_tidied_up_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("dictionary changed size during iteration")

    break_compiler(monkeypatch, RuntimeError("no working C++ compiler"))
    monkeypatch.setattr(torch.compiler, "reset", fail)
    forward, outcome = compile_forward(nn.Linear(1, 1), FORWARD, "max", STEP, tmp_path)
    assert forward is FORWARD
    assert outcome.reason == "it cannot be compiled here: RuntimeError: no working C++ compiler"


def test_after_compiled_steps_a_compiler_that_fails_ends_the_job_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_compiler(monkeypatch, RuntimeError("no working C++ compiler"))
    with pytest.raises(JobError, match="its steps so far were compiled") as refused:
        compile_forward(nn.Linear(1, 1), FORWARD, "max", STEP, tmp_path, was_compiled=True)
    assert refused.value.what.endswith("and compiling fails here: RuntimeError: no working C++ compiler")
    assert "xp retry" in refused.value.fix


def test_after_plain_steps_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_compiler(monkeypatch, AssertionError("it was tried"))
    forward, outcome = compile_forward(nn.Linear(1, 1), FORWARD, "max", STEP, tmp_path, was_compiled=False)
    assert (forward, outcome.mode, outcome.reason) == (FORWARD, None, compiled.PLAIN_BEFORE)


def test_compiled_steps_of_another_kind_of_device_are_told(tmp_path: Path) -> None:
    _, outcome = compile_forward(nn.Linear(1, 1), FORWARD, "auto", STEP, tmp_path, was_compiled=True)
    assert outcome.reason.endswith("; an earlier attempt, on another kind of device, did")


@pytest.mark.parametrize(
    "error", [MemoryError("no room"), torch.cuda.OutOfMemoryError("CUDA out of memory"), OSError(errno.ENOSPC, "full")]
)
@pytest.mark.parametrize("was_compiled", [None, True])
def test_what_a_machine_lacks_is_no_reason_to_train_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, was_compiled: bool | None
) -> None:
    break_compiler(monkeypatch, error)
    with pytest.raises(type(error)) as raised:
        compile_forward(nn.Linear(1, 1), FORWARD, "max", STEP, tmp_path, was_compiled=was_compiled)
    assert raised.value is error


@pytest.mark.parametrize(("wish", "images", "steps"), [("max", 4, 1), ("auto", 64, 3), ("auto", 256, 1)])
def test_a_graph_is_captured_and_replayed_before_training_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: Any, images: int, steps: int
) -> None:
    """What fails only in the second step must not end a training that could go on without."""
    tried: list[Step] = []
    monkeypatch.setattr(compiled, "_try_step", lambda network, forward, step: tried.append(step))
    kind = "cpu" if wish == "max" else "cuda"
    forward = Forward(torch.device(kind), "fp32", (0.5,) * 3, (0.25,) * 3)
    compile_forward(nn.Linear(1, 1), forward, wish, Step(images, 224, 10**7), tmp_path)
    assert len(tried) == steps


def test_only_full_batches_in_training_go_through_the_compiled_call() -> None:
    seen: list[int] = []

    def call(inputs: Tensor) -> Tensor:
        seen.append(len(inputs))
        return inputs.mean((2, 3))

    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    forward = CompiledForward(FORWARD.device, "fp32", FORWARD.mean, FORWARD.std, call, 4)
    forward(net.train(), images(4))
    forward(net, images(3))
    with torch.no_grad():
        forward(net, images(4))
    forward(net.eval(), images(4))
    assert seen == [4]


def small() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, 4), nn.BatchNorm2d(4), nn.GELU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(784, 10)]
    return nn.Sequential(*layers)


@pytest.mark.slow
def test_compiling_leaves_all_as_it_was_and_its_cache_serves_the_next(tmp_path: Path) -> None:
    net, random = small(), torch.get_rng_state()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    forward, first = compile_forward(net, FORWARD, "max", STEP, tmp_path)
    assert (first.mode, first.found, first.made > 0) == ("default", 0, True), first.reason
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in net.parameters())
    ours, plain = gradients(net, forward, images()), gradients(small(), FORWARD, images())
    for left, right in zip(ours, plain, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)
    torch.compiler.reset()
    again = small()
    forward, second = compile_forward(again, FORWARD, "max", STEP, tmp_path)
    assert second.found > 0
    assert second.made == 0
    # From a training that was killed and one that was not come the same bits.
    assert all(torch.equal(*pair) for pair in zip(gradients(again, forward, images()), ours, strict=True))
    torch.compiler.reset()
    for library in tmp_path.glob("*/*.so"):
        os.truncate(library, 300)  # as a kill of the linker leaves it
    forward, third = compile_forward(small(), FORWARD, "max", STEP, tmp_path)
    assert third.mode == "default", third.reason
    torch.compiler.reset()
