"""What a plan costs by arm and cell: rows add up, shared jobs stand apart, what is reused says from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.inspect.outlay import ITSELF, NOBODY, Outlay, list_job_rows, sum_outlays, total_outlay
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.plan.estimate import Estimate, estimate_plan
from engine.schedule.submit import submit_plan

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return make_plan(load_spec(QUICKSTART), open_home(tmp_path_factory.mktemp("plans") / "home", create=True))


def finish(home: Home, job: str) -> None:
    home.job(job).root.mkdir(parents=True, exist_ok=True)
    write_json(home.job(job).result, {"attempt": 1, "seconds": 1.0})


def rows_of(home: Home, plan: Plan) -> tuple[list[Outlay], Estimate]:
    estimate = estimate_plan(plan, home, {})
    return sum_outlays(plan, estimate, home), estimate


def test_rows_are_the_arms_after_what_they_share_and_add_up(home: Home, plan: Plan) -> None:
    rows, estimate = rows_of(home, plan)
    assert [row.arm for row in rows] == [None, "original", "sparse", "distilled", "distilled_pruned"]
    whole = total_outlay(rows)
    assert (whole.runs, whole.jobs, whole.reused) == (8, len(plan.jobs), 0)
    assert whole.seconds == pytest.approx(sum(item.seconds for item in estimate.jobs))
    assert whole.bytes == estimate.bytes
    assert whole.memory == max(estimate.memory(job) for job in plan.jobs)


def test_a_job_that_two_arms_need_is_counted_once_apart(home: Home, plan: Plan) -> None:
    rows, _ = rows_of(home, plan)
    runs = {(run.arm, key) for run in plan.runs for key in run.jobs.values()}
    shared = [job.key for job in plan.jobs if len({arm for arm, key in runs if key == job.key}) > 1]
    assert (rows[0].jobs, rows[0].runs) == (len(shared), 0)
    assert rows[1].jobs == len({key for arm, key in runs if arm == "original"} - {*shared})


def test_cpu_hours_are_those_of_the_threads(home: Home) -> None:
    plan = make_plan(load_spec(QUICKSTART, ["train.threads=2"]), home)
    rows, estimate = rows_of(home, plan)
    students = [run.jobs["student"] for run in plan.runs if run.arm == "original"]
    train = sum(item.seconds for item in estimate.jobs if item.job.key in students)
    original = next(row for row in rows if row.arm == "original")
    assert original.gpu_hours == 0.0
    assert original.seconds is not None
    # hours and back again may lose the last bit
    assert original.cpu_hours * 3600 >= (original.seconds + train) * (1 - 1e-12)


def test_what_is_reused_says_whose_it_is(home: Home, plan: Plan, tmp_path: Path) -> None:
    first, second, third, *_ = (job for job in plan.jobs if job.kind == "explain")
    finish(home, first.key)
    rows, _ = rows_of(home, plan)
    assert total_outlay(rows).origins == (NOBODY,)
    submit_plan(plan, home)
    other = make_plan(load_spec(QUICKSTART, ["name=other"]), home)
    assert total_outlay(rows_of(home, other)[0]).origins == ("quickstart",)
    finish(home, second.key)
    rows, _ = rows_of(home, plan)
    whole = total_outlay(rows)
    assert (whole.origins, whole.reused) == ((ITSELF,), 2)
    lender = open_home(tmp_path / "lender", create=True)
    finish(lender, third.key)
    home.job(third.key).spec.unlink()
    home.job(third.key).details.unlink()
    home.job(third.key).root.rmdir()
    home.job(third.key).root.symlink_to(lender.job(third.key).root)
    assert total_outlay(rows_of(home, plan)[0]).origins == (ITSELF, str(lender.root))


def test_what_is_done_costs_nothing_more(home: Home, plan: Plan) -> None:
    for job in plan.jobs:
        finish(home, job.key)
    whole = total_outlay(rows_of(home, plan)[0])
    assert (whole.seconds, whole.cpu_hours, whole.bytes, whole.memory) == (0.0, 0.0, 0, 0)


def test_time_is_not_known_where_images_are_missing(home: Home) -> None:
    plan = make_plan(load_spec(QUICKSTART, ["data.source=folder", "data.root=/no/where", "claims=[]"]), home)
    rows, _ = rows_of(home, plan)
    assert {row.seconds for row in rows} == {None}
    assert total_outlay(rows).seconds is None
    assert rows[0].as_json()["seconds"] is None


def test_each_job_row_names_arms_and_seeds(home: Home, plan: Plan) -> None:
    rows = {row.item.job.key: row for row in list_job_rows(plan, estimate_plan(plan, home, {}))}
    assert list(rows) == [job.key for job in plan.jobs]
    pack = rows[plan.jobs[0].key]
    assert (pack.role, len(pack.arms), pack.seeds) == ("pack", 4, (0, 1))
    students = [row for row in rows.values() if row.arms == ("original",) and row.role == "student"]
    assert [row.seeds for row in students] == [(0,), (1,)]
    assert all(row.memory > 0 for row in students)


def test_a_row_is_whole_in_json(home: Home, plan: Plan) -> None:
    told = rows_of(home, plan)[0][1].as_json()
    costs = {"seconds", "gpu_hours", "cpu_hours", "bytes", "memory"}
    assert told.keys() == {"arm", "cell", "runs", "jobs", "reused", "reused_from", *costs}
    assert (told["arm"], told["cell"], told["reused_from"]) == ("original", "default", [])
