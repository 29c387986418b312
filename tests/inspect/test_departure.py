"""What a submit would change of what is registered: runs kept, changed, new and dropped, and the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.inspect.departure import Departure, find_departure
from engine.load import load_spec
from engine.plan import make_plan
from engine.plan.estimate import estimate_plan
from engine.schedule.submit import submit_plan

SPEC = """name: small
data: {source: digits, image_size: 32, short_side: 32}
student: {arch: tiny_vit, dims: [8, 16, 24, 32], depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], windows: [4, 4, 2, 1]}
seeds: [0, 1]
arms: {a: {}, b: {train.lr: 0.1}, c: {train.lr: 0.2}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def home(tmp_path: Path, spec: Path) -> Home:
    home = open_home(tmp_path / "home", create=True)
    submit_plan(make_plan(load_spec(spec), home), home)
    return home


def depart(home: Home, spec: Path, *overrides: str, only: tuple[str, ...] = ()) -> Departure:
    plan = make_plan(load_spec(spec, overrides), home)
    return find_departure(plan, estimate_plan(plan, home, {}), home, only)


def counts(found: Departure) -> dict[str, tuple[int, int, int, int]]:
    return {arm.arm: (arm.kept, arm.changed, arm.new, arm.dropped) for arm in found.arms}


def test_the_same_spec_changes_nothing(home: Home, spec: Path) -> None:
    found = depart(home, spec)
    assert (found.submission, found.is_same, found.settings) == (1, True, ())
    assert counts(found) == {"a": (2, 0, 0, 0), "b": (2, 0, 0, 0), "c": (2, 0, 0, 0)}


def test_runs_are_kept_changed_new_or_dropped(home: Home, spec: Path) -> None:
    spec.write_text(SPEC.replace("c: {train.lr: 0.2}", "d: {train.lr: 0.3}"))
    found = depart(home, spec, "arms.b.train.lr=0.5", "seeds=[0, 1, 2]")
    assert counts(found) == {"a": (2, 0, 1, 0), "b": (0, 2, 1, 0), "d": (0, 0, 3, 0), "c": (0, 0, 0, 2)}
    assert not found.is_same
    assert found.settings == ("train.lr: 0.1 -> 0.5 (b)",)


def test_a_setting_of_all_arms_is_told_once(home: Home, spec: Path) -> None:
    assert depart(home, spec, "train.epochs=3").settings == ("train.epochs: 10 -> 3 (all arms)",)


def test_costs_are_of_what_is_to_do_with_shared_jobs_once(home: Home, spec: Path) -> None:
    plan = make_plan(load_spec(spec), home)
    estimate = estimate_plan(plan, home, {})
    found = find_departure(plan, estimate, home)
    assert sum(arm.seconds for arm in found.arms) == pytest.approx(sum(item.seconds for item in estimate.jobs))


def test_arms_that_are_not_named_are_not_dropped(home: Home, spec: Path) -> None:
    spec.write_text(SPEC.replace(", c: {train.lr: 0.2}", ""))
    assert counts(depart(home, spec))["c"] == (0, 0, 0, 2)
    assert "c" not in counts(depart(home, spec, only=("a", "b")))


def test_a_name_that_is_not_registered_is_all_new(home: Home, spec: Path) -> None:
    found = depart(home, spec, "name=other")
    assert (found.submission, found.is_same) == (None, False)
    assert counts(found)["a"] == (0, 0, 2, 0)
    assert found.as_json()["arms"][0] == {
        "arm": "a", "kept": 0, "changed": 0, "new": 2, "dropped": 0, "seconds": found.arms[0].seconds,
    }  # fmt: skip
