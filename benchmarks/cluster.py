"""What Slurm costs a job, on a real Slurm of two nodes on this machine: through pilots, against an sbatch for each.

warm probe    one verdict to the next in a pilot that is there, against the same here (promised: at most twice)
short jobs    200 probe jobs on four slots until all are done, against 200 batch jobs with the same program in a fresh
              interpreter, four at a time (promised: at most a fifth of the time)

It needs root, slurm-wlm and munge (tests/cluster/slurm_site.py); elsewhere it says what is missing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import ROOT, Row
from engine.home.paths import Home, open_home
from engine.launch.places import choose_executor
from engine.schedule.worker import run_worker
from store.queue import Queue
from tests.cluster.slurm_site import SlurmSite, missing_programs, running_site
from tests.helpers.queueing import Probe, submit_probes

PROGRAM = "benchmarks.probe_job"
PROFILE = '[slurm]\ncpus = 1\nmemory = "900M"\nmost = {slots}\nask_seconds = 1.0\nidle = 120.0\n'
SLOTS = 4
WARM_LIMIT, SHORT_LIMIT = 2.0, 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer jobs: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    logging.getLogger("xp.scheduler").setLevel(logging.ERROR)
    rows = [] if missing_programs() else measure(*((20, 2, 24) if chosen.quick else (60, 5, 200)))
    if chosen.json:
        print(json.dumps([row.__dict__ for row in rows]))
        return
    if not rows:
        print(missing_programs())
    for row in rows:
        print(f"{row.case:50} {row.ours:10.3f} {row.peer or 0:10.3f} {row.unit:4} x{row.ratio or 0:.2f}  (n={row.n})")


def measure(jobs: int, rounds: int, short: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="xp-slurm-") as folder, running_site(Path(folder) / "s") as site:
        os.environ["SLURM_CONF"] = site.environment["SLURM_CONF"]
        root = Path(folder)
        return [*compare_warm(root, jobs, rounds), *compare_short(site, root, short)]


def compare_warm(folder: Path, jobs: int, rounds: int) -> list[Row]:
    """Time probe jobs one after another on one slot, here and in a pilot, in turn."""
    ours, peers = list[float](), list[float]()
    for turn in range(rounds):
        peers.append(time_jobs(make_home(folder / f"here{turn}", "local"), jobs))
        ours.append(time_jobs(make_home(folder / f"there{turn}", "slurm", slots=1), jobs))
    mine, theirs = statistics.median(ours), statistics.median(peers)
    return [Row("warm probe job / on this machine", "median", mine, theirs, theirs / mine, "ms", rounds)]


def make_home(folder: Path, executor: str, slots: int = 1) -> Home:
    home = open_home(folder, create=True)
    (home.root / "xp.toml").write_text(PROFILE.format(slots=slots))
    choose_executor(home, executor)
    return home


def time_jobs(home: Home, jobs: int) -> float:
    """Return the median of milliseconds from one verdict to the next; the first comes after what was started once."""
    submit(home, jobs)
    run_worker(home, 1, until_idle=True, preload=PROGRAM, collect=None)
    with Queue.open_readonly(home.queue_db) as queue:
        ends = sorted(row.ended_at or 0.0 for row in queue.attempt_rows(names(jobs)))
    return 1000 * statistics.median(after - before for before, after in itertools.pairwise(ends))


def names(jobs: int) -> list[str]:
    return [f"train-{number:04d}" for number in range(jobs)]


def submit(home: Home, jobs: int) -> None:
    submit_probes(home, "probes", [Probe(job, does={"resources": {"gpus": 0}}) for job in names(jobs)])


def compare_short(site: SlurmSite, folder: Path, jobs: int) -> list[Row]:
    """Time many short jobs from the first to the last, pilots and all, and as many batch jobs."""
    home = make_home(folder / "short", "slurm", SLOTS)
    submit(home, jobs)
    began = time.perf_counter()
    run_worker(home, 1, until_idle=True, preload=PROGRAM, collect=None)
    mine = time.perf_counter() - began
    site.wait_idle()
    theirs = time_bare(site, folder, jobs)
    return [Row(f"{jobs} short jobs / an sbatch each", "seconds", mine, theirs, theirs / mine, "s", jobs)]


def time_bare(site: SlurmSite, folder: Path, jobs: int) -> float:
    """Return the seconds of as many batch jobs, each with the program in an interpreter of its own."""
    home = open_home(folder / "bare", create=True)
    submit(home, jobs)
    began = time.perf_counter()
    for job in names(jobs):
        attempt = home.job(job).attempt(1).root
        script = f"#!/bin/sh\nexec {' '.join(bare_words(attempt))}\n"
        subprocess.run(
            ["sbatch", "--parsable", "--mem=900M", "--cpus-per-task=4", "--output=/dev/null"],
            input=script, text=True, check=True, capture_output=True, env=site.environment, cwd=ROOT,
        )  # fmt: skip
    while not all(home.job(job).result.exists() for job in names(jobs)):
        time.sleep(0.1)
    return time.perf_counter() - began


def bare_words(attempt: Path) -> list[str]:
    code = (
        "import sys; from pathlib import Path; from engine.launch.attempt_process import read_order; import os; "
        "order = read_order(Path(sys.argv[1]), os.environ); order.folder.root.mkdir(parents=True); "
        f"from {PROGRAM} import main; main(order)"
    )
    return [sys.executable, "-c", f'"{code}"', str(attempt)]


if __name__ == "__main__":
    main()
