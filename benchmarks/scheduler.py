"""What a job costs beyond its own work, and what the queue does with 100,000 jobs in it, against peers of the same run.

probe job      lease, fork with torch and timm loaded, journal, commit, verdict: one after another on one slot.
               Peers: a fresh interpreter that imports the same; submitit's local executor and a Ray GPU task with
               one journal line each (nothing imported), when `make peers` was run
claims         take a job and finish it, one transaction each. Peer: DuckDB, opened and closed under a file lock
submit, status the commands themselves, from the shell: 1,000 more jobs; how things stand. Peer: the time we promise

Peers live in .venv-peers (`make peers`), or where XP_PEERS says: a python that can import submitit and ray.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from benchmarks import ROOT, Row
from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.schedule.worker import run_worker
from engine.spec.identity import make_id
from store.queue import Queue, Verdict

PEER_PYTHON = Path(os.environ.get("XP_PEERS") or ROOT / ".venv-peers" / "bin" / "python")
ON_CPU = {"resources": {"gpus": 0}}  # one slot, however many GPUs there are
PROBE_LIMIT, SUBMIT_LIMIT, STATUS_LIMIT = 100.0, 2.0, 1.0  # ms, s, s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    logging.getLogger("xp.scheduler").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            *compare_probes(Path(folder), 30 if chosen.quick else 200, 2 if chosen.quick else 7),
            *compare_queues(Path(folder), 100_000, *((100, 8, 3) if chosen.quick else (1000, 40, 7))),
        ]
    if chosen.json:
        print(json.dumps([row.__dict__ for row in rows]))
        return
    for row in rows:
        print(f"{row.case:58} {row.ours:10.2f} {row.peer:10.2f} {row.unit:8} x{row.ratio:.1f}  (n={row.n})")


# -- a job over the whole path -----------------------------------------------------------------------------------


def compare_probes(folder: Path, jobs: int, repeats: int) -> list[Row]:
    home = open_home(folder / "home", create=True)
    costs = time_probes(home, jobs)
    ours = statistics.median(costs)
    peers = {"limit": PROBE_LIMIT, "fresh interpreter": statistics.median(time_interpreters(repeats))}
    peers |= {name: statistics.median(time_peer(code, repeats)) for name, code in PEERS.items() if has_peer(name)}
    return [
        Row(f"probe job / {name}", "median", ours, peer, peer / ours, "ms", len(costs)) for name, peer in peers.items()
    ]


def time_probes(home: Home, jobs: int) -> list[float]:
    """Return milliseconds from one verdict to the next, over a run of probe jobs on one slot."""
    names = [f"train-{number:06d}" for number in range(jobs)]
    submit(home, "probes", names)
    run_worker(home, 1, until_idle=True, preload="benchmarks.probe_job", collect=None)
    with Queue.open_readonly(home.queue_db) as queue:
        ends = sorted(row.ended_at or 0.0 for row in queue.attempt_rows())
        assert set(queue.job_states().values()) == {"done"}
    return [(after - before) * 1000 for before, after in itertools.pairwise(ends)]


def submit(home: Home, name: str, jobs: list[str]) -> None:
    for job in jobs:
        home.job(job).root.mkdir(parents=True)
        write_json(home.job(job).spec, {"kind": "train"})
    with Queue(home.queue_db) as queue:
        queue.add_experiment(make_record(name, jobs))


def make_record(name: str, jobs: list[str]) -> dict[str, Any]:
    return {
        "version": 1,
        "name": name,
        "title": name,
        "submitted_at": time.time(),
        "priority": 0,
        "runs": [
            {"run": make_id("run", job), "arm": "arm", "cell": "cell", "seed": seed, "jobs": {"student": job}}
            for seed, job in enumerate(jobs)
        ],
        "jobs": [{"job": job, "kind": "train", "needs": [], "details": ON_CPU, "cost": 1.0} for job in jobs],
    }


def time_interpreters(repeats: int) -> list[float]:
    return [time_call([sys.executable, "-c", "import torch, timm"]) for _ in range(repeats)]


def time_call(words: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, cwd=ROOT)
    return (time.perf_counter() - begun) * 1000


PEERS = {
    "submitit local": """
import json, submitit, sys, tempfile, time
executor = submitit.LocalExecutor(tempfile.mkdtemp())
executor.update_parameters(timeout_min=1)
def job(): return 1
times = []
for _ in range(int(sys.argv[1])):
    begun = time.perf_counter(); executor.submit(job).result(); times.append((time.perf_counter() - begun) * 1000)
print(json.dumps(times))
""",
    "ray GPU task": """
