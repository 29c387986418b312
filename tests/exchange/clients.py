"""What the tools' own clients write and read, by a Python that has them: `python clients.py WHAT PATH`; JSON out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

STEPS, T = 500, 1_700_000_000_000


def value_of(run: int, step: int) -> float:
    """The value of a metric, exactly as whoever checks it makes it."""
    return (run * 31 + step * 7) % 1000 / 7


def make_mlflow(uri: str, runs: int) -> None:
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    number = client.create_experiment("cifar")
    for at in range(runs):
        run = client.create_run(number, run_name=f"net_{at // 2}", start_time=T + at).info.run_id
        points = [Metric("train/loss", value_of(at, step), T + step, step) for step in range(STEPS)]
        points += [Metric("odd", float("nan"), T, 0), Metric("odd", float("inf"), T, 1), Metric("odd", 1.0, T, 1)]
        params, tags = [Param("seed", str(at % 2)), Param("opt.lr", "0.1")], [RunTag("team", "ours")]
        client.log_batch(run, points, params, tags)
        client.set_terminated(run, "FINISHED", T + 60_000)


def read_mlflow(uri: str) -> Any:
    """Return experiment -> run name -> params, tags, last values, and every value of every metric."""
    from mlflow.tracking import MlflowClient

    client, told = MlflowClient(uri), {}
    for experiment in client.search_experiments():
        runs = client.search_runs([experiment.experiment_id])
        told[experiment.name] = {run.info.run_name: _mlflow_run(client, run) for run in runs}
    return told


def _mlflow_run(client: Any, run: Any) -> dict[str, Any]:
    history = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    points = {name: [[one.step, one.timestamp, str(one.value)] for one in rows] for name, rows in history.items()}
    return {"params": run.data.params, "tags": run.data.tags, "points": points, "status": run.info.status}


def make_wandb(folder: str) -> None:
    import wandb

    for at in range(2):
        config = {"lr": 0.1, "seed": at, "model": {"name": "vit"}}
        run = wandb.init(mode="offline", project="proj", name=f"trial-{at}", group="g", dir=folder, config=config)
        for step in range(STEPS):
            run.log({"val_acc": value_of(at, step), "train": {"loss": value_of(at, step) / 3}}, step=step)
        run.summary["best"] = 0.5 + at
        run.finish()


def read_wandb(folder: str) -> Any:
    """Return run name -> config and rows of history, by W&B's own messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    sys.path.insert(0, str(Path(__file__).parents[2]))
    from engine.exchange.wire import read_log

    told = {}
    for file in sorted(Path(folder).glob("offline-run-*/*.wandb")):
        records = [Record.FromString(data) for data in read_log(file.read_bytes(), 7)]
        (run,) = (one.run for one in records if one.WhichOneof("record_type") == "run")
        rows = [{item.key: item.value_json for item in one.history.item} for one in records if one.HasField("history")]
        summary = {item.key: item.value_json for one in records for item in one.summary.update}
        kinds = [one.WhichOneof("record_type") for one in records]
        config = {item.key: item.value_json for item in run.config.update}
        told[run.display_name] = {"config": config, "rows": rows, "kinds": kinds, "summary": summary}
    return told


def make_tensorboard(folder: str) -> None:
    from tensorboard.summary import Writer

    for at in range(2):
        writer = Writer(f"{folder}/run_{at}")
        for step in range(STEPS):
            writer.add_scalar("loss", value_of(at, step), step, wall_time=T / 1000 + step)
        writer.close()


def read_tensorboard(folder: str) -> Any:
    """Return folder -> tag -> step, time and value of each scalar, and the names of hyperparameters."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    told = {}
    for own in sorted({file.parent for file in Path(folder).rglob("*tfevents*")}):
        reader = EventAccumulator(str(own), size_guidance={"scalars": 0})
        reader.Reload()
        metadata = reader.summary_metadata["_hparams_/session_start_info"]
        params = HParamsPluginData.FromString(metadata.plugin_data.content).session_start_info.hparams
        tags = reader.Tags()["scalars"]
        points = {tag: [[one.step, one.wall_time, str(one.value)] for one in reader.Scalars(tag)] for tag in tags}
        told[own.relative_to(folder).as_posix()] = {"points": points, "params": sorted(params)}
    return told


DOES: Mapping[str, Callable[..., Any]] = {
    "make_mlflow": make_mlflow, "read_mlflow": read_mlflow, "make_wandb": make_wandb, "read_wandb": read_wandb,
    "make_tensorboard": make_tensorboard, "read_tensorboard": read_tensorboard,
}  # fmt: skip

if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    what, path, *more = sys.argv[1:]
    print(json.dumps(DOES[what](path, *map(int, more))))
