"""What the result store promises, against MLflow on SQLite in the same run on the same disk.

  durable writes   metrics a second until all can be queried: a journal with fsync per batch, then collect
  top 100          seconds for the first 100 of 10,000 runs by a metric, with all their metrics and settings
  paper table      how much longer the table takes over ten times the metric rows (promised: at most 12 times)
  readers          queries from 3 processes beside 4 that log at full speed: none may fail, and their median
                   against the same load in another home

MLflow comes from the venv of the peers (make peers, or XP_PEERS=its python); without it its columns are empty.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import ROOT, Row
from engine.collect import collect
from engine.home.files import write_json
from engine.home.paths import Home, open_home
from store.journal import JournalWriter
from store.results import Ingest, open_snapshot, run_query

KEYS, MOST_GROWTH = 10, 12.0
NAMES = ("test_top1", *(f"key{number}" for number in range(1, KEYS)))
TOP_100 = """
with best as (select run, state, test_top1 from results order by test_top1 desc limit 100)
select b.run, any_value(b.state), any_value(q.settings), list(m.name) as names, list(m.last) as lasts
from best b join raw.runs q using (run) join raw.run_jobs l on l.run = b.run join metrics_last m using (job)
group by b.run order by any_value(b.test_top1) desc
"""
PAPER_TABLE = """
select r.arm, avg(f.value), stddev_samp(f.value), count(*) from (
    select job, arg_max(value, step) as value from metrics where name = 'test_top1' group by job
) f join run_jobs l using (job) join raw.runs r using (run) group by r.arm order by r.arm
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer batches and rows: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xp-bench-") as text:
        rows = _run_all(Path(text), chosen.quick)
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:8.2f} x"
        print(f"{row.case:<34} {row.figure:<28} {row.ours:12.4g} {row.peer or 0:12.4g} {row.unit:<10} {ratio}")


def _run_all(folder: Path, quick: bool) -> list[Row]:
    rows = [
        _durable_writes(folder, batch, batches, processes, 1 if quick else 5)
        for batch, batches, processes in ((10, 1000, 1), (1000, 200, 1), (10, 500, 4), (1000, 100, 4))
    ]
    rows.append(_top_hundred(folder, 10_000))
    rows.append(_paper_table(folder, 1_000_000 if quick else 10_000_000))
    rows.append(_readers(folder, 8.0 if quick else 30.0))
    return rows


