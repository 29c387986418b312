"""How far off a foretold latency is: predicted over measured, of ten networks that the predictor has never seen.

unseen    of one image on one thread of the CPU: the sum of a network's operators, set right by reference networks,
          against the network timed whole. `ours` is what was predicted, `peer` what it took: a ratio of 1 is right
all       the median over the networks of how far off that is, in per cent; the predictor's own word for it beside it
pruned    TinyViT-5M with a share of its latency pruned: the share that is measured to be gone over the one asked

Whole networks are timed in turn with the operators, in seconds of the processor, each the least of all rounds: what
else the machine does meets both alike. --quick: four networks, and few rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from benchmarks import Row
from engine.core.host_memory import keep_freed
from engine.core.latency.child import Desk
from engine.core.latency.clock import ROUNDS, time_pieces
from engine.core.latency.pieces import all_pieces, record_pass
from engine.core.latency.predict import predict, unknown
from engine.core.latency.solve import Pass, solve_drops
from engine.core.latency.table import Times, add_times
from engine.core.network.build import build_network
from engine.core.prune.structured import find_layers, narrowed
from engine.spec import Student

OUTPUTS, SHARE, TURNS = 1000, 0.2, 20
SPARSE = {"kind": "longformer", "pattern": "block"}
Built = tuple[nn.Module, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four networks, few rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed()
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder) / "table.json", 1, "fp32", may_time=True)
        rows = [*foretell(desk, quick=chosen.quick), *prune(desk)]
    if chosen.json:
        print(json.dumps([row.__dict__ for row in rows]))
        return
    for row in rows:
        print(f"{row.case:28} {row.figure:44} {row.ours:8.2f} {row.peer:8.2f} {row.unit:5} x{row.ratio:.3f}")


def foretell(desk: Desk, *, quick: bool) -> Iterator[Row]:
    """Yield a row for each unseen network, and one of them all."""
    off, word = [], 0.0
    names = list(UNSEEN)[:: 3 if quick else 1]
    for name in names:
        row, word = _compare(desk, name, rounds=ROUNDS // 3 if quick else ROUNDS)
        off.append(abs(row.ours / (row.peer or row.ours) - 1))
        _tell(row)
        yield row
    middle = 100 * statistics.median(off)
    row = Row(
        "all", "median error, and the predictor's word for it", middle, 100 * word, 100 * word / middle, "%", len(off)
    )
    _tell(row)
    yield row


def _compare(desk: Desk, name: str, rounds: int) -> tuple[Row, float]:
    network, size = UNSEEN[name]()
    pieces = all_pieces(record_pass(network, size, 1, "fp32"))
    known = desk.times(())
    images = torch.randn(1, 3, size, size)
    found = time_pieces(unknown(pieces, known), 1, {name: lambda: network(images)}, rounds)
    took = found.pop(name)
    told = predict(pieces, add_times(desk.path, desk.setting, Times(pieces=found)))
    assert told is not None, "all pieces were timed"
    ms = 1e3 * told.seconds, 1e3 * took
    return Row(name, "latency, predicted and measured", *ms, ms[0] / ms[1], "ms", rounds), told.error


def prune(desk: Desk) -> Iterator[Row]:
    """Yield how much of a network's latency is gone where a share was asked for: foretold, and measured in turn."""
    whole, size = _tiny("tiny_vit_5m", 224)
    cut, _ = _tiny("tiny_vit_5m", 224)
    layers = find_layers(cut)
    solved = solve_drops(cut, layers, SHARE, Pass(size), desk.times)
    narrowed(cut, layers, solved.drops)
    images = torch.randn(1, 3, size, size)
    found = time_pieces([], 1, {"whole": lambda: whole(images), "cut": lambda: cut(images)}, TURNS)
    measured = 1 - found["cut"] / found["whole"]
    for figure, share in (("foretold", solved.share), ("measured", measured)):
        row = Row("TinyViT-5M, 20 % pruned", f"{figure} and asked", 100 * share, 100 * SHARE, share / SHARE, "%", TURNS)
        _tell(row)
        yield row


def _tell(row: Row) -> None:
    print(f"{row.case}: {row.figure}: {row.ours:.2f} against {row.peer:.2f} {row.unit}", file=sys.stderr, flush=True)


def _tiny(arch: str, size: int, **words: object) -> Built:
    student = Student.model_validate({"arch": arch, **words})
    return build_network(student, OUTPUTS, size).eval(), size


def _timm(name: str, size: int = 224) -> Built:
    return build_network(Student(arch=f"timm/{name}"), OUTPUTS, size).eval(), size


def _pruned(built: Built, ratio: float) -> Built:
    """Cut every layer by about the same share."""
    network, size = built
    layers = find_layers(network)
    narrowed(network, layers, [int(layer.units * ratio) for layer in layers])
    return network, size


UNSEEN: dict[str, Callable[[], Built]] = {
    "TinyViT-5M, 224": lambda: _tiny("tiny_vit_5m", 224),
    "TinyViT-11M, 192": lambda: _tiny("tiny_vit_11m", 192),
    "TinyViT-5M, sparse, 224": lambda: _tiny("tiny_vit_5m", 224, attention=SPARSE),
    "TinyViT-11M, pruned, 224": lambda: _pruned(_tiny("tiny_vit_11m", 224), 0.3),
    "MobileNetV3-large": lambda: _timm("mobilenetv3_large_100"),
    "EfficientNet-Lite0": lambda: _timm("efficientnet_lite0"),
    "EfficientNet-Lite0, pruned": lambda: _pruned(_timm("efficientnet_lite0"), 0.25),
    "ConvNeXt-atto": lambda: _timm("convnext_atto"),
    "ViT-tiny": lambda: _timm("vit_tiny_patch16_224"),
    "ResNet-18": lambda: _timm("resnet18"),
}

if __name__ == "__main__":
    main()
