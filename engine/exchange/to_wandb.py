"""To W&B: takes runs, writes a folder of offline runs that `wandb sync` sends. Needs no W&B.

Fields by number as in wandb_folder.py. A row of W&B's history is a step with all its metrics, so that values of one
step get one time, the last of theirs; a step that a metric has twice becomes two rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.exchange.foreign import OURS, marked_tags
from engine.exchange.leaving import RESULTS, LeavingRun
from engine.exchange.wandb_folder import HEAD, STEP, TIME
from engine.exchange.wire import frame_log, packed, varint

PRODUCER, MIN_CONSUMER = "0.19.0", "0.10.0"  # versions of W&B's client: whose records these are, who may read them
RUNTIME = "_runtime"
Row = dict[str, Any]


def write_wandb(runs: Iterable[LeavingRun], name: str, beside: Path, final: Path) -> list[Path]:
    """Write a folder for each run below `beside`, to be renamed to lie below `final`; return them."""
    folders = []
    for run in runs:
        identity = hashlib.sha256(f"{name}/{run.run}".encode()).hexdigest()[:8]
        began = time.strftime("%Y%m%d_%H%M%S", time.gmtime(run.started))
        folder = beside / f"offline-run-{began}-{identity}"
        (folder / "files").mkdir(parents=True)
        with open(folder / f"run-{identity}.wandb", "wb") as out:
            out.write(HEAD)
            out.writelines(frame_log(_records(run, identity), len(HEAD)))
        folders.append(folder)
    return folders


def _records(run: LeavingRun, identity: str) -> Iterator[bytes]:
    bodies = _bodies(run, identity)
    yield from (varint(1, number) + body for number, body in enumerate(bodies, 1))


def _bodies(run: LeavingRun, identity: str) -> Iterator[bytes]:
    yield packed(21, packed(1, packed(1, PRODUCER) + packed(2, MIN_CONSUMER)))
    yield packed(17, _run_body(run, identity))
    # What `results` says is of the run, and of no step of it.
    last: Row = {name: one.values[-1] for name, one in run.series.items() if name.startswith(f"{RESULTS}/")}
    for row in _rows(run):
        step = row[STEP]
        yield packed(
            2, b"".join(packed(1, _item((key,), value)) for key, value in row.items()) + packed(2, varint(1, step))
        )
        last.update(row)
    yield packed(3, b"".join(packed(1, _item((key,), value)) for key, value in last.items()))
    runtime = int((run.ended or run.started) - run.started)
    yield packed(18, varint(1, 0 if run.state == "done" else 1) + varint(2, max(runtime, 0)))


def _run_body(run: LeavingRun, identity: str) -> bytes:
    whole, rest = divmod(run.started, 1)
    told = {key.removeprefix(OURS): value for key, value in marked_tags(run.tags).items()}
    config = {**_nested(run.params), OURS.rstrip("."): told}
    items = b"".join(packed(1, _item((key,), value)) for key, value in config.items())
    tags = b"".join(packed(10, text) for text in (run.experiment, run.arm, f"seed {run.seed}"))
    return (
        packed(1, identity) + packed(3, run.experiment) + packed(4, items) + packed(6, run.arm) + packed(8, run.name)
        + tags + packed(17, varint(1, int(whole)) + varint(2, int(rest * 1e9)))
    )  # fmt: skip


def _nested(flat: Mapping[str, Any]) -> Row:
    """Return dotted paths as W&B's config has them: nested, but where a path is another's beginning."""
    tree: Row = {}
    for path, value in flat.items():
        place, parts = tree, path.split(".")
        is_free = not any(
            other != path and (other.startswith(f"{path}.") or path.startswith(f"{other}.")) for other in flat
        )
        for part in parts[:-1] if is_free else ():
            place = place.setdefault(part, {})
        place[parts[-1] if is_free else path] = value
    return tree


def _rows(run: LeavingRun) -> Iterator[Row]:
    """Yield the history: rows by step, each metric at most once in each."""
    rows: dict[int, list[Row]] = {}
    for name, series in run.series.items():
        if name.startswith(f"{RESULTS}/"):
            continue
        for step, at, value in zip(series.steps, series.times, series.values, strict=True):
            own = rows.setdefault(step, [])
            row = next((one for one in own if name not in one), None)
            if row is None:
                row = {STEP: step}
                own.append(row)
            row[name] = value
            row[TIME] = max(row.get(TIME, 0.0), run.started if at is None else at)
    for step in sorted(rows):
        for row in rows[step]:
            yield {**row, RUNTIME: row[TIME] - run.started}


def _item(path: tuple[str, ...], value: Any) -> bytes:
    key = packed(1, path[0]) if len(path) == 1 else b"".join(packed(2, part) for part in path)
    return key + packed(16, json.dumps(value))
