"""Attention and whole networks against timm's TinyViT, measured in the same run: prints ratios above 1 where ours wins.

    python benchmarks/attention.py [--quick] [--json] [--markdown FILE] [--device cuda] [--threads 2]

The peer has the same windows and is the faster of timm's fused and eager attention. Rounds of both alternate, so a busy
machine hurts both alike. Saved bytes are distinct storages that autograd keeps, without parameters and buffers; peak
bytes are live tensors in one AdamW step at batch 32 (counted on shapes; on CUDA what the allocator saw).
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks import Row
from engine.core.measure import count_macs, count_params
from engine.core.network.build import Memory, build_network
from engine.spec import LongformerAttention, Student, WindowAttention

CLASSES, SIZE = 100, 224
Words = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A network of ours and the windows that it shares with timm's."""

    name: str
    arch: str
    windows: tuple[int, ...]
    attention: Words | None
    batch: int

    def ours(self, memory: Memory = "standard") -> nn.Module:
        sparse = self.attention is not None
        attention = LongformerAttention(kind="longformer", **(self.attention or {})) if sparse else WindowAttention()
        student = Student(arch=self.arch, windows=list(self.windows), drop_path=0.0, attention=attention)
        return build_network(student, CLASSES, SIZE, memory=memory)

    def peer(self, fused: bool) -> nn.Module:
        model: nn.Module = timm.create_model(
            f"{self.arch}_224", num_classes=CLASSES, window_sizes=self.windows, drop_path_rate=0.0
        )
        for module in model.modules():
            if hasattr(module, "fused_attn"):
                setattr(module, "fused_attn", fused)  # noqa: B010
        return model


CASES = (
    Case("5M {7,28,14,7} block", "tiny_vit_5m", (7, 28, 14, 7), {"pattern": "block"}, 4),
    Case("21M {14,14,14,7} block", "tiny_vit_21m", (14, 14, 14, 7), {"pattern": "block"}, 2),
    Case("5M {7,7,14,7} dense", "tiny_vit_5m", (7, 7, 14, 7), None, 4),
    Case("21M {7,7,14,7} dense", "tiny_vit_21m", (7, 7, 14, 7), None, 2),
    Case("5M {7,7,14,7} slide", "tiny_vit_5m", (7, 7, 14, 7), {"pattern": "slide"}, 4),
    Case("5M {7,28,14,7} pooled", "tiny_vit_5m", (7, 28, 14, 7), {"pattern": "block", "select": "pooled"}, 4),
)
QUICK = CASES[:3]


def network_rows(case: Case, device: torch.device, rounds: int) -> Iterator[Row]:
    """Yield speed, saved bytes, size and cost of one network."""
    images = torch.randn(case.batch, 3, SIZE, SIZE, device=device)
    ours, lean = case.ours().to(device), case.ours("lean").to(device)
    peers = [case.peer(fused).to(device) for fused in (True, False)]
    steps = [train_step(model, images) for model in (ours, *peers, lean)]
    times = alternate(steps, rounds, device)
    yield speed_row(case, "training step", times[0], times[1:3])
    yield speed_row(case, "training step, lean", times[3], times[1:3])
    times = alternate([infer_step(model, images) for model in (ours, *peers)], 2 * rounds, device)
    yield speed_row(case, "inference", times[0], times[1:3])
    least = min(saved_bytes(peer, images) for peer in peers) / case.batch
    for figure, model in (("saved bytes", ours), ("saved bytes, lean", lean)):
        saved = saved_bytes(model, images) / case.batch
        yield Row(case.name, figure, saved, least, least / saved, "B/image", 1)
    macs = [float(count_macs(model, SIZE)) for model in (ours, peers[1])]
    yield Row(case.name, "MACs", macs[0], macs[1], macs[1] / macs[0], "1/image", 1)
    params = [float(count_params(model)) for model in (ours, peers[1])]
    yield Row(case.name, "parameters", params[0], params[1], params[1] / params[0], "1", 1)


def speed_row(case: Case, figure: str, ours: Sequence[float], peers: Sequence[Sequence[float]]) -> Row:
    """Compare rates by the median; the peer is the faster of its two ways."""
    mine, best = (case.batch / statistics.median(times) for times in (ours, min(peers, key=statistics.median)))
    return Row(case.name, figure, mine, best, mine / best, "images/s", len(ours))


def train_step(model: nn.Module, images: Tensor) -> Callable[[], None]:
    """Return one AdamW step: forward, backward, update."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    labels = torch.arange(len(images), device=images.device)

    def step() -> None:
        model.train()
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def infer_step(model: nn.Module, images: Tensor) -> Callable[[], None]:
    def step() -> None:
        if model.training:
            model.eval()
        with torch.inference_mode():
            model(images)

    return step


def alternate(steps: Sequence[Callable[[], None]], rounds: int, device: torch.device) -> list[list[float]]:
    """Time the steps in turn, each round beginning with another one; two rounds of warm-up are not kept."""
    times: list[list[float]] = [[] for _ in steps]
    for turn in range(rounds + 2):
        for offset in range(len(steps)):
            place = (turn + offset) % len(steps)
            seconds = one_call(steps[place], device)
            if turn >= 2:
                times[place].append(seconds)
    return times


def one_call(step: Callable[[], None], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def saved_bytes(model: nn.Module, images: Tensor) -> float:
    """Return the bytes that one forward pass in train mode keeps for backward, each storage once."""
    own = {part.untyped_storage().data_ptr() for part in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        out = model(images)
    total = float(sum(kept.values()))
    del out
    return total


def peak_row(case: Case, device: torch.device, batch: int) -> Row:
    """Compare live tensor bytes at the peak of one AdamW step with timm's dense network at the same windows."""
    ours = peak_bytes(case.ours(), device, batch)
    peer = min(peak_bytes(case.peer(fused), device, batch) for fused in (True, False))
    return Row(case.name, "peak of an AdamW step", ours, peer, peer / ours, "B", 1)


