"""Compactions that are killed: takes a home and a folder, kills one at each of its lines, prints what a rebuild gives.

    python -m tests.collect.killing HOME FOLDER STRIDE

For each STRIDE-th line that a compaction runs: a copy of the home, a collection that dies before that line, a second
one that does not, and a rebuild. Each runs in a fork of this process, which itself never opens a database. Prints a
JSON list, one entry for each kill and one more for a compaction that was not killed: see `describe`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

import scipy.special  # noqa: F401 - loaded once, where each fork would: a new database takes quantiles from it

import engine.collect.compact
import store.results.compact
from engine.collect import collect, rebuild
from engine.home.paths import Home, open_home
from store.results import open_snapshot
from tests.collect.reading import TABLES

FILES = (engine.collect.compact.__file__, store.results.compact.__file__)


def main(home: Path, folder: Path, stride: int) -> None:
    # All rows are taken in once: what each collection here still does is the compaction.
    run_forked(partial(collect_rows, home), folder / "none")
    seen: list[Any] = []
    while True:
        place, most = folder / str(len(seen)), stride * len(seen)
        shutil.copytree(home, place)
        died = run_forked(partial(collect_until, place, most), place / "none") == 9
        run_forked(partial(describe, place), place / "answer.json")
        seen.append(json.loads((place / "answer.json").read_text()))
        if not died:  # it ran past its last line: this is what an undisturbed compaction leaves
            print(json.dumps(seen))
            return


def run_forked(work: Callable[[], Any], answer: Path) -> int:
    """Do it in a fork, write what it returns, and return its exit status."""
    pid = os.fork()
    if pid == 0:
        answer.write_text(json.dumps(work(), default=str))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def collect_rows(home: Path) -> None:
    """Collect without a compaction."""
    setattr(engine.collect, "SMALLEST", 1 << 40)  # noqa: B010
    collect(open_home(home))


def collect_until(place: Path, most: int) -> None:
    """Collect, and be gone before line number `most` of the compaction."""
    left = [most]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
        return trace

    sys.settrace(trace)
    collect(open_home(place))


def describe(place: Path) -> list[Any]:
    """Collect again, rebuild, return a digest of every table after each, and how many files of each kind are left."""
    home = open_home(place)
    collect(home)
    first = digest_of(home)
    rebuild(home)
    kinds = ("attempts/*/journal.jsonl", "attempts/*/journal.parquet", "attempts/*/.*.tmp")
    return [first, digest_of(home), *(len(list(home.jobs_root.glob(f"*/{kind}"))) for kind in kinds)]


def digest_of(home: Home) -> str:
    with open_snapshot(home) as db:
        rows = [sorted(map(repr, db.execute(f"from {table}").fetchall())) for table in TABLES]
    return sha256(json.dumps(rows).encode()).hexdigest()


if __name__ == "__main__":
    setattr(engine.collect, "SMALLEST", 0)  # noqa: B010 - mypy: it is not ours to export
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
