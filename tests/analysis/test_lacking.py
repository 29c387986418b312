"""What filling a hole costs: only what is not done, each job once, for a person and for programs."""

from __future__ import annotations

import math
from pathlib import Path

from engine.analysis.lacking import Lacking, Price, lacking_json, lacking_lines, recorded_lacking
from engine.home.paths import Home
from engine.plan.estimate import estimate_plan
from engine.schedule.submit import submit_plan
from tests.analysis.test_fill import SHORT, home, lacking, spec
from tests.helpers.synthetic import Arm, SyntheticHome

__all__ = ["home", "lacking", "spec"]  # fixtures


def test_costs_are_those_of_the_plan(lacking: Lacking, home: Home) -> None:
    whole = estimate_plan(lacking.plan, home, {})
    assert lacking.total.seconds == math.fsum(item.seconds for item in whole.jobs)
    assert (lacking.total.bytes, lacking.total.jobs) == (whole.bytes, len(whole.jobs))


def test_what_is_done_costs_nothing(lacking: Lacking, home: Home) -> None:
    jobs = lacking.jobs_of(SHORT[:1])
    before = lacking.price(jobs)
    pack = next(job.key for job in lacking.plan.jobs if job.kind == "pack")
    submit_plan(lacking.plan, home)
    home.job(pack).result.write_text('{"attempt": 1}')
    found = recorded_lacking(home, "small")
    assert isinstance(found, Lacking)
    after = found.price(jobs)
    assert (after.jobs, after.seconds < before.seconds) == (before.jobs - 1, True)


def test_lines_and_json_carry_the_same(lacking: Lacking) -> None:
    told = lacking_json(lacking)
    assert [need["what"] for need in told["needs"]] == ["short (default)", "long (default)", "longest (default)"]
    assert told["needs"][0]["runs"] == [{"arm": "short", "cell": "default", "seed": seed} for seed in (0, 1)]
    assert told["total"] == lacking.total.as_json()
    lines = lacking_lines(lacking)
    assert len(lines) == len(told["needs"]) + 1
    assert lines[-1] == f"all of this: {lacking.total}"


def test_a_price_is_told_in_hours_where_it_is_long() -> None:
    assert str(Price(7200.0, 2.0, 5_000_000, 3)) == "3 jobs, 2.0 h of work, 2 GPU hours, 5 MB"
    assert str(Price(90.0, 0.0, 0, 1)) == "1 jobs, 1.5 min of work, 0 MB"


def test_a_submission_that_holds_no_spec_is_told(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("paper", {"a": Arm()}, (0,))
    told = recorded_lacking(made.home, "paper")
    assert isinstance(told, str)
    assert told.startswith("paper: what filling it costs cannot be told here: its submission holds no spec")
