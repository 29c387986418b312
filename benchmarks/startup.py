"""How long a command takes to start, against the smallest app of the same library.

    python benchmarks/startup.py [--quick] [--json]

Whole commands, from the start of the process to its end, each in turn with a bare Typer app of two commands that is
asked for its help. `seconds`: the medians, ratio the app's over ours. `times the bare app`: the median of the ratios
pair by pair; as a peer the limit that we promise, 1.5 for `xp --help` and 3 for `xp validate`; the other rows have
none. Completion is what a key press in bash waits for.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import ROOT, Row

BARE = '''
import typer

app = typer.Typer()


@app.command()
def one(name: str) -> None:
    """Say a name."""
    print(name)


@app.command()
def two(name: str, loud: bool = False) -> None:
    """Say a name, loudly."""
    print(name.upper() if loud else name)


app()
'''
XP = (sys.executable, "-P", "-c", "from engine.cli import main; main()")
SPEC = str(ROOT / "specs" / "quickstart.yaml")


@dataclass(frozen=True)
class Case:
    """A command with its `limit`, in times of the bare app, and what its environment has besides."""

    name: str
    words: tuple[str, ...]
    limit: float | None = None
    given: Mapping[str, str] = field(default_factory=dict)


def completing(*words: str) -> dict[str, str]:
    """What bash gives a program that it asks to complete the last of these words."""
    return {"_XP_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}


CASES = (
    Case("xp --help", ("--help",), 1.5),
    Case("xp validate specs/quickstart.yaml", ("validate", SPEC), 3.0),
    Case("xp --version", ("--version",)),
    Case("xp explain train.lr", ("explain", "train.lr")),
    Case("completing a command", (), None, completing("xp", "stat")),
    Case("completing --set", (), None, completing("xp", "submit", SPEC, "--set", "train.l")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 starts of each instead of 25")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    rows = list(compare_starts(5 if chosen.quick else 25))
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        peer, ratio = (f"{value:.3f}" if value is not None else "-" for value in (row.peer, row.ratio))
        print(f"{row.case:38} {row.figure:20} {row.ours:8.3f} {peer:>8} {row.unit:8} x{ratio}  (n={row.n})")


def compare_starts(count: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        for case in CASES:
            yield from _compare(case, bare, Path(folder), count)


def _compare(case: Case, bare: Path, folder: Path, count: int) -> Iterator[Row]:
    # The program's name decides the variable that a shell asks it by.
    line = (sys.executable, "-P", "-c", f"import sys; sys.argv[0] = 'xp'; {XP[-1]}", *case.words)
    pairs = [
        (_time(line, folder, case.given), _time((sys.executable, str(bare), "--help"), folder))
        for _ in range(count + 1)
    ]
    ours, peers = zip(*pairs[1:], strict=True)  # the first of each fills the caches of the disk
    mine, other = statistics.median(ours), statistics.median(peers)
    yield Row(f"{case.name} / bare app --help", "seconds", mine, other, other / mine, "s", count)
    times = statistics.median(one / peer for one, peer in pairs[1:])
    ratio = None if case.limit is None else case.limit / times
    yield Row(case.name, "times the bare app", times, case.limit, ratio, "times", count)


def _time(line: Sequence[str], folder: Path, given: Mapping[str, str] | None = None) -> float:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XP_HOME": str(folder / "home"), **(given or {})}
    begun = time.perf_counter()
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, check=False)
    took = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return took


if __name__ == "__main__":
    main()
