"""The acceptance on a GPU: one command, ten minutes, in parts of which each fails alone.

    python benchmarks/gpu.py [--parts environment,pixels,...] [--json FILE] [--page FILE] [--seconds 600] [--cpu]

It needs Python 3.11 or newer, torch 2.11 or newer, timm, scipy, filelock and pydantic; no installation of this
project, none of the packages that its commands and its store use. Wheels that are missing are carried: `--wheels DIR`
takes a folder of .whl files as they are. Each part runs in a process of its own and has a share of the time; what a
part has told before it ended counts. `--cpu` tries everything out without a GPU, small, with no speeds. It ends with
1 where something that must hold does not; goals are hopes, and one that is missed is only told.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first on its path, where store.py would hide the package `store`.
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place or ".").resolve() != ROOT / "benchmarks")]

from benchmarks.gpu_parts.findings import BAD, STUB, Finding, Part, Place, Teller, read_findings  # noqa: E402
from benchmarks.gpu_parts.page import write_page  # noqa: E402

# part -> the most seconds that it may take of 600
PARTS = {
    "environment": 30,
    "pixels": 60,
    "numbers": 80,
    "resume": 80,
    "faults": 70,
    "experiment": 90,
    "speed": 150,
    "feeding": 150,
}
TOTAL = 600.0
CLOSING = 5.0  # seconds in which a part may still end by itself


@dataclass(frozen=True)
class Asked:
    """What somebody asked for."""

    parts: tuple[str, ...]
    device: str
    seconds: float
    wheels: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser()
    given = parser.parse_args(arguments)
    if given.child:
        return run_child(given.child, given.device, Path(given.folder), given.limit)
    parts = tuple(filter(None, given.parts.split(","))) or tuple(PARTS)
    if unknown := [name for name in parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}: choose of {', '.join(PARTS)}")
    found = run_parts(Asked(parts, "cpu" if given.cpu else "cuda", given.seconds, given.wheels))
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    if given.page:
        write_page(given.page, found, " ".join(["python benchmarks/gpu.py", *(arguments or sys.argv[1:])]))
    return int(any(one.verdict in BAD for one in found))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="", help=f"of {','.join(PARTS)}; all where none is named")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every finding as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page, or its section of that file anew")
    parser.add_argument("--seconds", type=float, default=TOTAL, help="for everything: each part has its share")
    parser.add_argument("--cpu", action="store_true", help="try it out without a GPU; speeds are not measured")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="wheels of packages that are not installed here")
    for name, kind in (("--child", str), ("--device", str), ("--folder", str), ("--limit", float)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    return parser


# The command ----------------------------------------------------------------------------------------------------------


def run_parts(asked: Asked) -> list[Finding]:
    """Run each part in a process of its own; return what all of them told."""
    found: list[Finding] = []
    end = time.monotonic() + asked.seconds
    with tempfile.TemporaryDirectory(prefix="xp-gpu-", ignore_cleanup_errors=True) as folder:
        environment = child_environment(asked, Path(folder))
        for name in asked.parts:
            limit = min(PARTS[name] * asked.seconds / TOTAL, end - time.monotonic())
            place = Path(folder) / name
            place.mkdir()
            print(f"{name}: at most {limit:.0f} s", file=sys.stderr, flush=True)
            told = run_part(name, asked.device, place, limit, environment)
            found += told
            for one in told:
                print(f"  {tell_line(one)}", flush=True)
    return found


def child_environment(asked: Asked, folder: Path) -> dict[str, str]:
    """Return the environment of the parts: the carried wheels stand behind what is installed."""
    carried = unpack_wheels(asked.wheels, folder / "wheels") if asked.wheels else []
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH", "")]), *carried])
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    return {**quiet, **os.environ, "PYTHONPATH": path, "XP_CACHE": ""}


def unpack_wheels(wheels: Path, folder: Path) -> list[str]:
    """Unpack every wheel of a folder; return where, as a path of Python's has it."""
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return [str(folder)] if folder.exists() else []


def run_part(name: str, device: str, folder: Path, limit: float, environment: dict[str, str]) -> list[Finding]:
    """Run one part; return what it told, and how it ended where that was not well."""
    if limit <= 0:
        return [Finding(name, name, "runs", "failed", note="no time was left for it")]
    words = ["--child", name, "--device", device, "--folder", str(folder), "--limit", str(limit)]
    command, begin, log = [sys.executable, str(Path(__file__).resolve()), *words], time.monotonic(), folder / "log.txt"
    with open(log, "wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said, start_new_session=True)
        try:
            status = process.wait(limit + CLOSING)
        except subprocess.TimeoutExpired:
            status = None
        # What it has started too: a part that was cut off leaves nothing on the card.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    found, seconds = read_findings(folder / "told.jsonl"), time.monotonic() - begin
    if status != 0:
        how = f"not done after {limit:.0f} s" if status is None else f"ended with {status}: {last_words(log)}"
        return [*found, Finding(name, name, "runs", "failed", seconds, "s", note=how)]
    return [*found, Finding(name, name, "runs", "held", seconds, "s")]


def last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-2:])[-400:]


def tell_line(one: Finding) -> str:
    value = "" if one.value is None else f" {one.value:.4g}"
    peer = "" if one.peer is None else f", peer {one.peer:.4g}"
    goal = "" if one.goal is None else f", goal {one.goal:g}"
    note = f" ({one.note})" if one.note else ""
    return f"{one.verdict}: {one.case}: {one.figure}{value} {one.unit}{peer}{goal}{note}".replace("  ", " ")


# A part ---------------------------------------------------------------------------------------------------------------


def run_child(name: str, device: str, folder: Path, limit: float) -> int:
    """Be one part: tell findings into a file until it is done, or its time is over."""
    place = Place("cpu" if device == "cpu" else "cuda", folder, time.monotonic() + limit)
    teller = Teller(name, folder / "told.jsonl", place)
    os.environ.pop("XP_CACHE", None)
    if STUB in os.environ:
        importlib.import_module("tests.gpu_stub.device").install_stand_ins()
    if device == "cuda" and not importlib.import_module("torch").cuda.is_available():
        teller.tell("card", "a GPU is there", "failed", note="torch finds none; --cpu tries it out without")
        return 0
    part: Part = importlib.import_module(f"benchmarks.gpu_parts.{name}").run
    part(place, teller)
    sys.stdout.flush()
    os._exit(0)  # at once: what the libraries would still put away tells nothing


if __name__ == "__main__":
    sys.exit(main())
