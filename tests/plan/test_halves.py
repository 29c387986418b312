"""Work in fp16 that would run on the CPU is told by a plan and refused by a submission, with the word and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import plan as planning
from engine.errors import DataError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.schedule.submit import submit_plan
from tests.plan.conftest import QUICKSTART

HALF = "train.precision=fp16"
ASKING, FREE = "resources={gpus: 1}", "resources={cpus: 2}"  # no word about GPUs: one where there is one


@pytest.fixture(autouse=True)
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The GPUs of this machine: none yet."""
    here: list[str] = []
    monkeypatch.setattr(planning, "list_gpus", lambda: here)
    return here


def draw(home: Home, tmp_path: Path, *words: str, on_cpu: bool = False) -> Plan:
    spec = tmp_path / "half.yaml"
    spec.write_text(QUICKSTART.read_text().replace("resources: {gpus: 0, ", "resources: {"))
    return make_plan(load_spec(spec, words), home, on_cpu=on_cpu)


@pytest.mark.parametrize(
    ("resources", "on_cpu", "fix"),
    [
        (FREE, False, "or let its jobs wait for a GPU: resources.gpus: 1"),
        ("resources={gpus: 0}", False, "or let its jobs wait for a GPU: resources.gpus: 1"),
        (ASKING, True, "or leave --cpu away"),
    ],
)
def test_fp16_on_the_cpu_is_told_with_its_fix(
    home: Home, tmp_path: Path, resources: str, on_cpu: bool, fix: str
) -> None:
    made = draw(home, tmp_path, HALF, resources, on_cpu=on_cpu)
    (line,) = made.refused
    head, told = line.splitlines()
    assert head == "train.precision (arm original): fp16 is for GPUs, and its train job would run on the CPU"
    assert told == f"fix: set train.precision: fp32 (or bf16), {fix}"
    with pytest.raises(DataError, match=r"nothing was submitted: train\.precision") as refused:
        submit_plan(made, home)
    assert refused.value.fix == told.removeprefix("fix: ")
    assert not home.queue_db.exists()


def test_a_teachers_own_precision_is_asked_about_too(home: Home, tmp_path: Path) -> None:
    (line,) = draw(home, tmp_path, "arms.distilled.teacher.train.precision=fp16", FREE).refused
    assert line.startswith("teacher.train.precision (arm distilled): fp16 is for GPUs")


@pytest.mark.parametrize("words", [(HALF, ASKING), ("train.precision=bf16", FREE), (FREE,)])
def test_what_waits_for_a_gpu_or_is_no_fp16_is_let_through(home: Home, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert draw(home, tmp_path, *words).refused == ()


def test_a_gpu_that_is_here_takes_it(home: Home, tmp_path: Path, gpus: list[str]) -> None:
    gpus.append("GPU-5a")
    assert draw(home, tmp_path, HALF, FREE).refused == ()
    assert draw(home, tmp_path, HALF, FREE, on_cpu=True).refused != ()


def test_jobs_that_were_done_on_a_gpu_may_be_submitted_again_without_one(home: Home, tmp_path: Path) -> None:
    made = draw(home, tmp_path, HALF, FREE)
    for job in made.jobs:
        home.job(job.key).root.mkdir(parents=True)
        write_json(home.job(job.key).result, {"attempt": 1})
    assert draw(home, tmp_path, HALF, FREE).refused == ()
