"""What the dashboard promises, on a home of 10,000 runs with 100 million metric rows (--quick: 1,000 runs).

  pages      seconds until a page is there: the first one 0.5, any 1, asked for the first time and again; and until
             what comes into a page when it is worked out is there, as the statistics of 500 runs
  new point  seconds from a line in the journal until a browser has it, at worst 1, while 4 jobs log at full speed
  writers    what their rate keeps beside a server that is watched, in turn with it stopped: at least 98 %
  runs table the first table of 1,000 runs and all its rows, against MLflow's server and Aim on as many runs
  memory     (--long) of the server over ten minutes of watching, while jobs log ten times as much as trainings do

MLflow and Aim come from the venv of the peers (make peers, or XP_PEERS=its python); without one its columns are empty.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from benchmarks import ROOT, Row
from benchmarks.serve_live import SLOW, browser, fetch, measure_beside, writers
from engine.serve.readings import SOON
from tests.helpers.large_home import LargeHome, make_large_home

FIRST_PAGE, ANY_PAGE, NEW_POINT, KEPT_RATE, AS_FAST = 0.5, 1.0, 1.0, 0.98, 5.0  # what is promised
WATCHED, PAIRS, RESAMPLED = "4 jobs at full speed", 12, 2000  # pairs of a round
LONG, GROWTH, TRAINING = 600.0, 1.10, 100.0  # seconds; memory at the end over that after a minute; lines a second
PEERS: dict[str, tuple[str, ...]] = {
    "mlflow": ("-m", "mlflow", "server", "--backend-store-uri", "sqlite:///{folder}/mlflow.db", "--host", "127.0.0.1",
               "--port", "{port}", "--workers", "1"),
    "aim": ("-c", "from aim.cli.cli import cli_entry_point; cli_entry_point()", "up", "--repo", "{folder}", "--host",
            "127.0.0.1", "--port", "{port}"),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 runs with 2 million values: under two minutes")
    parser.add_argument("--long", action="store_true", help="memory over ten minutes too")
    parser.add_argument("--home", type=Path, help="where the large home is, or is to be made and left (minutes, 2 GB)")
    parser.add_argument("--parts", default="pages,watching,tables", help="what to measure; memory is a part too")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    parts = {*chosen.parts.split(","), *(["memory"] if chosen.long else [])}
    with tempfile.TemporaryDirectory(prefix="xp-bench-") as text:
        rows = _run_parts(Path(text), chosen.home or Path(text) / "home", parts, chosen.quick)
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:8.2f} x"
        print(f"{row.case:<34} {row.figure:<40} {row.ours:12.4g} {row.peer or 0:12.4g} {row.unit:<10} {ratio}")


def _run_parts(folder: Path, home: Path, parts: set[str], quick: bool) -> list[Row]:
    runs, steps = (1000, 200) if quick else (10_000, 1000)
    made = make_large_home(home, runs, steps)
    rows = _pages(made) if "pages" in parts else []
    rows += _watching(made, 2 if quick else 5, 3.0 if quick else 10.0) if "watching" in parts else []
    rows += _runs_tables(folder, 1 if quick else 3) if "tables" in parts else []
    return rows + (_memory(made) if "memory" in parts else [])


# -- servers ------------------------------------------------------------------------------------------------------


@contextmanager
def _server(command: Sequence[str], ready: str, port: int) -> Iterator[int]:
    """Start a server, wait until it answers a question that asks nothing of its store, and give its process id."""
    with tempfile.TemporaryFile() as said:
        # Without what MLflow would start beside its pages, and which would only take time from them.
        about = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=ROOT, env=about, start_new_session=True)
        try:
            _await_answer(process, port, ready)
            yield process.pid
        finally:
            # With all its workers.
            os.killpg(process.pid, 15)
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], port: int, ready: str) -> None:
    until = time.monotonic() + 2 * SLOW
    while process.poll() is None and time.monotonic() < until:
        try:
            fetch(port, ready)
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"a server did not start: {process.args!r}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def _serve(made: LargeHome) -> Iterator[tuple[int, int]]:
    """Serve a home with `xp serve`; gives port and process id."""
    port = _free_port()
    command = [sys.executable, "-m", "engine.cli", "serve", "--port", str(port), "--home", str(made.home.root)]
    with _server(command, "/static/serve.css", port) as process:
        yield port, process


def _seconds(port: int, address: str) -> float:
    started = time.perf_counter()
    fetch(port, address)
    return time.perf_counter() - started


# -- pages --------------------------------------------------------------------------------------------------------


def _pages(made: LargeHome) -> list[Row]:
    """Each page once on a server that just started, and then four times more."""
    one, name = made.runs[0], made.runs[0].experiment
    pages = {
        "runs": "/runs", "runs of an experiment, sorted": f"/runs?experiment={name}&sort=-test_top1",
        "experiment": f"/e/{name}", "run": f"/run/{one.run}", "compare": f"/compare?a={name}/original&a={name}/sparse",
        "queue": "/queue", "teachers": "/teachers", "sql": "/sql", "reports": "/reports",
        "curves of a run": f"/points?job={one.jobs['student']}",
        "curves of 20 runs": "/points?name=val_loss" + "".join(f"&job={run.jobs['student']}" for run in made.runs[:20]),
    }  # fmt: skip
    parts = {
        "results of an experiment": f"/e/{name}?part=results", "what it lacks": f"/e/{name}?part=lacks",
        "results of another one": f"/e/{made.runs[-1].experiment}?part=results",
        "statistics of a comparison": f"/compare?a={name}/original&a={name}/sparse&part=statistics",
    }  # fmt: skip
    case = f"pages of {len(made.runs):,} runs"
    rows = []
    with _serve(made) as (port, _):
        rows.append(_page_row(case, "first page", _seconds(port, "/"), FIRST_PAGE, 1))
        again = statistics.median(_seconds(port, "/") for _ in range(5))
        rows.append(_page_row(case, "first page, again", again, FIRST_PAGE, 5))
        for page, address in pages.items():
            rows.append(_page_row(case, page, _seconds(port, address), ANY_PAGE, 1))
            again = statistics.median(_seconds(port, address) for _ in range(5))
            rows.append(_page_row(case, f"{page}, again", again, ANY_PAGE, 5))
        rows += [_page_row(case, part, _seconds_until(port, address), ANY_PAGE, 1) for part, address in parts.items()]
    return rows


def _seconds_until(port: int, address: str) -> float:
    """Return the seconds until the part of a page that comes after it is there, asked for again as a browser does."""
    started = time.perf_counter()
    while b"aria-busy" in (text := fetch(port, address)) or b"being worked out" in text:
        time.sleep(SOON)
    return time.perf_counter() - started


def _page_row(case: str, figure: str, seconds: float, promised: float, n: int) -> Row:
    return Row(case, figure, seconds, promised, promised / seconds, "s", n)


# -- live ---------------------------------------------------------------------------------------------------------


def _watching(made: LargeHome, rounds: int, seconds: float) -> list[Row]:
    """Rounds of new journals: how old points are when they are seen, then the writers' rate with and without that."""
    journals = [made.home.job(job).attempt(1).journal for job in made.running]
    pairs: list[tuple[float, float]] = []
    oldest: list[float] = []
    spent: list[float] = []
    for _ in range(rounds):
        for path in journals:
            path.unlink(missing_ok=True)
        with _serve(made) as (port, server), writers(journals) as counts:
            with browser(port, made.running[0]) as seen:
                before = _processor_seconds(server)
                time.sleep(seconds)
                spent.append((_processor_seconds(server) - before) / seconds / (os.cpu_count() or 1))
            oldest += seen.oldest
            with browser(port, made.running[0]) as seen:
                pairs += measure_beside(counts, seconds / 5, PAIRS, server=server, seen=seen)
    assert oldest, "the browser saw no points"
    worst, middle, n = max(oldest), statistics.median(oldest), len(oldest)
    return [
        Row(WATCHED, "new point on the screen, worst", worst, NEW_POINT, NEW_POINT / worst, "s", n),
        Row(WATCHED, "new point on the screen, median", middle, NEW_POINT, NEW_POINT / middle, "s", n),
        *_rate_rows(pairs),
        _used_row(statistics.median(spent), rounds),
    ]


