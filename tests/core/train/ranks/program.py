"""Trainings in one and in several processes, as a program of its own: a fork of pytest would have its threads' locks.

`python -m tests.core.train.ranks.program FOLDER` writes what each case of CASES came to into FOLDER/<case>.pt.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.data.loader import EvalLoader, TrainLoader
from engine.core.data.pack import Pack
from engine.core.data.share import Share
from engine.core.distill.encoding import Answers
from engine.core.train.checkpoint import State
from engine.core.train.loop import Loop
from engine.core.train.ranks.batch_wide import require_known_draws
from engine.core.train.ranks.group import Ranks, open_ranks
from engine.errors import JobError
from engine.inputs.splits import make_split
from engine.spec import Augment, Distill, Train
from tests.core.train.toy import DATA, Notes, make_loop, make_network, make_pack

TRAIN = Train(epochs=2, batch_size=64, lr=2e-3, precision="fp32", threads=1, ema=0.9, clip_grad=0.5)
MIXED = DATA.model_copy(update={"augment": Augment(mixup=0.4, cutmix=0.4)})


class Windows(nn.Module):
    """Dropout where each image has several rows, as windows have, and drop path by image."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(len(x) * 8, -1)
        kept = nn.functional.dropout(rows, 0.1, self.training).reshape(x.shape)
        if not self.training:
            return kept
        return kept * kept.new_empty(len(x), 1, 1, 1).bernoulli_(0.9)


class Noise(nn.Module):
    """What ranks cannot draw alike."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.01 * torch.randn_like(x)


@dataclass(frozen=True)
class Case:
    """A training by ranks; `begin` is the case whose checkpoint it goes on from. `plain`: no statistics, no masks."""

    ranks: int = 1
    train: Train = TRAIN
    distill: Distill | None = None
    micro_batch: int | None = None
    mixed: bool = False
    plain: bool = False
    begin: str = ""
    stop_at: int | None = None


SHARED = TRAIN.model_copy(update={"batch_size": 62, "accumulate": 2})
DIST = Distill(loss="dist")
CASES: dict[str, Case] = {
    "one": Case(),
    "two": Case(2),
    "four": Case(4),
    "one uneven": Case(train=SHARED, mixed=True),
    "three uneven": Case(3, SHARED, mixed=True),
    "one compared": Case(distill=DIST, plain=True),
    "two compared": Case(2, distill=DIST, plain=True),
    "two compared in pieces": Case(2, distill=DIST, micro_batch=16, plain=True),
    "two in pieces": Case(2, micro_batch=16, plain=True),
    "one plain": Case(plain=True),
    "one half": Case(stop_at=7),
    "two half": Case(2, stop_at=7),
    "one on from two": Case(1, begin="two half"),
    "two on from one": Case(2, begin="one half"),
    "four on from two": Case(4, begin="two half"),
}


def teach(batch: Any) -> Answers:
    """Answer from an image's own number, whatever batch it is in."""
    logits = torch.stack([torch.sin(torch.arange(10) * (1.0 + row)) for row in batch.rows.tolist()])
    return Answers(logits - logits.amax(1, keepdim=True))


def build(pack: Pack, case: Case, ranks: Ranks | None, notes: Notes) -> Loop:
    share = ranks.share if ranks else Share()
    distill = case.distill
    base = make_loop(pack, notes, train=case.train, distill=distill, teacher=teach if distill else None)
    data = MIXED if case.mixed else DATA
    split = make_split(pack.keys, pack.labels, pack.class_names, DATA.split, 0)
    loader = TrainLoader(pack, split.train, data, 8, case.train.batch_size, 0, None, share=share)
    val = EvalLoader(pack, split.val, DATA, 8, 64, share=share)
    recipe = replace(base.recipe, loader=loader, val_loader=val, ranks=ranks, micro_batch=case.micro_batch)
    return Loop(make_plain_network() if case.plain else make_shared_network(), recipe, notes)


def make_plain_network() -> nn.Module:
    kept = [part for part in make_network().children() if not isinstance(part, nn.Dropout | nn.BatchNorm2d)]
    return nn.Sequential(*kept)


def make_shared_network() -> nn.Module:
    """Return the toy with two more kinds of masks.

    Batch norm takes out the bias before it, whose gradient is rounding alone: Adam would make steps of that.
    """
    conv, *rest = make_network().children()
    assert isinstance(conv, nn.Conv2d)
    conv.bias = None
    return nn.Sequential(conv, *rest[:2], Windows(), *rest[2:])


def train(pack: Pack, case: Case, begin: State | None, ranks: Ranks | None) -> dict[str, Any]:
    """Return the curves, the last state and the weights that are tested."""
    notes = Notes(stop_at=case.stop_at)
    loop = build(pack, case, ranks, notes)
    if begin is not None:
        loop.restore(begin)
    elif ranks is not None:
        loop.restore(ranks.hand_out(loop.capture() if ranks.is_first else None))
    if ranks is not None:
        require_known_draws(loop.network, lambda images: loop.recipe.forward(loop.network, images), 8, ranks)
    try:
        loop.run()
        loop.load_tested()
    except Exception as error:
        if type(error).__name__ != "Stopped":
            raise
    return {"metrics": notes.metrics, "saved": notes.saved[-1][1], "weights": loop.network.state_dict(),
            "seen": loop.progress.seen}  # fmt: skip


def run_forked(ranks: int, work: Callable[[Ranks], Any]) -> Any:
    """Return what rank 0 of so many processes comes to; each is a fork of this one."""
    with tempfile.TemporaryDirectory() as folder:
        pids = []
        for number in range(ranks):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    found = work(open_ranks(Share(number, ranks), Path(folder) / "meeting", torch.device("cpu")))
                    if number == 0:
                        torch.save(found, Path(folder) / "found.pt")
                    status = 0
                finally:
                    os._exit(status)
            pids.append(pid)
        ends = [os.waitpid(pid, 0)[1] for pid in pids]
        assert not any(ends), ends
        return torch.load(Path(folder) / "found.pt", weights_only=False)


def refuse_noise(ranks: Ranks) -> str:
    network = nn.Sequential(Noise(), *make_network().children())
    try:
        require_known_draws(network, lambda images: network(images.float()), 8, ranks)
    except JobError as error:
        return str(error)
    return ""


def speak(ranks: Ranks) -> dict[str, Any]:
    """Return what each kind of message gives."""
    mine = torch.full((ranks.share.rank + 1, 2), float(ranks.share.rank))
    many = [torch.ones(2, dtype=torch.float64), torch.full((2, 2), float(ranks.share.rank)), torch.tensor(3)]
    ranks.sum_all(many)
    first = torch.tensor([ranks.share.rank, 7])
    ranks.take_first([first])
    told = ranks.hand_out({"a": torch.ones(3), "b": 5} if ranks.is_first else None)
    flags = ranks.any([ranks.share.rank == 1, False])
    return {"rows": ranks.gather(mine, [1, 2]), "sums": many, "first": first, "told": told, "flags": flags}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    (folder / "pack").mkdir()
    pack = make_pack(folder / "pack")
    found: dict[str, Any] = {}
    for name, case in CASES.items():
        # A copy: an optimizer goes on in the tensors that it was given.
        begin = deepcopy(found[case.begin]["saved"]) if case.begin else None
        if case.ranks == 1:
            found[name] = train(pack, case, begin, None)
        else:
            found[name] = run_forked(case.ranks, partial(train, pack, case, begin))
    found["noise"] = run_forked(2, refuse_noise)
    found["messages"] = run_forked(2, speak)
    torch.save(found, folder / "found.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
