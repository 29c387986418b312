"""How far off `xp plan` is: predicted seconds over those that an experiment then takes, from submit to its end.

quickstart    the shipped spec; --quick: one arm and three epochs of it
photographs   specs/phase1_tiny_window.yaml in its small form, on photographs
5M epoch      one epoch of TinyViT-5M at 224 pixels on photographs: the training job alone
first         before anything ran here: by a calibration of some seconds
second        other seeds in the same home: what the first took is known

The ratio is predicted over measured: 1 is right. Processor seconds are what the same would have taken on a machine
that does nothing else, where jobs have one thread.

Photographs: --photos (a class-per-folder tree or archive). On a machine that does other work too, the first is as far
off as that work takes cores away. `ours` is what was predicted, `peer` what it took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ROOT, Row
from engine.home.files import read_json
from engine.home.paths import open_home

GIVEN = ROOT.parent / "shared" / "data" / "imagenette224" / "train.zip"
XP = (sys.executable, "-P", "-m", "engine.cli")
EPOCH_SPEC = """
name: epoch
data: {source: folder, root: PHOTOS, image_size: 224, classes: [CLASSES]}
student: {arch: tiny_vit_5m}
train: {epochs: 1, batch_size: 16, precision: fp32, threads: 2, warmup_epochs: 0}
measure: {batch_sizes: [1], threads: [2], rounds: 2, seconds: 0.2}
explain: {images: 1}
resources: {gpus: 0}
"""
CLASSES = ("n01440764", "n02102040", "n02979186", "n03000684")


@dataclass(frozen=True)
class Case:
    """An experiment; `kind` where the jobs of one kind alone are compared."""

    name: str
    words: tuple[str, ...]
    kind: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small forms of each, under two minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--photos", default=os.environ.get("XP_PHOTOS") or str(GIVEN), help="folder or archive")
    parser.add_argument("--only", nargs="*", help="cases by the beginning of their names")
    chosen = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for case in list_cases(chosen.quick, chosen.photos, Path(folder)):
            if not chosen.only or case.name.startswith(tuple(chosen.only)):
                for row in compare_case(case, Path(folder) / case.name.replace(" ", "_")):
                    rows.append(row)
                    print(f"{row.case}: {row.figure}: {row.ratio:.2f}", file=sys.stderr, flush=True)
    if chosen.json:
        print(json.dumps([row.__dict__ for row in rows]))
        return
    for row in rows:
        print(f"{row.case:28} {row.figure:40} {row.ours:8.1f} {row.peer:8.1f} {row.unit:3} x{row.ratio:.2f}")


def list_cases(quick: bool, photos: str, folder: Path) -> Iterator[Case]:
    """Yield the experiments; without photographs only the digits."""
    small = ("--set", "arms.sparse=null", "--set", "arms.distilled=null", "--set", "arms.distilled_pruned=null")
    brief = (*small, "--set", "claims=[]", "--set", "train.epochs=3", "--set", "seeds=[0]") if quick else ()
    yield Case("quickstart", (str(ROOT / "specs" / "quickstart.yaml"), *brief))
    if not Path(photos).exists():
        print(f"skipped: there are no photographs in {photos}; name some with --photos", file=sys.stderr)
        return
    classes = ", ".join(CLASSES[: 2 if quick else 4])
    dropped = ("vit", "mobilenet", *(("longformer",) if quick else ()))
    words = [f"data.root={photos}", f"data.classes=[{classes}]", "claims=[]", *(f"arms.{arm}=null" for arm in dropped)]
    phase = (str(ROOT / "specs" / "phase1_tiny_window.yaml"), "--overlay", str(ROOT / "specs" / "_small.yaml"))
    yield Case("photographs", (*phase, *(part for word in words for part in ("--set", word))))
    spec = folder / "epoch.yaml"
    spec.write_text(EPOCH_SPEC.replace("PHOTOS", photos).replace("CLASSES", classes if not quick else CLASSES[0]))
    if quick:
        spec.write_text(
            spec.read_text().replace(CLASSES[0], f"{CLASSES[0]}, {CLASSES[1]}").replace("size: 224", "size: 160")
        )
    yield Case("5M epoch", (str(spec),), "train")


def compare_case(case: Case, home: Path) -> Iterator[Row]:
    """Plan, run and compare, then once more with other seeds."""
    for turn, seeds in (("first", ()), ("second", ("--set", "seeds=[5]"))):
        told = _plan(case.words, home, seeds)
        began = time.perf_counter()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        _xp("submit", *case.words, *seeds, "--no-start", home=home)
        _xp("worker", "--until-idle", home=home)
        took, alone = time.perf_counter() - began, _cpu_seconds(used)
        jobs = [job for job in told["jobs"] if not job["reused"]]
        if case.kind:
            jobs = [job for job in jobs if job["kind"] == case.kind]
            yield _row(
                case, f"{turn}, jobs of kind {case.kind}", sum(job["seconds"] for job in jobs), _took(home, jobs)
            )
        else:
            yield _row(case, f"{turn}, from submit to its end", told["seconds"], took)
            yield _row(case, f"{turn}, in processor seconds", told["seconds"], alone)
            work = sum(job["seconds"] for job in jobs)
            yield _row(case, f"{turn}, its jobs alone", work, _took(home, jobs))


def _row(case: Case, figure: str, predicted: float, measured: float) -> Row:
    busy = f"{os.getloadavg()[0]:.0f} of {os.cpu_count()} cores asked for"
    return Row(case.name, f"{figure} ({busy})", predicted, measured, predicted / measured, "s", 1)


def _cpu_seconds(before: resource.struct_rusage) -> float:
    """Return the processor's seconds of all that ran since: what one thread's work takes where nothing else runs."""
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime


def _took(home: Path, jobs: Sequence[dict[str, Any]]) -> float:
    place = open_home(home)
    return sum(float(read_json(place.job(job["job"]).result)["seconds"]) for job in jobs)


def _plan(words: Sequence[str], home: Path, more: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(_xp("plan", *words, *more, "--json", home=home))
    return told


def _xp(*words: str, home: Path) -> str:
    command = [*XP, *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout


if __name__ == "__main__":
    main()