def _rate_rows(pairs: Sequence[tuple[float, float]]) -> list[Row]:
    """The rates, and the median of what is kept in a pair with its 95 % interval by resampling pairs."""
    beside, without = (statistics.median(pair[at] for pair in pairs) for at in (0, 1))
    kept = [watched / alone for watched, alone in pairs]
    draw, share = random.Random(0), statistics.median(kept)
    medians = sorted(statistics.median(draw.choices(kept, k=len(kept))) for _ in range(RESAMPLED))
    low, high = medians[RESAMPLED // 40], medians[-RESAMPLED // 40]
    figure = f"what they keep of it [{low:.3f}, {high:.3f}]"
    return [
        Row(WATCHED, "their rate, watched over unwatched", beside, without, beside / without, "lines/s", len(pairs)),
        Row(WATCHED, figure, share, KEPT_RATE, share / KEPT_RATE, "share", len(pairs)),
    ]


def _used_row(used: float, rounds: int) -> Row:
    """What the server takes from the writers if all processors are theirs: it is the steadier figure of the two."""
    return Row(WATCHED, "processor time of the server", used, 1 - KEPT_RATE, (1 - KEPT_RATE) / used, "share", rounds)


def _processor_seconds(server: int) -> float:
    """Return what the processes of a server's group have used so far."""
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # one that has just ended
            words = stat.read_text().rpartition(")")[2].split()
            used += int(words[11]) + int(words[12]) if int(words[2]) == server else 0
    return used / os.sysconf("SC_CLK_TCK")


def _memory(made: LargeHome) -> list[Row]:
    """The server's memory after a minute and at the end, with a browser, while jobs log ten times what trainings do."""
    journals = [made.home.job(job).attempt(1).journal for job in made.running]
    for path in journals:
        path.unlink(missing_ok=True)
    with _serve(made) as (port, process), writers(journals, 10 * TRAINING), browser(port, made.running[0]):
        time.sleep(LONG / 10)
        early = _resident(process)
        time.sleep(LONG - LONG / 10)
        late = _resident(process)
    grown = late / early
    return [Row("memory of the server", "after 10 minutes over 1 minute", grown, GROWTH, GROWTH / grown, "times", 1)]


def _resident(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


# -- against the peers ---------------------------------------------------------------------------------------------


def _runs_tables(folder: Path, rounds: int) -> list[Row]:
    """The first table that a server shows after its start, and the seconds until all rows are there."""
    runs = 1000
    made = make_large_home(folder / "thousand", runs, 1, running=0)
    ours = [_time_ours(made, runs) for _ in range(rounds)]
    rows = []
    for name, time_peer in (("mlflow", _time_mlflow), ("aim", _time_aim)):
        found = _time_peer(folder / name, name, runs, rounds, time_peer)
        for at, figure in enumerate(("first 50 rows", f"all {runs:,} rows")):
            mine = statistics.median(one[at] for one in ours)
            peer = None if found is None else statistics.median(one[at] for one in found)
            ratio = None if peer is None else peer / mine
            rows.append(
                Row(f"runs table against {name}", f"{figure} (promised: {AS_FAST:g} x)", mine, peer, ratio, "s", rounds)
            )
    return rows


def _time_ours(made: LargeHome, runs: int) -> tuple[float, float]:
    with _serve(made) as (port, _):
        first = _seconds(port, "/runs")
        return first, first + _seconds(port, f"/runs?rows={runs}")


def _time_peer(
    folder: Path, name: str, runs: int, rounds: int, measure: Callable[[int, int], tuple[float, float]]
) -> list[tuple[float, float]] | None:
    """Return what a peer takes, or None where it is not installed."""
    python = os.environ.get("XP_PEERS") or str(ROOT / ".venv-peers" / "bin" / "python")
    if not Path(python).exists() or subprocess.run([python, "-c", f"import {name}"], capture_output=True).returncode:
        return None
    fill = [python, str(ROOT / "benchmarks" / "serve_peers.py"), name, str(folder), str(runs)]
    subprocess.run(fill, check=True, capture_output=True)
    found = []
    for _ in range(rounds):
        port = _free_port()
        command = [python, *(part.format(folder=folder, port=port) for part in PEERS[name])]
        with _server(command, READY[name], port):
            found.append(measure(port, runs))
    shutil.rmtree(folder)
    return found


def _time_mlflow(port: int, runs: int) -> tuple[float, float]:
    """What its page asks for: the runs with all metrics, parameters and tags."""
    times = []
    for most in (50, runs):
        asked = json.dumps({"experiment_ids": ["1"], "max_results": most}).encode()
        started = time.perf_counter()
        answer = fetch(port, "/ajax-api/2.0/mlflow/runs/search", asked, "application/json")
        times.append(time.perf_counter() - started)
        assert len(json.loads(answer)["runs"]) == most
    return times[0], times[1]


def _time_aim(port: int, runs: int) -> tuple[float, float]:
    """What its page asks for; the answer is a stream in an encoding of its own, read to its end."""
    first, whole = (_seconds(port, f"/api/runs/search/run/?q=&limit={most}") for most in (50, runs))
    return first, whole


READY = {"mlflow": "/health", "aim": "/api/projects/"}

if __name__ == "__main__":
    main()
