"""Questions about latency: takes networks as words and a table's file, gives what they take, or the widths to prune to.

`python -P -m engine.core.latency.child` reads one as JSON, from a plan or from a job that prunes: a process of its own
has nothing else in it, and threads as the question says. A piece that the table does not hold is timed where `may_time`
is set; else nothing is said of its network.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.core.host_memory import keep_freed
from engine.core.latency.clock import time_pieces
from engine.core.latency.pieces import all_pieces, record_pass
from engine.core.latency.predict import LEAST_WHOLES, REFERENCES, Prediction, predict, sum_pieces, unknown
from engine.core.latency.solve import Pass, solve_drops
from engine.core.latency.table import Times, Whole, add_times, read_times, setting_name
from engine.core.measure import count_params
from engine.core.network.build import build_network
from engine.core.prune.structured import find_layers, narrowed, prune_network
from engine.core.train.forward import autocast
from engine.errors import XpError
from engine.launch.death import die_with
from engine.spec import Prune, Student


class Untimed(Exception):
    """The table lacks a piece, and nothing may be timed."""


@dataclass(frozen=True)
class Desk:
    """A table and the setting of a question; `may_time` what it lacks."""

    path: Path
    threads: int
    precision: str
    may_time: bool
    batch_size: int = 1

    @classmethod
    def of(cls, question: Mapping[str, Any]) -> Desk:
        return cls(Path(question["table"]), question["threads"], question["precision"], question["may_time"])

    @property
    def setting(self) -> str:
        return setting_name(self.batch_size, self.threads, self.precision)

    def times(self, pieces: Iterable[str]) -> Times:
        """Return times that hold `pieces` and the references. Raises Untimed where the table lacks some."""
        known = read_times(self.path, self.setting)
        lacking, is_fitted = unknown(pieces, known), len(known.wholes) >= LEAST_WHOLES
        if is_fitted and not lacking:
            return known
        if not self.may_time:
            raise Untimed
        found = Times() if is_fitted else time_references(self.threads, self.precision, self.batch_size)
        lacking = [piece for piece in lacking if piece not in found.pieces]
        fresh = Times(pieces=time_pieces(lacking, self.threads)) if lacking else Times()
        return known.joined(add_times(self.path, self.setting, found.joined(fresh)))

    def predict(self, network: nn.Module, image_size: int) -> Prediction | None:
        pieces = all_pieces(record_pass(network, image_size, self.batch_size, self.precision))
        return predict(pieces, self.times(pieces))


def time_references(threads: int, precision: str, batch_size: int) -> Times:
    """Return the pieces of the reference networks and the networks themselves, timed in turn."""
    pieces, wholes = {}, {}
    for name, reference in REFERENCES.items():
        network, size = reference.build(), reference.image_size
        pieces[name] = all_pieces(record_pass(network, size, batch_size, precision))
        wholes[name] = _caller(network, torch.randn(batch_size, 3, size, size), precision)
    seconds = time_pieces(sorted(set().union(*pieces.values())), threads, wholes)
    timed = {name: Whole(seconds=seconds.pop(name), summed=sum_pieces(held, seconds)) for name, held in pieces.items()}
    return Times(pieces=seconds, wholes=timed)


def _caller(network: nn.Module, images: torch.Tensor, precision: str) -> Any:
    def call() -> None:
        with autocast(torch.device("cpu"), precision):
            network(images)

    return call


def predict_networks(question: Mapping[str, Any]) -> list[dict[str, float] | None]:
    """Return milliseconds and error of each network of the question; None where the table does not know it.

    Of one that is pruned (`prune`, alike in all layers) also what stays of its parameters and multiply-adds.
    """
    desk = Desk.of(question)
    return [_predict_one(desk, told) for told in question["networks"]]


def _predict_one(desk: Desk, told: Mapping[str, Any]) -> dict[str, float] | None:
    try:
        network = build_network(Student.model_validate(told["network"]), told["outputs"], told["image_size"])
        left = _narrow(network, Prune.model_validate(told["prune"]), told["image_size"]) if "prune" in told else {}
        found = desk.predict(network, told["image_size"])
    except (Untimed, XpError):
        return None
    return None if found is None else {"ms": 1e3 * found.seconds, "error": found.error, **left}


def _narrow(network: nn.Module, prune: Prune, image_size: int) -> dict[str, float]:
    """Prune to the widths that a share leaves, whichever units go; return what there was and what stays."""
    words = prune.model_copy(update={"criterion": "l1", "scope": "layer"})
    report = prune_network(network, words, seed=0, image_size=image_size)
    return {
        "params": report.params_after, "params_before": report.params_before,
        "macs": report.macs_after, "macs_before": report.macs_before,
    }  # fmt: skip


def solve_widths(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the widths at which a share `ratio` of the latency is gone, that share, and what both networks take.

    `untimed` where the table does not tell; `what` and `fix` where it cannot be.
    """
    desk, size = Desk.of(question), question["image_size"]
    try:
        network = build_network(Student.model_validate(question["network"]), question["outputs"], size).eval()
        layers = find_layers(network)
        found = solve_drops(network, layers, question["ratio"], Pass(size, 1, desk.precision), desk.times)
    except Untimed:
        return {"untimed": True}
    except XpError as error:
        return {"what": error.what, "fix": error.fix or ""}
    times = desk.times([*found.whole, *found.left])
    told = {name: predict(pieces, times) for name, pieces in (("whole", found.whole), ("left", found.left))}
    before = count_params(network)
    widths = narrowed(network, layers, found.drops)
    return {
        "widths": widths.to_json(), "share": found.share, "params": count_params(network), "params_before": before,
        **{name: one and asdict(one) for name, one in told.items()},
    }  # fmt: skip


def answer(question: Mapping[str, Any]) -> Any:
    """Return the answer to a question that was JSON."""
    torch.set_num_threads(question["threads"])
    return solve_widths(question) if "ratio" in question else predict_networks(question)


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    if "parent" in asked:
        die_with(asked["parent"])
    keep_freed()  # as the jobs do
    print(json.dumps(answer(asked)))
