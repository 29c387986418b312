"""A student's epoch from JPEG files to updated weights, ours against timm's train script, and against a bare loop.

    python benchmarks/training.py [--quick] [--json] [--photos FOLDER_OR_ARCHIVE] [--timm CHECKOUT] [--threads 2]

TinyViT-5M, 224 px, batch 16, fp32, AdamW. Each side is a process of its own that does an epoch when it is told to, so
that the sides alternate and a busy machine hurts all alike; the median epoch counts, the first is not counted. CPU time
holds that of loader workers. timm's side is its own train.py at its own augmentation, with one worker, as its
repository has it (--timm, XP_TIMM or what `make peers` cloned); its best setting here is the quickest of the three.

  ours            our loop: pack of JPEG, loader, step, heartbeat, finite check
  ours compiled   the same with train.compile: max
  bare            the same step on batches that lie in memory
  taught          our loop with a teacher's answers in memory, as if from the cache; timm's has the teacher in its step
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import ROOT, Row
from benchmarks.distillation import TEACHERS, write_photos

BATCH = 16
SIDES = ROOT / "benchmarks" / "training_sides.py"
PEERS = {
    "timm default": [],
    "timm channels_last": ["--channels-last"],
    "timm compiled": ["--torchcompile"],
}


@dataclass(frozen=True)
class Epoch:
    """One epoch of a side: images, and the seconds that they took by the wall and of the processors."""

    images: int
    wall: float
    cpu: float


class Side:
    """A process that trains one epoch for each line that it is sent."""

    def __init__(self, name: str, words: dict[str, Any], environment: dict[str, str]) -> None:
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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images, epochs and sides")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--photos", default=os.environ.get("XP_PHOTOS"), help="folder or archive of photographs")
    parser.add_argument("--timm", default=os.environ.get("XP_TIMM", str(ROOT / ".timm")), help="checkout with train.py")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = compare_all(Path(folder), chosen)
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        peer = "not installed" if row.peer is None else f"{row.peer:8.2f}  x{row.ratio:.2f}"
        print(f"{row.case:44} {row.figure:22} {row.ours:8.2f} {peer}  (n={row.n})")


def compare_all(folder: Path, chosen: argparse.Namespace) -> list[Row]:
    """Untaught first; then with each teacher, in a run of its own."""
    batches, rounds = (1, 2) if chosen.quick else (4, 5)
    write_photos(folder / "photos", chosen.photos, batches * BATCH)
    shared = {"folder": str(folder), "batch": BATCH, "threads": chosen.threads}
    timm = Path(chosen.timm)
    has_timm = (timm / "train.py").exists()
    peers = {name: {"timm": str(timm), "flags": flags} for name, flags in PEERS.items() if has_timm}
    if chosen.quick:
        peers.pop("timm compiled", None)
    ours: dict[str, dict[str, Any]] = {"ours": {}, "bare": {"bare": True}}
    if not chosen.quick:
        ours["ours compiled"] = {"compile": "max"}
    sides = measure(ours | peers, shared, rounds)
    rows = [*_rows(sides, "ours", [name for name in sides if name != "ours"]), *best_rows(sides, list(peers))]
    for name, teacher in [] if chosen.quick else list(TEACHERS.items()):
        taught: dict[str, dict[str, Any]] = {f"ours, {name}": {"teacher": teacher}}
        flags = ["--kd-model-name", teacher, "--channels-last"]
        online = {f"timm online, {name}": {"timm": str(timm), "flags": flags}} if has_timm else {}
        sides = measure(taught | online, shared, 3)
        rows += _rows(sides, f"ours, {name}", online or ["timm online"])
    return rows if has_timm else [*rows, *_rows(sides, "ours", PEERS)]


def measure(words: dict[str, dict[str, Any]], shared: dict[str, Any], rounds: int) -> dict[str, Side]:
    """Return the sides after `rounds` counted epochs of each, in turn; those that fail have none."""
    # Waiting threads sleep: on all sides, as under make.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    sides = {name: Side(name, shared | word, environment) for name, word in words.items()}
    try:
        for side in sides.values():  # one after another: they start, and some compile
            if not side.epoch():
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


def best_rows(sides: dict[str, Side], peers: list[str]) -> list[Row]:
    """Return our best against timm's best, by each clock."""
    rows = []
    for clock in ("cpu", "wall"):
        ran = [name for name in peers if sides[name].rate(clock)]
        if ran:
            best = max(ran, key=lambda name: sides[name].rate(clock) or 0.0)
            rows.append(_row(f"ours / timm's best ({best.removeprefix('timm ')})", sides["ours"], sides[best], clock))
    return rows


if __name__ == "__main__":
    main()
