"""gc, rm and undo, killed at random points: nothing needed is lost, and the next one finishes the rest.

The short form has a dozen jobs and is killed before its very operations; the long one has ten thousand, and kills by
the clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home, open_home
from engine.schedule.keep.sweep import sweep
from tests.chaos.monkey import ROOT
from tests.helpers.keeping import files_of, put_experiment, put_job
from tests.helpers.queueing import faults

OWN = ("queue.db", "trash", "cache/trash", "keep.lock", "ingest.lock", "experiments/kept-0", "scheduler", "cache/homes")


def make_home(root: Path, each: int, experiments: int, orphans: int) -> Home:
    """`experiments` of two arms with `each` jobs in an arm, `loose` as one more, and jobs that nobody has."""
    home = open_home(root, create=True)
    put_job(home, "pack-all")
    for name in (*(f"kept-{number}" for number in range(experiments)), "loose"):
        jobs: dict[str, list[str]] = {"pack-all": [], f"pack-{name}": []}
        put_job(home, f"pack-{name}")
        runs = {}
        for arm in "ab":
            for seed in range(each):
                job = f"train-{name}-{arm}{seed}"
                put_job(home, job, jobs[f"pack-{name}"])
                jobs[job] = [f"pack-{name}"]
                runs[f"{arm}@{seed}"] = ["pack-all", f"pack-{name}", job]
        put_experiment(home, name, runs, jobs)
    for number in range(orphans):
        put_job(home, f"{'pack' if number % 10 == 0 else 'train'}-nobody{number}")
    return home


def rampage(home: Home, kills: int, seed: int, how: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.chaos.keep_rampage", str(home.root), str(kills), str(seed), how]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_short_rampage_loses_nothing(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", each=2, experiments=2, orphans=3)
    before = files_of(home.root, *OWN)
    told = rampage(home, kills=40, seed=1, how="operation")
    assert told["faults"] == []
    assert {name for name, count in told["tally"].items() if count} >= {"gc", "rm experiment", "rm arm", "undo"}
    assert files_of(home.root, *OWN) == before, "all is back, byte by byte"
    assert sweep(home).bytes > 0
    assert sweep(home).entries == ()
    assert faults(home) == []


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("seed", "how"), [(1, "time"), (2, "operation")])
def test_a_long_rampage_over_ten_thousand_jobs_loses_nothing(tmp_path: Path, seed: int, how: str) -> None:
    home = make_home(tmp_path / "home", each=500, experiments=6, orphans=3000)
    assert len(home.jobs()) > 10_000
    names = {folder.job for folder in home.jobs()}
    told = rampage(home, kills=50, seed=seed, how=how)
    print(f"\n{len(names):,} jobs, by {how}: {told['tally']}")
    assert told["faults"] == []
    assert {folder.job for folder in home.jobs()} == names
    started = time.monotonic()
    swept = sweep(home)
    print(f"a whole gc of {len(swept.entries):,} things: {time.monotonic() - started:.1f} s")
    assert sweep(home).entries == ()
    assert all(home.job(f"train-kept-5-b{number}").result.exists() for number in range(500))