import json, ray, sys, time
ray.init(num_gpus=1, num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
@ray.remote(num_gpus=1)
def job(): return 1
ray.get(job.remote())
times = []
for _ in range(int(sys.argv[1])):
    begun = time.perf_counter(); ray.get(job.remote()); times.append((time.perf_counter() - begun) * 1000)
print(json.dumps(times))
""",
}


def has_peer(name: str) -> bool:
    """Return whether the peers' environment has this one; it is left out of the table otherwise."""
    if not PEER_PYTHON.exists():
        return False
    return subprocess.run([PEER_PYTHON, "-c", f"import {name.split()[0]}"], capture_output=True).returncode == 0


def time_peer(code: str, repeats: int) -> list[float]:
    answer = subprocess.run([PEER_PYTHON, "-c", code, str(repeats)], check=True, capture_output=True, text=True)
    return [float(value) for value in json.loads(answer.stdout.splitlines()[-1])]


# -- a long queue ------------------------------------------------------------------------------------------------


def compare_queues(folder: Path, size: int, claims: int, peer_claims: int, repeats: int) -> Iterator[Row]:
    home = open_home(folder / "long", create=True)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(make_record("long", hash_ids(size)))
        ours = claim_ours(queue, claims)
    yield from time_commands(home, folder, size, repeats)
    peer = claim_duckdb(folder / "queue.duckdb", size, peer_claims)
    yield Row(f"claims with {size:,} queued / DuckDB and a lock", "rate", ours, peer, ours / peer, "jobs/s", claims)


def hash_ids(size: int) -> list[str]:
    """Ids as they are: hashes, in no order, so that neighbours in one table lie far apart in the next."""
    return [make_id("train", number) for number in range(size)]


def time_commands(home: Home, folder: Path, size: int, repeats: int) -> Iterator[Row]:
    """Time commands as a person runs them, the start of the interpreter included; medians."""
    submit = f"submit of 1,000 more into {size:,} / limit"
    yield time_limit(submit, SUBMIT_LIMIT, [submit_words(home, folder, number) for number in range(repeats)])
    for case, words in (("", ["status"]), (" as JSON", ["status", "--json"])):
        line = [*words, "--home", str(home.root)]
        yield time_limit(f"status of {size:,}{case} / limit", STATUS_LIMIT, [line] * repeats)


def submit_words(home: Home, folder: Path, number: int) -> list[str]:
    """Give the command that submits a thousand jobs that no earlier number had."""
    spec = folder / f"more{number}.yaml"
    spec.write_text(MORE_SPEC.format(number=number, rate=0.001 + number / 10_000))
    return ["submit", str(spec), "--no-start", "--home", str(home.root)]


def time_limit(case: str, limit: float, commands: list[list[str]]) -> Row:
    ours = statistics.median(time_call([sys.executable, "-m", "engine.cli", *words]) for words in commands) / 1000
    return Row(case, "median time", ours, limit, limit / ours, "s", len(commands))


# 499 seeds: a student and its maps for each, one pack and one measurement
MORE_SPEC = f"""
name: more{{number}}
data: {{{{source: digits, image_size: 32, short_side: 32}}}}
student: {{{{arch: tiny_vit_5m, windows: [4, 4, 2, 1]}}}}
train: {{{{warmup_epochs: 0, lr: {{rate}}}}}}
seeds: {list(range(499))}
"""


def claim_ours(queue: Queue, claims: int) -> float:
    begun = time.perf_counter()
    for number in range(claims):
        first = queue.waiting()[0].experiment
        job = queue.ready_jobs(first, time.time(), 1)[0].job
        assert queue.lease(job, 1, "cpu:0", boot_id="boot", expires=60.0, now=float(number))
        assert queue.finish(job, 1, Verdict("done", "done"), float(number)) == "done"
    return claims / (time.perf_counter() - begun)


def claim_duckdb(path: Path, size: int, claims: int) -> float:
    """Claim and finish with the file opened for each transaction, as several processes would have to."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE jobs (job VARCHAR, state VARCHAR, attempts INTEGER)")
        connection.execute(f"INSERT INTO jobs SELECT 'train-' || range, 'queued', 0 FROM range({size})")
    lock = FileLock(path.with_suffix(".lock"))
    begun = time.perf_counter()
    for _ in range(claims):
        with lock, duckdb.connect(str(path)) as connection:
            found = connection.execute("SELECT job FROM jobs WHERE state = 'queued' LIMIT 1").fetchone()
            assert found is not None
            connection.execute("UPDATE jobs SET state = 'running', attempts = 1 WHERE job = ?", [found[0]])
        with lock, duckdb.connect(str(path)) as connection:
            connection.execute("UPDATE jobs SET state = 'done' WHERE job = ?", [found[0]])
    return claims / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
