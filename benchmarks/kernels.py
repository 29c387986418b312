"""The attention kernels: what they take on cards (compiled, not run), and their time bounds beside the eager path's.

    python benchmarks/kernels.py [--quick] [--json]
    python benchmarks/kernels.py --measure HOME/cache/attention_times.json      on a GPU: what `backend: auto` goes by

Without `--measure` nothing is timed: registers, shared memory and spills come from the compiler, for sm_80, sm_90 and
sm_120; bounds are computed (kernel_roofline.py). Ends with 1 where a kernel spills or adds atomically.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import torch
from torch import nn

from benchmarks import Row
from benchmarks.kernel_builds import SHAPES, TARGETS, Build, build_all
from benchmarks.kernel_roofline import CARDS, Work, eager_works, kernel_works
from engine.core.network.attention import LongformerAttention
from engine.core.network.backend_times import Pair, case_of, write_times
from engine.core.network.triton_path import misfit
from engine.core.network.window import WindowAttention
from engine.spec import LongformerAttention as Words
from engine.spec.shapes import sparse_shape

MOST_REGISTERS = 255
IMAGES, ROUNDS = 64, 30


def bound_rows() -> Iterator[Row]:
    """Yield the time bound of each kernel, and of a whole pass beside that of the path without kernels."""
    for shape in SHAPES:
        # Globals of the grid, as by default.
        plain = replace(shape, is_scored=False)
        works, eager = kernel_works(plain), eager_works(plain)
        for card in CARDS:
            for work in works:
                yield _bound(shape.name, f"{work.name}: {_told(work)}", card.name, work.seconds(card), None)
            passes = (("forward", works[:1], eager[0]), ("backward", works[1:], eager[1]))
            for name, ours, theirs in passes:
                told = f"{name}, all kernels, beside {_told(theirs)} without"
                seconds = sum(work.seconds(card) for work in ours)
                yield _bound(shape.name, told, card.name, seconds, theirs.seconds(card))


def _told(work: Work) -> str:
    return f"{work.moved / 1e6:.3g} MB, {work.flops / 1e9:.3g} GFLOP"


def _bound(case: str, figure: str, card: str, ours: float, peer: float | None) -> Row:
    micro = None if peer is None else 1e6 * peer
    ratio = None if peer is None else peer / ours
    return Row(f"{case} (computed, not measured)", f"{figure}, bound on {card}", 1e6 * ours, micro, ratio, "us", 1)


def build_rows(builds: Sequence[Build]) -> Iterator[Row]:
    """Yield, of each kernel and target, the most that one of its builds takes."""
    for target, name in product(sorted({one.target for one in builds}), dict.fromkeys(one.kernel for one in builds)):
        mine = [one for one in builds if (one.target, one.kernel) == (target, name)]
        most, shared = max(one.registers for one in mine), max(one.shared for one in mine)
        case = f"sm_{target}, {name} (compiled, not run)"
        told = f"registers; {shared} bytes of shared memory, {max(one.spilled for one in mine)} spilled"
        yield Row(case, told, most, MOST_REGISTERS, MOST_REGISTERS / most, "a thread", len(mine))


def compile_all(quick: bool) -> list[Build]:
    targets, precisions = (TARGETS[1:2], (torch.bfloat16,)) if quick else (TARGETS, (torch.bfloat16, torch.float32))
    builds = []
    for target, dtype, shape in product(targets, precisions, SHAPES):
        for one in build_all(shape, dtype, target):
            words = f"{one.registers} registers, {one.shared} bytes shared, {one.spilled} spilled"
            print(f"sm_{target} {one.precision} {one.shape}: {one.kernel}: {words}", file=sys.stderr, flush=True)
            builds.append(one)
    return builds


def modules(backend: str) -> Iterator[tuple[int, WindowAttention]]:
    """Yield the attentions of TinyViT-5M and 21M at 224 px with how many windows an image has: dense, block, slide."""
    sizes = {1: (28, ((128, 4), (192, 6))), 2: (14, ((160, 5), (384, 12))), 3: (7, ((320, 10), (576, 18)))}
    for stage, (side, widths) in sizes.items():
        for window, (dim, heads) in product([one for one in (7, 14, 28) if one <= side], widths):
            yield (side // window) ** 2, WindowAttention(dim, heads, dim // heads, window, backend=backend)
            for pattern in ("block", "slide"):
                words = Words(kind="longformer", pattern=pattern, backend=backend)
                shape = sparse_shape(words, stage, window)
                if shape is not None:
                    yield (side // window) ** 2, LongformerAttention(dim, heads, dim // heads, window, shape, backend)


def measure(path: Path) -> None:
    """Time every attention by the kernels and without them on this GPU, and write what `backend: auto` goes by."""
    device = torch.device("cuda", 0)
    pairs = {}
    for (count, fused), (_, plain) in zip(modules("triton"), modules("auto"), strict=True):
        if what := misfit(fused, device):
            sys.exit(f"nothing to measure: {what}")
        times = [_milliseconds(module.to(device), IMAGES * count) for module in (fused, plain)]
        pairs[case_of(fused, "bf16")] = Pair(*times)
        print(f"{case_of(fused, 'bf16')}: {times[0]:.3f} ms, without {times[1]:.3f} ms", flush=True)
    write_times(path, torch.cuda.get_device_name(device), pairs)


def _milliseconds(module: WindowAttention, windows: int) -> float:
    """Return the median time of a forward and a backward pass under autocast."""
    x = torch.randn(windows, module.window**2, module.qkv.in_features, device="cuda", requires_grad=True)

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            out = module(x)
        (out if isinstance(out, torch.Tensor) else out.out).float().sum().backward()

    return _time(step, module)


def _time(step: Callable[[], None], module: nn.Module) -> float:
    times = []
    for _ in range(ROUNDS):
        module.zero_grad()
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()  # type: ignore[no-untyped-call]
        step()
        end.record()  # type: ignore[no-untyped-call]
        end.synchronize()  # type: ignore[no-untyped-call]
        times.append(float(begin.elapsed_time(end)))  # type: ignore[no-untyped-call]
    # The first ones compile and choose.
    return statistics.median(times[ROUNDS // 3 :])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="bf16 on sm_90 alone: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of lines")
    parser.add_argument("--measure", type=Path, metavar="FILE", help="time on this GPU and write FILE")
    options = parser.parse_args(arguments)
    if options.measure is not None:
        measure(options.measure)
        return 0
    builds = compile_all(options.quick)
    rows = [*build_rows(builds), *bound_rows()]
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print("\n".join(f"{row.case}: {row.figure}: {row.ours:.4g} {row.unit}{_beside(row)}" for row in rows))
    return int(any(one.spilled or one.has_atomics for one in builds))


def _beside(row: Row) -> str:
    return "" if row.peer is None else f", peer {row.peer:.4g}, ratio {row.ratio:.3g}"


if __name__ == "__main__":
    sys.exit(main())
