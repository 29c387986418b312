"""The paper in an hour on two CPU cores: lays out photographs, submits specs/paper.yaml small, waits, writes its page.

    python benchmarks/paper_small.py [--home DIR] [--slots N] [--page]

Photographs are 150 of each class of imagenette224, those first that the teachers were not trained on. They and the
teachers lie in shared/data beside the checkout. All of it goes to build/paper-small/, and to begin again is to go on:
what is done is kept. With --page the page is written from what is there, and nothing is run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from pathlib import Path

from benchmarks import ROOT

SHARED = ROOT.parent / "shared" / "data"
BUILD = ROOT / "build" / "paper-small"
PAPER, OVERLAY = "specs/paper.yaml", "specs/_paper_small.yaml"
EACH = 150  # photographs of a class
NEW = "ILSVRC2012_val_"  # in the names of those that no teacher was trained on


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=BUILD / "home")
    parser.add_argument("--slots", type=int, default=2, help="jobs at once, each with one thread")
    parser.add_argument("--page", action="store_true", help="write the page of what is there, and run nothing")
    asked = parser.parse_args()
    if not (SHARED / "teachers").is_dir():
        print(f"there are no photographs and teachers in {SHARED}: nothing is run", file=sys.stderr)
        return 2
    began = time.monotonic()
    if not asked.page:
        _tell(f"{lay_out(BUILD / 'data' / 'imagenette', EACH)} photographs in {BUILD / 'data'}", began)
        _run(asked.home, "submit", PAPER, "--overlay", OVERLAY, "--no-start")
        _tell("queued; what is done is kept", began)
        _work(asked.home, asked.slots, began)
    forms = [word for form in ("md", "html", "tex") for word in ("--format", form)]
    _run(asked.home, "report", PAPER, *forms, "-o", str(BUILD / "report"))
    _tell("the page is written", began)
    return 0


def lay_out(images: Path, each: int) -> int:
    """Unpack `each` photographs of every class, those new to the teachers first; return how many lie there."""
    found: dict[str, list[tuple[bool, str, Path]]] = defaultdict(list)
    for archive in (SHARED / "imagenette224" / name for name in ("train.zip", "val.zip")):
        with zipfile.ZipFile(archive) as held:
            for name in held.namelist():
                if name.endswith(".JPEG"):
                    found[name.partition("/")[0]].append((NEW not in name, name, archive))
    wanted = [row for rows in found.values() for row in sorted(rows)[:each]]
    for archive in {row[2] for row in wanted}:
        with zipfile.ZipFile(archive) as held:
            held.extractall(images, [name for _, name, at in wanted if at == archive and not (images / name).exists()])
    return len(wanted)


def _work(home: Path, slots: int, began: float) -> None:
    """Be the scheduler until nothing is left, and say every minute how far it is."""
    worker = subprocess.Popen(_command(home, "worker", "--slots", str(slots), "--until-idle"), cwd=ROOT, env=_words())
    try:
        while worker.poll() is None:
            try:
                worker.wait(timeout=60)
            except subprocess.TimeoutExpired:
                _tell("how far it is:", began)
                subprocess.run(_command(home, "status"), cwd=ROOT, env=_words(), check=False)
    except KeyboardInterrupt:
        worker.wait()
        raise


def _run(home: Path, *words: str) -> None:
    subprocess.run(_command(home, *words), cwd=ROOT, env=_words(), check=True)


def _command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "engine.cli", "--home", str(home), *words]


def _words() -> dict[str, str]:
    return {**os.environ, "XP_DATA": str(BUILD / "data")}


def _tell(text: str, began: float) -> None:
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"[{minutes:3d}:{seconds:02d}] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
