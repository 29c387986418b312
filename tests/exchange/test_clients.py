"""The clients of MLflow, W&B and TensorBoard on the other side: what they write comes in, what goes out they show.

They live in the peers' venv (`make peers`, or XP_PEERS names its Python); without one these tests are left out.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from engine.collect import collect
from engine.exchange.exporting import export_runs
from engine.exchange.importing import Wish, import_runs
from engine.home.paths import Home, open_home
from store.results import run_query
from tests.exchange.clients import STEPS, T, value_of
from tests.helpers.synthetic import ARMS, SyntheticHome

PEERS = Path(os.environ.get("XP_PEERS") or Path(__file__).parents[2] / ".venv-peers" / "bin" / "python")
SCRIPT = Path(__file__).with_name("clients.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not PEERS.exists(), reason="the peers' venv is not here: make peers"),
]
RUNS = 200
FIRST = "original/data.split=60/20/20@0"


def client(what: str, path: object, *more: object) -> Any:
    words = [str(PEERS), str(SCRIPT), what, str(path), *map(str, more)]
    made = subprocess.run(words, capture_output=True, text=True, check=False, cwd=SCRIPT.parent)
    assert made.returncode == 0, made.stderr[-2000:]
    return json.loads(made.stdout.splitlines()[-1])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("paper"))
    made.experiment("paper", ARMS, seeds=(0, 1))
    collect(made.home)
    return made.home


def values(home: Home, name: str, metric: str) -> dict[tuple[str, int], list[tuple[int, float]]]:
    """Arm and seed -> step and value, in their order."""
    query = (
        f"select arm, seed, list((step, value) order by step) from metrics m join run_jobs using (job) "
        f"join runs r using (run) where experiment = '{name}' and m.name = '{metric}' group by all"
    )
    rows = run_query(home, query).rows
    return {(arm, seed): [tuple(point.values()) if isinstance(point, dict) else point for point in points]
            for arm, seed, points in rows}  # fmt: skip


@pytest.mark.parametrize(("kind", "runs"), [("mlruns", RUNS), ("mlflow.db", 10)])
def test_every_value_that_mlflow_wrote_comes_in(home: Home, tmp_path: Path, kind: str, runs: int) -> None:
    path = tmp_path / kind
    client("make_mlflow", f"sqlite:///{path}" if kind == "mlflow.db" else path.as_uri(), runs)
    began = time.monotonic()
    (done,) = import_runs(home, "mlflow", path, Wish())
    collect(home)
    assert time.monotonic() - began < 120, "seconds, on a machine that does much else"
    assert (done.new, done.values) == (runs, runs * (STEPS + 3))
    found = values(home, "cifar", "train/loss")
    assert len(found) == runs
    for at in range(runs):
        assert found[f"net_{at // 2}", at % 2] == [(step, value_of(at, step)) for step in range(STEPS)]
    odd = run_query(home, "select distinct n, not_finite, last from metrics_last where name = 'odd'").rows
    assert odd[0][:2] == (3, 2)
    times = run_query(home, "select max(epoch(\"at\")) from metrics where name = 'train/loss'").rows
    assert times == [((T + STEPS - 1) / 1000,)]


def test_every_value_that_wandb_wrote_comes_in(home: Home, tmp_path: Path) -> None:
    client("make_wandb", tmp_path)
    (done,) = import_runs(home, "wandb", tmp_path / "wandb", Wish())
    collect(home)
    assert (done.new, done.values) == (2, 2 * (2 * STEPS + 1))
    for metric, part in (("val_acc", 1), ("train.loss", 3)):
        found = values(home, "proj", metric)
        assert [found[f"trial-{at}", at] for at in range(2)] == [
            [(step, value_of(at, step) / part) for step in range(STEPS)] for at in range(2)
        ]
    assert run_query(home, "select settings ->> '$.params.model.name' from runs").rows == [("vit",), ("vit",)]


def test_every_value_that_tensorboard_wrote_comes_in(home: Home, tmp_path: Path) -> None:
    client("make_tensorboard", tmp_path / "tb")
    (done,) = import_runs(home, "tensorboard", tmp_path / "tb", Wish())
    collect(home)
    assert done.values == 2 * STEPS
    found = values(home, "tb", "loss")
    for at in range(2):
        steps, told = zip(*found[f"run_{at}", 0], strict=True)
        assert steps == tuple(range(STEPS))
        assert told == pytest.approx([value_of(at, step) for step in range(STEPS)], rel=1e-7, abs=1e-7)


def shown(home: Home) -> dict[str, dict[str, float]]:
    """Run as other tools call it -> our figures of it."""
    rows = run_query(home, "select arm, cell, seed, test_top1, infer_latency, params from results").rows
    names = ("results/test_top1", "results/infer_latency", "results/params")
    return {f"{arm}/{cell}@{seed}": dict(zip(names, map(float, figures), strict=True))
            for arm, cell, seed, *figures in rows}  # fmt: skip


def test_mlflow_shows_our_numbers(paper: Home, tmp_path: Path) -> None:
    export_runs(paper, "mlflow", "paper", tmp_path / "mlruns")
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    moved = subprocess.run(
        [PEERS.with_name("mlflow"), "migrate-filestore", "--source", tmp_path / "mlruns", "--target", database],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert moved.returncode == 0, moved.stderr[-2000:]
    for uri in ((tmp_path / "mlruns").as_uri(), database):
        told = client("read_mlflow", uri)["paper"]
        assert told.keys() == shown(paper).keys()
        for name, figures in shown(paper).items():
            assert {key: float(told[name]["points"][key][0][2]) for key in figures} == figures
            assert told[name]["tags"]["xp.arm"] == name.partition("/")[0]
            assert told[name]["params"]["data.split"] == "60/20/20"
        logged = values(paper, "paper", "val_top1")["original", 0]
        ours = [(step, float(value)) for step, _, value in told[FIRST]["points"]["val_top1"]]
        assert ours == logged
    _check_server(database, shown(paper))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _check_server(database: str, figures: dict[str, dict[str, float]]) -> None:
    """Ask MLflow's own server what its page asks it."""
    port = free_port()
    words = [
        str(PEERS.with_name("mlflow")),
        "server",
        "--backend-store-uri",
        database,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        found = _ask_server(port, "experiments/search", {"max_results": 10})
        number = next(one["experiment_id"] for one in found["experiments"] if one["name"] == "paper")
        runs = _ask_server(port, "runs/search", {"experiment_ids": [number], "max_results": 100})["runs"]
        told = {run["info"]["run_name"]: {one["key"]: one["value"] for one in run["data"]["metrics"]} for run in runs}
        assert {name: {key: told[name][key] for key in own} for name, own in figures.items()} == figures
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def _ask_server(port: int, what: str, words: dict[str, Any], seconds: float = 120.0) -> Any:
    address, kind = f"http://127.0.0.1:{port}/api/2.0/mlflow/{what}", {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(words).encode(), kind)
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def test_tensorboard_shows_our_numbers(paper: Home, tmp_path: Path) -> None:
    export_runs(paper, "tensorboard", "paper", tmp_path)
    told = client("read_tensorboard", tmp_path)
    assert len(told) == len(shown(paper))
    run = told["paper/original/data.split=60_20_20/seed_0"]
    assert {"data.split", "xp.arm", "xp.seed"} <= {*run["params"]}
    logged = values(paper, "paper", "val_top1")["original", 0]
    assert [step for step, _, _ in run["points"]["val_top1"]] == [step for step, _ in logged]
    assert [float(value) for _, _, value in run["points"]["val_top1"]] == pytest.approx(
        [value for _, value in logged], rel=1e-6
    )


def test_wandbs_messages_hold_our_numbers(paper: Home, tmp_path: Path) -> None:
    export_runs(paper, "wandb", "paper", tmp_path)
    told = client("read_wandb", tmp_path)
    assert told.keys() == shown(paper).keys()
    for name, figures in shown(paper).items():
        assert {key: float(told[name]["summary"][key]) for key in figures} == figures
        assert told[name]["kinds"][:2] == ["header", "run"]
        assert told[name]["kinds"][-1] == "exit"
    rows = [row for row in told[FIRST]["rows"] if "val_top1" in row]
    logged = values(paper, "paper", "val_top1")["original", 0]
    assert [(int(row["_step"]), float(row["val_top1"])) for row in rows] == logged
