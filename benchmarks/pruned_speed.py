"""What a fifth less buys: TinyViT-5M at 224 px, pruned by 20 % of its parameters and of its multiply-adds.

    python benchmarks/pruned_speed.py [--quick] [--json]

One image on one thread of the CPU, eager and in ONNX Runtime, in rounds of new processes that take turns, as `xp bench`
has it. Ours is the pruned network, the peer the whole one, both in ms; `ratio` says how many times as fast ours is, and
the rows `low` and `high` its 95 % interval over the rounds. The whole network once more, as a twin, shows what chance
does. Weights are drawn: they change no speed. `by 32`: wide layers keep a multiple of 32 units (`prune.round_to`), else
of 8.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

import torch
from torch import nn

from benchmarks import Row
from engine.core.network.build import build_network
from engine.core.prune.structured import prune_network
from engine.spec import Prune, Student
from engine.verify.bench.compare import Line, Wanted, compare_networks
from engine.verify.bench.subjects import Subject

SHARE, SIZE, OUTPUTS = 0.2, 224, 100
CASES: dict[str, dict[str, object] | None] = {
    "twin": None, "20 % of params": {"of": "params"}, "20 % of MACs": {"of": "macs"},
    "20 % of params, by 32": {"of": "params", "round_to": 32},
}  # fmt: skip


def build(words: dict[str, object] | None) -> nn.Module:
    """Return the network, whole or pruned."""
    torch.manual_seed(0)
    network = build_network(Student(arch="tiny_vit_5m"), OUTPUTS, SIZE).eval()
    if words is not None:
        told = Prune.model_validate({"ratio": SHARE, "criterion": "l1", **words})
        prune_network(network, told, seed=0, image_size=SIZE)
    return network


def measure(rounds: int, seconds: float) -> Iterator[Row]:
    subjects = [Subject(name, SIZE, partial(build, words)) for name, words in {"whole": None, **CASES}.items()]
    wanted = Wanted(("eager", "onnxruntime"), rounds=rounds, seconds=seconds)
    found = compare_networks(subjects, wanted, lambda text: print(text, file=sys.stderr, flush=True))
    whole = {line.load: line for line in found.lines if line.ratio is None}
    for line in found.lines:
        if line.ratio is not None:
            yield from _rows(line, whole[line.load], rounds)


def _rows(line: Line, whole: Line, rounds: int) -> Iterator[Row]:
    ours, peer = 1e3 / line.rate, 1e3 / whole.rate
    ratio = line.ratio
    assert ratio is not None
    low, high = ratio.edges
    for name, value in (("", ratio.ratio), (", low", low), (", high", high)):
        yield Row(line.name + name, f"latency, {line.load.mode}", ours, peer, value, "ms", rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    rows = []
    for row in measure(*((4, 2.0) if chosen.quick else (16, 12.0))):
        rows.append(row)
        if not chosen.json:
            print(f"{row.case:24} {row.figure:22} {row.ours:8.2f} {row.peer:8.2f}  x{row.ratio:.3f}  (n={row.n})")
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main()