def peak_bytes(model: nn.Module, device: torch.device, batch: int) -> float:
    if device.type == "cuda":
        model.to(device)
        step = train_step(model, torch.randn(batch, 3, SIZE, SIZE, device=device))
        step()
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return float(torch.cuda.max_memory_allocated(device))
    return peak_of_shapes(model, batch)


def peak_of_shapes(model: nn.Module, batch: int) -> float:
    """Run two steps on tensors without data and follow the live storages; the second one has optimizer state."""
    ghost = copy.deepcopy(model).to("meta")
    step = train_step(ghost, torch.empty(batch, 3, SIZE, SIZE, device="meta"))
    step()
    lives = LiveStorages([*ghost.parameters(), *ghost.buffers(), *optimizer_state(step)])
    with lives:
        step()
    return float(lives.peak)


def optimizer_state(step: Callable[[], None]) -> list[Tensor]:
    """Return the moments that the step's AdamW keeps."""
    cells = [cell.cell_contents for cell in step.__closure__ or ()]
    optimizer = next(value for value in cells if isinstance(value, torch.optim.Optimizer))
    return [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]


class LiveStorages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows every storage that an operation makes until it is freed; `peak` is the most bytes alive at once."""

    def __init__(self, start: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0
        self.watch(start)

    def watch(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())  # type: ignore[no-untyped-call]
        gone = [key for key, (handle, _) in self.alive.items() if handle.expired()]  # type: ignore[no-untyped-call]
        for key in gone:
            del self.alive[key]
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.watch([value for value in tree_leaves(out) if isinstance(value, Tensor)])
        return out


def module_rows(device: torch.device, rounds: int) -> Iterator[Row]:
    """Yield the attention modules alone: stage 1 of the 5M network at windows 14 and 28."""
    for window in (14, 28):
        title, windows = f"5M stage 1 attention, window {window}", (7, window, 14, 7)
        case = Case(title, "tiny_vit_5m", windows, {"pattern": "block"}, 8)
        name = "stages.1.blocks.0.attn"
        modules = [model.to(device).get_submodule(name) for model in (case.ours(), case.peer(True), case.peer(False))]
        x = torch.randn(8 * 784 // window**2, window**2, 128, device=device)
        for figure, work in (("forward", forward_only), ("forward and backward", forward_backward)):
            times = alternate([work(module, x) for module in modules], rounds, device)
            yield speed_row(case, figure, times[0], times[1:])


def band_rows(rounds: int) -> Iterator[Row]:
    """Yield slide in bands against slide by dense products under a mask (and timm's dense network), on the CPU."""
    for window in (14, 28):
        windows = (7, window, 14, 7)
        title, name = f"5M stage 1 slide in bands, window {window}", "stages.1.blocks.0.attn"
        banded = Case(title, "tiny_vit_5m", windows, {"pattern": "slide", "backend": "bands"}, 8)
        masked = replace(banded, attention={"pattern": "slide"})
        modules = [case.ours().get_submodule(name) for case in (banded, masked)]
        x = torch.randn(8 * 784 // window**2, window**2, 128)
        for figure, work in (("forward", forward_only), ("forward and backward", forward_backward)):
            times = alternate([work(module, x) for module in modules], rounds, x.device)
            yield speed_row(banded, f"{figure}, to masked dense", times[0], times[1:])
        whole = replace(banded, name=f"5M {{7,{window},14,7}} slide in bands", batch=4)
        networks = [whole.ours(), replace(masked, batch=4).ours(), whole.peer(False)]
        steps = [train_step(network, torch.randn(4, 3, SIZE, SIZE)) for network in networks]
        times = alternate(steps, rounds, x.device)
        yield speed_row(whole, "training step, to masked dense", times[0], times[1:2])
        yield speed_row(whole, "training step, to timm's dense", times[0], times[2:])


def forward_only(module: nn.Module, x: Tensor) -> Callable[[], None]:
    def step() -> None:
        module.eval()
        with torch.inference_mode():
            module(x)

    return step


def forward_backward(module: nn.Module, x: Tensor) -> Callable[[], None]:
    inputs = x.clone().requires_grad_()

    def step() -> None:
        module.train()
        out = module(inputs)
        out = out if isinstance(out, Tensor) else out[0]
        out.backward(torch.ones_like(out))

    return step


def all_rows(quick: bool, device: torch.device) -> Iterator[Row]:
    rounds = 5 if quick else 21
    yield from module_rows(device, rounds)
    if device.type == "cpu":
        yield from band_rows(rounds)
    for case in QUICK if quick else CASES:
        yield from network_rows(case, device, rounds)
    yield peak_row(CASES[1], device, 32)


def markdown(rows: Sequence[Row]) -> str:
    lines = ["| case | figure | ours | timm | ratio | unit | n |", "|---|---|---:|---:|---:|---|---:|"]
    for row in rows:
        figures = f"{row.ours:.4g} | {row.peer:.4g} | {row.ratio:.2f}"
        lines.append(f"| {row.case} | {row.figure} | {figures} | {row.unit} | {row.n} |")
    return "\n".join(lines) + "\n"


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and networks: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of the table")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    with threads(options.threads):
        rows = []
        for row in all_rows(options.quick, torch.device(options.device)):
            rows.append(row)
            print(f"{row.case}: {row.figure}: {row.ratio:.2f}", file=sys.stderr)
    print(json.dumps([asdict(row) for row in rows]) if options.json else markdown(rows))
    if options.markdown:
        options.markdown.write_text(markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
