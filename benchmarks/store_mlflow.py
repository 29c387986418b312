"""The peer of benchmarks/store.py: does the same with MLflow on SQLite. Runs in the venv of the peers, prints JSON.

Takes a folder and what to do: `write BATCH BATCHES PROCESSES` or `search RUNS`.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEYS, PARAMS, SEARCHES = 10, 8, 5


def main() -> None:
    folder, task, *numbers = sys.argv[1:]
    print(json.dumps(TASKS[task](Path(folder), *map(int, numbers))))


def write_batches(folder: Path, batch: int, batches: int, processes: int) -> float:
    """Return metrics a second from first to last log_batch, over all processes, runs made beforehand."""
    client, experiment = _open_client(folder)
    runs = [client.create_run(experiment).info.run_id for _ in range(processes)]
    barrier = multiprocessing.Barrier(processes + 1)
    jobs = [multiprocessing.Process(target=_write, args=(folder, run, batch, batches, barrier)) for run in runs]
    for job in jobs:
        job.start()
    barrier.wait()
    started = time.perf_counter()
    for job in jobs:
        job.join()
    return batch * batches * processes / (time.perf_counter() - started)


def _write(folder: Path, run: str, batch: int, batches: int, barrier: Any) -> None:
    from mlflow.entities import Metric

    client, _ = _open_client(folder)
    barrier.wait()
    for number in range(batches):
        now = int(time.time() * 1000)
        client.log_batch(
            run, metrics=[Metric(f"key{at % KEYS}", at * 0.1, now, number * batch + at) for at in range(batch)]
        )


def search_runs(folder: Path, runs: int) -> float:
    """Return the seconds (median) that the first 100 of `runs` runs by a metric take, after ANALYZE."""
    client, experiment = _open_client(folder)
    _fill_runs(folder, experiment, runs)
    times = []
    for _ in range(SEARCHES):
        started = time.perf_counter()
        found = client.search_runs([experiment], order_by=["metrics.key0 DESC"], max_results=100)
        times.append(time.perf_counter() - started)
        assert len(found) == 100
    return statistics.median(times)


def _fill_runs(folder: Path, experiment: str, runs: int) -> None:
    """Write runs with their last metrics and parameters into MLflow's own tables: through its API it takes an hour."""
    db = sqlite3.connect(folder / "mlflow.db")
    names = [uuid.uuid4().hex for _ in range(runs)]
    kept = (
        "run_uuid",
        "name",
        "source_type",
        "status",
        "user_id",
        "start_time",
        "lifecycle_stage",
        "artifact_uri",
        "experiment_id",
    )
    marks = ", ".join("?" * len(kept))
    rows = [(run, run[:8], "LOCAL", "FINISHED", "bench", 1, "active", "file:///tmp", int(experiment)) for run in names]
    db.executemany(f"insert into runs ({', '.join(kept)}) values ({marks})", rows)
    for table in ("metrics", "latest_metrics"):
        values = [
            (f"key{key}", ((at * 7919 + key) % 100_003) / 1e5, 1, 1, 0, run)
            for at, run in enumerate(names)
            for key in range(KEYS)
        ]
        db.executemany(
            f"insert into {table} (key, value, timestamp, step, is_nan, run_uuid) values (?, ?, ?, ?, ?, ?)", values
        )
    params = [(f"param{key}", str(at % (key + 2)), run) for at, run in enumerate(names) for key in range(PARAMS)]
    db.executemany("insert into params (key, value, run_uuid) values (?, ?, ?)", params)
    db.execute("analyze")
    db.commit()
    db.close()


def _open_client(folder: Path) -> tuple[Any, str]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    found = client.get_experiment_by_name("bench")
    return client, found.experiment_id if found else client.create_experiment(
        "bench", artifact_location=str(folder / "artifacts")
    )


TASKS: dict[str, Callable[..., float]] = {"write": write_batches, "search": search_runs}

if __name__ == "__main__":
    main()