def _ask_peer(folder: Path, *task: object) -> float | None:
    """Return what MLflow takes for the same, or None where it is not installed."""
    python = os.environ.get("XP_PEERS") or ROOT / ".venv-peers" / "bin" / "python"
    if not Path(python).exists():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(python), str(ROOT / "benchmarks" / "store_mlflow.py"), str(folder), *map(str, task)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the peer failed:\n{done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def _durable_writes(folder: Path, batch: int, batches: int, processes: int, rounds: int) -> Row:
    """Alternate the two sides and take the median round of each."""
    name = f"durable writes, batch {batch}, {processes} process{'es' * (processes > 1)}"
    ours, peers = [], []
    for at in range(rounds):
        place = folder / f"write-{batch}-{processes}-{at}"
        ours.append(_time_writes(place / "xp", batch, batches, processes))
        peers.append(_ask_peer(place / "mlflow", "write", batch, max(2, batches // 20), processes))
    found = [rate for rate in peers if rate is not None]
    rate, peer = statistics.median(ours), statistics.median(found) if found else None
    return Row(name, "metrics queryable", rate, peer, None if peer is None else rate / peer, "metrics/s", rounds)


def _time_writes(place: Path, batch: int, batches: int, processes: int) -> float:
    home = _empty_home(place)
    jobs = [_new_job(home, f"train-{number}") for number in range(processes)]
    barrier = multiprocessing.Barrier(processes + 1)
    writers = [multiprocessing.Process(target=_write, args=(path, batch, batches, barrier)) for path in jobs]
    for writer in writers:
        writer.start()
    barrier.wait()
    started = time.perf_counter()
    for writer in writers:
        writer.join()
    collect(home)
    rate = batch * batches * processes / (time.perf_counter() - started)
    count = run_query(home, "select count(*) from metrics").rows[0][0]
    assert count == batch * batches * processes, f"{count} metrics arrived of {batch * batches * processes}"
    return rate


def _write(path: Path, batch: int, batches: int, barrier: Barrier) -> None:
    with JournalWriter(path) as journal:
        barrier.wait()
        for number in range(batches):
            for start in range(0, batch, KEYS):
                values = [(name, at * 0.1) for at, name in enumerate(NAMES, start)]
                journal.metrics(values, step=number * batch + start, epoch=0)
            journal.sync()


def _empty_home(root: Path) -> Home:
    home = open_home(root, create=True)
    collect(home)
    return home


def _new_job(home: Home, job: str) -> Path:
    home.job(job).attempt(1).root.mkdir(parents=True)
    write_json(home.job(job).spec, {"version": 1, "kind": "train", "needs": {}, "settings": {}})
    return home.job(job).attempt(1).journal


def _top_hundred(folder: Path, runs: int) -> Row:
    home = _filled_home(folder / "search", runs, 0)
    times = []
    with open_snapshot(home) as db:  # both sides have their database open before the clock starts
        for _ in range(7):
            started = time.perf_counter()
            assert len(db.execute(TOP_100).fetchall()) == 100
            times.append(time.perf_counter() - started)
    ours, peer = statistics.median(times), _ask_peer(folder / "mlflow-search", "search", runs)
    ratio = None if peer is None else peer / ours
    return Row(f"top 100 of {runs:,} runs", "search by a metric", ours, peer, ratio, "s", len(times))


def _seconds(home: Home, sql: str, rows: int) -> float:
    started = time.perf_counter()
    found = run_query(home, sql)
    taken = time.perf_counter() - started
    assert len(found.rows) == rows, f"{len(found.rows)} rows, not {rows}"
    return taken


def _filled_home(root: Path, runs: int, steps: int) -> Home:
    """Return a home of `runs` runs with 10 metrics of `steps` values each, put there as an ingest leaves them."""
    home = _empty_home(root)
    jobs = [f"train-{number:06d}" for number in range(runs)]
    with Ingest(home.ingest_db) as ingest, ingest.transaction():
        ingest.replace("jobs", "job", [], [{"job": job, "kind": "train", "state": "done"} for job in jobs])
        ingest.replace("raw.runs", "run", [], [_run_row(at) for at in range(runs)])
        links = [{"experiment": "e", "run": f"run-{at}", "job": job, "role": "student"} for at, job in enumerate(jobs)]
        ingest.replace("raw.run_jobs", "run", [], links)
        chains = [{"job": job, "attempt": 1, "upto": 1 << 62} for job in jobs]
        ingest.replace("raw.chains", "job", [], chains)
        last = [
            {"job": job, "name": NAMES[key], "last": ((at * 7919 + key) % 100_003) / 1e5, "n": steps}
            for at, job in enumerate(jobs)
            for key in range(KEYS)
        ]
        ingest.replace("metrics_last", "job", [], last)
    if steps:
        _fill_metrics(home, runs, steps)
    with Ingest(home.ingest_db) as ingest:
        ingest.publish(home.results_db)
    return home


def _fill_metrics(home: Home, runs: int, steps: int) -> None:
    with duckdb.connect(str(home.ingest_db)) as db:
        db.execute(
            "insert into raw.metrics select format('train-{:06d}', j.range), 1, s.range * $keys + k.range + 1, "
            "$names[k.range + 1], s.range, (s.range // 100)::integer, random(), make_timestamp(s.range * 1000000) "
            "from range($runs) j, range($steps) s, range($keys) k",
            {"runs": runs, "keys": KEYS, "steps": steps, "names": list(NAMES)},
        )


def _run_row(at: int) -> dict[str, Any]:
    settings = {f"param{key}": str(at % (key + 2)) for key in range(8)}
    return {
        "run": f"run-{at}",
        "experiment": "e",
        "arm": f"arm{at % 20}",
        "cell": "default",
        "seed": at,
        "split": "60/20/20",
        "settings": settings,
    }


def _paper_table(folder: Path, rows: int) -> Row:
    """Ten times the rows are ten times the runs of the same length: 1,000 steps of 10 metrics each."""
    times = []
    for size in (rows, 10 * rows):
        home = _filled_home(folder / f"table-{size}", size // (1000 * KEYS), 1000)
        times.append(statistics.median([_seconds(home, PAPER_TABLE, 20) for _ in range(5)]))
        for path in (home.ingest_db, home.results_db):
            path.unlink()
    growth = times[1] / times[0]
    figure = f"{10 * rows:,} rows over {rows:,}"
    return Row("paper table over metric rows", figure, growth, MOST_GROWTH, MOST_GROWTH / growth, "times", 5)


def _readers(folder: Path, seconds: float) -> Row:
    """The same load beside the readers twice: first in another home, then in the one that they read."""
    home, other = (_filled_home(folder / name, 1000, 0) for name in ("readers", "elsewhere"))
    times = [_read_beside(home, busy, seconds) for busy in (other, home)]
    elsewhere, here = (statistics.median(found) for found in times)
    figure = f"median; slowest {max(times[1]):.2f} s"
    return Row("3 readers beside 4 writers", figure, here, elsewhere, elsewhere / here, "s", len(times[1]))


def _read_beside(home: Home, busy: Home, seconds: float) -> list[float]:
    stop = multiprocessing.Event()
    writers = [
        multiprocessing.Process(target=_write_on, args=(_new_job(busy, f"train-live-{at}"), stop)) for at in range(4)
    ]
    keeper = multiprocessing.Process(target=_collect_on, args=(busy, stop))
    for process in (*writers, keeper):
        process.start()
    times = _many_readers(home, "select arm, count(*) from runs group by arm", seconds)
    stop.set()
    for process in (*writers, keeper):
        process.join()
    return times


def _many_readers(home: Home, query: str, seconds: float) -> list[float]:
    with multiprocessing.Pool(3) as pool:
        return [taken for times in pool.starmap(_read_on, [(home, query, seconds)] * 3) for taken in times]


def _read_on(home: Home, query: str, seconds: float) -> list[float]:
    """Return the seconds of each query; one that fails stops the benchmark."""
    until, times = time.monotonic() + seconds, []
    while time.monotonic() < until:
        times.append(_seconds(home, query, 20))
    return times


def _write_on(path: Path, stop: Event) -> None:
    with JournalWriter(path) as journal:
        while not stop.is_set():
            journal.metric("key0", 1.0, step=journal.seq, epoch=0)


def _collect_on(home: Home, stop: Event) -> None:
    while not stop.is_set():
        collect(home)
        time.sleep(1.0)


if __name__ == "__main__":
    main()
