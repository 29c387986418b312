"""A training that runs out of memory goes on in micro-batches, and says so; or it stops, and says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from engine.collect import collect
from engine.home.files import read_json
from engine.home.paths import Home, JobFolder, open_home
from engine.launch import Order
from engine.load import load_spec
from engine.plan import make_plan
from engine.report import make_report
from engine.schedule.submit import submit_plan
from engine.schedule.worker import run_worker
from store.queue import Queue
from store.results import open_snapshot
from tests.helpers.forking import shared_server

SPEC = """
name: memory
data: {source: digits, image_size: 32, short_side: 32, split: 30/10/60, augment: {crop_scale: [0.7, 1.0], flip: 0.0}}
student: {arch: timm/convnextv2_atto, options: {depths: [1, 1, 1, 1], dims: [8, 16, 16, 32]}}
train: {epochs: 2, batch_size: 64, lr: 2.0e-3, warmup_epochs: 0, precision: fp32, threads: 1}
measure: {batch_sizes: [1], seconds: 0.01, rounds: 2}
explain: {images: 1}
resources: {gpus: 0}
"""
STUDENT = SPEC.splitlines()[3]
NORMED = SPEC.replace(STUDENT, """
student:
  {arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], windows: [4, 4, 2, 1],
   drop_path: 0.1}
""")  # fmt: skip
FEW = "tests.helpers.memory_job"


def run_spec(home: Home, folder: Path, text: str, *words: str, preload: str = "engine.run") -> None:
    """Submit a spec and work until nothing is left to do, in processes that load `preload`."""
    (folder / "spec.yaml").write_text(text)
    submit_plan(make_plan(load_spec(folder / "spec.yaml", words), home), home)
    assert run_worker(home, 1, until_idle=True, preload=preload) == 0


def run_jobs(home: Home, folder: Path, text: str) -> None:
    """Submit a spec and do its jobs, one after the other, without a scheduler: in the server that tests share."""
    (folder / "spec.yaml").write_text(text)
    plan = make_plan(load_spec(folder / "spec.yaml", ()), home)
    submit_plan(plan, home)
    for job in plan.jobs:  # each after what it needs
        shared_server().start(Order(home, job.key, 1))
        assert shared_server().wait() == 0
    collect(home)


def training(home: Home) -> JobFolder:
    (job,) = [job for job in home.jobs() if job.job.startswith("train-")]
    return job


def outcomes(job: JobFolder) -> list[str]:
    return [read_json(attempt.outcome)["outcome"] for attempt in job.attempts()]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home]:
    """The same spec with room for 20 images, and with room for all."""
    folder = tmp_path_factory.mktemp("memory")
    homes = open_home(folder / "few", create=True), open_home(folder / "all", create=True)
    run_spec(homes[0], folder, SPEC, preload=FEW)
    run_jobs(homes[1], folder, SPEC)
    return homes


def test_it_halves_until_it_fits_and_ends_done(split: tuple[Home, Home]) -> None:
    job = training(split[0])
    assert outcomes(job) == ["oom", "oom", "done"]
    assert "the next attempt takes 32, in steps of 64 as before" in job.attempt(1).log.read_text()
    assert "Traceback" not in job.attempt(1).log.read_text()


def test_the_result_is_that_of_whole_batches_up_to_rounding(split: tuple[Home, Home]) -> None:
    jobs = [training(home) for home in split]
    assert jobs[0].job == jobs[1].job
    few, whole = (read_json(job.result) for job in jobs)
    assert few["steps"] == whole["steps"]
    assert few["figures"]["test_loss"] == pytest.approx(whole["figures"]["test_loss"], rel=1e-2)
    winners = [job.winner() for job in jobs]
    one, other = (load_file(winner.artifacts / "weights.safetensors") for winner in winners if winner)
    for name, value in one.items():
        assert value == pytest.approx(other[name], rel=5e-2, abs=5e-3), name


def test_the_micro_batch_is_recorded_and_told_in_the_report(split: tuple[Home, Home], tmp_path: Path) -> None:
    with open_snapshot(split[0]) as db:
        query = "select value, unit from measurements where name = 'micro_batch'"
        assert db.execute(query).fetchall() == [(16.0, "images")]
    assert micro_batch(split[0]) == {"images": 16, "batch_size": 64, "batch_norm": False, "masks": False}
    (page,) = make_report(split[0], "memory", ("md",), tmp_path)
    assert "16 of 64 images at a time, after running out of memory" in page.read_text()
    (page,) = make_report(split[1], "memory", ("md",), tmp_path)
    assert "images at a time" not in page.read_text()


def micro_batch(home: Home) -> Any:
    with open_snapshot(home) as db:
        (fact,) = db.execute("select value from facts where name = 'micro_batch'").fetchone() or ("{}",)
    return json.loads(fact)


def state_of(home: Home, job: JobFolder) -> tuple[str, str]:
    with Queue.open_readonly(home.queue_db) as queue:
        (row,) = queue.job_rows([job.job])
    return row.state, row.reason


@pytest.mark.parametrize(
    ("text", "words", "why"),
    [
        pytest.param(
            NORMED,
            [],
            "BatchNorm in micro-batches would see fewer images at once: another experiment",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            SPEC,
            ["train.on_oom=stop"],
            "out of memory with 64 images at once · fix: take a smaller train.batch_size",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["batch norm", "stop"],
)
def test_it_is_tried_once_more_and_then_refused_with_the_way_out(
    tmp_path: Path, text: str, words: list[str], why: str
) -> None:
    home = open_home(tmp_path / "home", create=True)
    run_spec(home, tmp_path, text, *words, preload=FEW)
    job = training(home)
    assert outcomes(job) == ["oom", "oom"]
    state, reason = state_of(home, job)
    assert state == "failed"
    assert why in reason
    assert "train.on_oom: split" in reason


@pytest.mark.slow
def test_batch_norm_is_split_only_as_another_job(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    run_spec(home, tmp_path, NORMED, "train.on_oom=split", preload=FEW)
    job = training(home)
    assert outcomes(job)[-1] == "done"
    assert micro_batch(home) == {"images": 16, "batch_size": 64, "batch_norm": True, "masks": True}
    plan = make_plan(load_spec(tmp_path / "spec.yaml", ()), home)
    assert job.job not in [job.job for job in plan.jobs]
    (page,) = make_report(home, "memory", ("md",), tmp_path)
    assert "BatchNorm saw 16 images" in page.read_text()
    assert "other masks" in page.read_text()
