"""What other tools write, written here by the rules of their formats; and two files that their own clients wrote."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.exchange.wandb_folder import HEAD
from engine.exchange.wire import double, frame_event, frame_log, packed, single, varint

MADE = Path(__file__).parents[1] / "resources" / "exchange"  # by wandb 0.31.0 and by torch 2's writer
START = 1_700_000_000.0
Points = Sequence[tuple[int, float, float]]  # step, time, value
CURVE: Points = [(0, START, 0.5), (1, START + 1, 0.75), (2, START + 2, 0.875)]


def write_mlruns(
    root: Path, runs: int = 2, *, experiment: str = "cifar", number: int = 7, more: Mapping[str, Points] | None = None
) -> Path:
    """An mlruns folder: each run has seed, lr and `val_acc`; the first one `more` besides."""
    folder = root / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.yaml").write_text(f"experiment_id: '{number}'\nlifecycle_stage: active\nname: {experiment}\n")
    for at in range(runs):
        series = {"val_acc": [(step, time, value + at / 100) for step, time, value in CURVE]}
        write_mlflow_run(folder, f"{at:032x}", f"net_{at // 2}", at % 2, {**series, **((more or {}) if not at else {})})
    return root


def write_mlflow_run(
    folder: Path, run: str, name: str, seed: int, series: Mapping[str, Points], stage: str = "active", status: int = 3
) -> Path:
    own = folder / run
    started = int(START * 1000) + int(run, 16)
    meta = {"artifact_uri": f"file:///there/{run}", "end_time": started + 60_000, "lifecycle_stage": stage,
            "run_id": run, "run_name": name, "start_time": started, "status": status}  # fmt: skip
    texts = {"meta.yaml": "".join(f"{key}: {json.dumps(value)}\n" for key, value in meta.items()),
             "params/seed": str(seed), "params/opt.lr": "0.1", "tags/mlflow.runName": name, "tags/team": "ours",
             **{f"metrics/{key}": _mlflow_lines(points) for key, points in series.items()}}  # fmt: skip
    for path, text in texts.items():
        (own / path).parent.mkdir(parents=True, exist_ok=True)
        (own / path).write_text(text)
    return own


def _mlflow_lines(points: Points) -> str:
    return "".join(f"{round(time * 1000)} {value} {step}\n" for step, time, value in points)


def write_mlflow_db(path: Path, rows: Sequence[tuple[str, float, int, int, int]] = ()) -> Path:
    """An mlflow.db with one run; `rows` are its metrics: key, value, milliseconds, step, whether it is NaN."""
    with sqlite3.connect(path) as db:
        db.executescript("""
            create table experiments (experiment_id integer, name text, lifecycle_stage text);
            create table runs (run_uuid text, name text, status text, start_time bigint, end_time bigint,
                lifecycle_stage text, artifact_uri text, experiment_id integer);
            create table metrics (key text, value float, timestamp bigint, run_uuid text, step bigint, is_nan boolean);
            create table params (key text, value text, run_uuid text);
            create table tags (key text, value text, run_uuid text);
            insert into experiments values (1, 'cifar', 'active');
            insert into runs values ('r1', 'net', 'FINISHED', 1700000000000, 1700000060000, 'active', '/there', 1),
                ('r2', 'gone', 'FINISHED', 1700000000000, 1700000060000, 'deleted', '/there', 1);
            insert into params values ('seed', '3', 'r1');
            insert into tags values ('mlflow.note.content', 'a note', 'r1'), ('team', 'ours', 'r1');
        """)
        db.executemany("insert into metrics values (?, ?, ?, 'r1', ?, ?)", [(*row[:3], *row[3:]) for row in rows])
    db.close()
    return path


def event(tag: str, value: float, step: int, time: float = START) -> bytes:
    """A scalar as a record of an event file."""
    body = packed(5, packed(1, packed(1, tag) + single(2, value)))
    return frame_event(double(1, time) + varint(2, step) + body)


def write_events(folder: Path, *records: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "events.out.tfevents.1700000000.host"
    path.write_bytes(frame_event(double(1, START) + packed(3, "brain.Event:2")) + b"".join(records))
    return path


def tensor_event(tag: str, dtype: int, content: bytes) -> bytes:
    tensor = packed(8, varint(1, dtype) + packed(4, content))
    return frame_event(double(1, START) + varint(2, 4) + packed(5, packed(1, packed(1, tag) + tensor)))


def write_wandb_run(folder: Path, run: str, rows: Sequence[Mapping[str, Any]], *, exit_code: int | None = 0) -> Path:
    """An offline run of the project `proj`; a row of history is a mapping of JSON values."""
    own = folder / f"offline-run-20231114_000000-{run}"
    own.mkdir(parents=True)
    path = own / f"run-{run}.wandb"
    config = packed(4, packed(1, packed(1, "lr") + packed(16, "0.1")))
    head = packed(1, run) + packed(3, "proj") + config + packed(8, f"trial-{run}") + packed(17, varint(1, int(START)))
    records = [packed(17, head)]
    for row in rows:
        items = (packed(1, packed(1, key) + packed(16, json.dumps(value))) for key, value in row.items())
        records.append(packed(2, b"".join(items)))
    records += [] if exit_code is None else [packed(18, varint(1, exit_code))]
    path.write_bytes(HEAD + b"".join(frame_log(iter(records), len(HEAD))))
    return path


def write_neptune(root: Path, steps: Sequence[float] = (0, 1)) -> Path:
    """One run as neptune-exporter lays it out: a float series, params, tags and a series of texts."""
    import duckdb

    folder = root / "team_proj"
    folder.mkdir(parents=True)
    kinds = ("step decimal(18,6), timestamp timestamptz, int_value bigint, float_value double, string_value varchar, "
             "bool_value boolean, datetime_value timestamptz, string_set_value varchar[]")  # fmt: skip
    none = [None] * 8
    rows: list[list[Any]] = [
        ["sys/name", "string", *none[:4], "net", *none[:3]],
        ["sys/creation_time", "datetime", *none[:6], "2023-11-14 22:13:20+00", None],
        ["sys/tags", "string_set", *none[:7], ["a", "b"]],
        ["config/lr", "float", *none[:3], 0.1, *none[:4]],
        ["config/layers", "int", *none[:2], 4, *none[:5]],
        ["logs/out", "string_series", 0, "2023-11-14 22:13:20+00", *none[:2], "line", *none[:3]],
        *(["train/loss", "float_series", step, "2023-11-14 22:13:21+00", None, 1 / (1 + step), *none[:4]]
          for step in steps),
    ]  # fmt: skip
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        named = f"project_id varchar, run_id varchar, attribute_path varchar, attribute_type varchar, {kinds}"
        db.execute(f"create table rows ({named})")
        db.executemany(f"insert into rows values ('team/proj', 'P-1', {', '.join('?' * 10)})", rows)
        db.execute(f"copy rows to '{folder / 'P-1_part_0.parquet'}' (format parquet)")
    return root


def float64(value: float) -> bytes:
    return struct.pack("<d", value)
