"""A student's epoch from JPEG files to updated weights, ours against timm's train script, and against a bare loop.

    python benchmarks/training.py [--only PART] [--quick] [--json] [--photos FOLDER_OR_ARCHIVE] [--threads 2]
                                  [--timm CHECKOUT] [--torchdistill FOLDER]

TinyViT-5M, 224 px, batch 16, fp32, AdamW. Each side is a process of its own that does an epoch when it is told to, so
that the sides alternate and a busy machine hurts all alike; the median epoch counts, the first is not counted. CPU time
holds that of loader workers, of which each side has one. timm's side is its own train.py at its own augmentation, as
its repository has it (--timm, XP_TIMM or what `make peers` cloned), torchdistill's its DistillationBox (--torchdistill,
XP_TORCHDISTILL or what `make peers` put there).

  plain           our loop (pack of JPEG, loader, step, heartbeat, finite check) against timm's default, channels_last
                  and `bare`, the same step on batches that lie in memory
  compiled        the same with train.compile: max, against our own loop and timm's --torchcompile, with channels_last
                  and without; compiling takes minutes, and is not counted
  ViT-S, ViT-B    our loop with such a teacher's answers from the store, as a second use of them has it, against others'
                  loops with the teacher in the step, at their defaults and in channels_last; all teachers are drawn
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import ROOT, Row
from benchmarks.distillation import TEACHERS, write_photos

BATCH = 16
SIDES = ROOT / "benchmarks" / "training_sides.py"
Words = dict[str, Any]


@dataclass(frozen=True)
class Epoch:
    """One epoch of a side: images, and the seconds that they took by the wall and of the processors."""

    images: int
    wall: float
    cpu: float


class Side:
    """A process that trains one epoch for each line that it is sent."""

    def __init__(self, name: str, words: Words, environment: dict[str, str]) -> None:
        self.name, self.epochs = name, list[Epoch]()
        command = [sys.executable, str(SIDES), json.dumps(words)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | environment,
            cwd=words["folder"],
        )

    def epoch(self) -> bool:
        """Let it do an epoch; return whether it did."""
        self.begin()
        return self.finish()

    def begin(self) -> None:
        """Let it begin an epoch."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has failed, and finish says so
            self._process.stdin.write("\n")
            self._process.stdin.flush()

    def finish(self) -> bool:
        """Wait for the end of the epoch; return whether there was one."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            self.epochs.append(Epoch(**json.loads(line)))
        return bool(line)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def rate(self, clock: str) -> float | None:
        """Images a second of the median epoch but for the first, None where the side failed."""
        rates = [epoch.images / float(getattr(epoch, clock)) for epoch in self.epochs[1:]]
        return statistics.median(rates) if rates else None


@dataclass(frozen=True)
class Peers:
    """Where others' trainings lie; None where they are not on this machine."""

    timm: Path | None
    torchdistill: Path | None

    @classmethod
    def find(cls, timm: Path, torchdistill: Path) -> Peers:
        return cls(
            timm if (timm / "train.py").exists() else None,
            torchdistill if (torchdistill / "torchdistill").exists() else None,
        )

    def of_timm(self, sides: dict[str, list[str]]) -> dict[str, Words]:
        """Return the words of timm's script with each list of flags, none where it is not here."""
        return {
            name: {"peer": "timm", "timm": str(self.timm), "flags": flags} for name, flags in sides.items() if self.timm
        }

    def of_torchdistill(self, sides: dict[str, list[str]], teacher: str) -> dict[str, Words]:
        """Return the words of torchdistill's box with each list of flags, none where it is not here."""
        words = {"peer": "torchdistill", "torchdistill": str(self.torchdistill), "teacher": teacher}
        return {name: {**words, "flags": flags} for name, flags in sides.items() if self.torchdistill}


