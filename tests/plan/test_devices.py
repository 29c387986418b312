"""What kind of device a plan is for: a GPU that is asked for, one that is here, or the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import plan
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.schedule.placing import Demand, read_demand
from tests.helpers.queueing import make_home

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
LAPTOP = QUICKSTART.read_text().replace("resources: {gpus: 0, ", "resources: {")
ASKING = QUICKSTART.read_text().replace("resources: {gpus: 0, ", "resources: {gpus: 1, ")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The GPUs of this machine: none yet."""
    here: list[str] = []
    monkeypatch.setattr(plan, "list_gpus", lambda: here)
    return here


def draw(folder: Path, text: str = LAPTOP, *, on_cpu: bool = False) -> Plan:
    spec = folder / "spec.yaml"
    spec.write_text(text)
    return make_plan(load_spec(spec), make_home(folder), on_cpu=on_cpu)


def measured(made: Plan) -> set[str]:
    return {job.key for job in made.jobs if job.kind == "measure"}


def demands(made: Plan, kind: str = "train") -> set[Demand]:
    return {read_demand(job.kind, job.details.model_dump()) for job in made.jobs if job.kind == kind}


def test_without_a_word_about_gpus_a_laptop_plans_the_same_jobs_as_with_none(tmp_path: Path, gpus: list[str]) -> None:
    made = draw(tmp_path)
    assert {job.key for job in made.jobs} == {job.key for job in draw(tmp_path, QUICKSTART.read_text()).jobs}
    assert all("device" not in job.canonical["settings"] for job in made.jobs)
    assert demands(made) == {Demand(1.0)}, "a GPU where there is one"
    assert not any("GPU" in line for line in made.warnings)


def test_speeds_of_a_gpu_are_other_measurements_and_all_else_is_the_same(tmp_path: Path, gpus: list[str]) -> None:
    before = draw(tmp_path)
    gpus.append("GPU-5a")
    made = draw(tmp_path)
    assert measured(made).isdisjoint(measured(before))
    assert {job.key for job in made.jobs} - measured(made) == {job.key for job in before.jobs} - measured(before)
    assert demands(made, "measure") == {Demand(1.0, True, needs_gpu=True)}
    assert demands(before, "measure") == {Demand(0.0, True)}, "a GPU that comes later gives no speeds of a CPU"
    assert measured(draw(tmp_path, QUICKSTART.read_text())) == measured(before), "gpus: 0"


def test_a_gpu_that_is_asked_for_and_not_here_is_said_and_waited_for(tmp_path: Path, gpus: list[str]) -> None:
    made = draw(tmp_path, ASKING)
    assert demands(made) == {Demand(1.0, needs_gpu=True)}
    assert demands(made, "pack") == {Demand()}
    (line,) = [line for line in made.warnings if "GPU" in line]
    assert line.startswith("resources.gpus: its jobs wait for a GPU: none is found here\nfix: submit it with --cpu")
    gpus.append("GPU-5a")
    with_one = draw(tmp_path, ASKING)
    assert {job.key for job in with_one.jobs} == {job.key for job in made.jobs}
    assert not any("GPU" in line for line in with_one.warnings)


def test_all_on_the_cpu_is_said_of_how_and_gives_the_ids_of_a_laptop(tmp_path: Path, gpus: list[str]) -> None:
    laptop = {job.key for job in draw(tmp_path).jobs}
    gpus.append("GPU-5a")
    made = draw(tmp_path, ASKING, on_cpu=True)
    assert {job.key for job in made.jobs} == laptop
    assert {job.details.device for job in made.jobs} == {"cpu"}
    assert demands(made) == {Demand()}
    assert not any("GPU" in line for line in made.warnings)