def main() -> None:
    chosen = _parser().parse_args()
    peers = Peers.find(Path(chosen.timm), Path(chosen.torchdistill))
    rounds = 2 if chosen.quick else 5
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder) / "photos", chosen.photos, (1 if chosen.quick else 3) * BATCH)
        shared = {"folder": folder, "batch": BATCH, "threads": chosen.threads, "epochs": rounds + 1}
        parts = [chosen.only] if chosen.only else ["plain"] if chosen.quick else list(PARTS)
        rows = [row for part in parts for row in PARTS[part](peers, shared, rounds)]
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        peer = "not installed" if row.peer is None else f"{row.peer:8.2f}  x{row.ratio:.2f}"
        print(f"{row.case:44} {row.figure:22} {row.ours:8.2f} {peer}  (n={row.n})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(PARTS), help="one part, a few minutes; all of them without it")
    parser.add_argument("--quick", action="store_true", help="fewer images and epochs of the first part")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--photos", default=os.environ.get("XP_PHOTOS"), help="folder or archive of photographs")
    parser.add_argument("--timm", default=os.environ.get("XP_TIMM", str(ROOT / ".timm")), help="checkout with train.py")
    parser.add_argument(
        "--torchdistill", default=os.environ.get("XP_TORCHDISTILL", str(ROOT / ".torchdistill")), help="its folder"
    )
    parser.add_argument("--threads", type=int, default=2)
    return parser


def compare_plain(peers: Peers, shared: Words, rounds: int) -> list[Row]:
    others = peers.of_timm({"timm default": [], "timm channels_last": ["--channels-last"]})
    sides = measure({"ours": {}, "bare": {"bare": True}, **others}, shared, rounds)
    return [*_rows(sides, "ours", ["bare", "timm default", "timm channels_last"]), *best_rows(sides, "ours", others)]


def compare_compiled(peers: Peers, shared: Words, rounds: int) -> list[Row]:
    flags = {"timm compiled": ["--torchcompile"], "timm compiled, channels_last": ["--torchcompile", "--channels-last"]}
    others = peers.of_timm(flags)
    sides = measure({"ours compiled": {"compile": "max"}, "ours": {}, **others}, shared, rounds)
    best = [row for side in ("ours", "ours compiled") for row in best_rows(sides, side, others)]
    return [*_rows(sides, "ours compiled", ["ours", *flags]), *best]


def compare_taught(name: str, peers: Peers, shared: Words, rounds: int) -> list[Row]:
    teacher, ours = TEACHERS[name], f"ours, {name} from the store"
    timm, box, best = f"timm, {name} in the step", f"torchdistill, {name} in the step", ", channels_last"
    kd = ["--kd-model-name", teacher]
    others = peers.of_timm({timm: kd, timm + best: [*kd, "--channels-last"]})
    others |= peers.of_torchdistill({box: [], box + best: ["channels_last"]}, teacher)
    names = [timm, box, timm + best, box + best]
    # Three of them: an epoch with a teacher takes long.
    return _rows(measure({ours: {"teacher": teacher}, **others}, shared, min(rounds, 3)), ours, names)


def measure(words: dict[str, Words], shared: Words, rounds: int) -> dict[str, Side]:
    """Return the sides after `rounds` counted epochs of each, in turn; those that fail have none."""
    # Waiting threads sleep: on all sides, as under make.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    sides = {name: Side(name, shared | word, environment) for name, word in words.items()}
    try:
        for side in sides.values():  # at the same time: they start, and some compile, which is not counted
            side.begin()
        for side in sides.values():
            if not side.finish():
                print(f"{side.name} does not run here", file=sys.stderr)
        for _ in range(rounds):
            for side in sides.values():
                if side.epochs:
                    side.epoch()
    finally:
        for side in sides.values():
            side.end()
    return sides


def _rows(sides: dict[str, Side], ours: str, peers: Iterable[str]) -> list[Row]:
    """Return a row for each peer and clock."""
    return [
        _row(f"{ours} / {peer}", sides[ours], sides.get(peer), clock) for peer in peers for clock in ("cpu", "wall")
    ]


def _row(case: str, ours: Side, peer: Side | None, clock: str) -> Row:
    own, other = ours.rate(clock), None if peer is None else peer.rate(clock)
    assert own is not None, "our own side failed"
    unit = "images per CPU-second" if clock == "cpu" else "images/s"
    return Row(case, f"training, {clock}", own, other, own / other if other else None, unit, len(ours.epochs) - 1)


def best_rows(sides: dict[str, Side], ours: str, peers: Iterable[str]) -> list[Row]:
    """Return our side against the quickest of the peers, by each clock."""
    rows = []
    for clock in ("cpu", "wall"):
        ran = [name for name in peers if sides[name].rate(clock)]
        if ran:
            best = max(ran, key=lambda name: sides[name].rate(clock) or 0.0)
            rows.append(_row(f"{ours} / timm's best ({best.removeprefix('timm ')})", sides[ours], sides[best], clock))
    return rows


PARTS: dict[str, Callable[[Peers, Words, int], list[Row]]] = {
    "plain": compare_plain,
    "compiled": compare_compiled,
    **{name: partial(compare_taught, name) for name in TEACHERS},
}


if __name__ == "__main__":
    main()
