"""What a plan can detect, said before anything runs: from assumptions, then from what this home has measured."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.analysis.foresight import Foresight, detect_lines, foresee, power_lines, seed_seconds
from engine.analysis.power import Design, assumed_design
from engine.collect import collect
from engine.home.paths import open_home
from engine.plan import Plan, make_plan
from engine.spec import Spec
from tests.helpers.synthetic import Arm, SyntheticHome

ABOUT = {"metric": "test_top1", "arm": "b", "against": "a", "expect": "greater", "text": "B wins."}


def plan_of(folder: Path, claims: int = 0, seeds: int = 3, more_claims: Any = (), **more: Any) -> Plan:
    words = {
        "name": "paper", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}, "baseline": "a",
        "seeds": list(range(seeds)), "arms": {"a": {}, "b": {"train": {"lr": 0.1}}, "c": {"train": {"lr": 0.2}}},
        "claims": [*({**ABOUT, "id": f"c{at}"} for at in range(claims)), *more_claims], **more,
    }  # fmt: skip
    return make_plan(Spec.model_validate(words), open_home(folder, create=True))


def test_claims_at_every_point_share_one_level(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 4, matrix={"data.split": ["60/20/20", "80/10/10"]})
    seen = foresee(plan, open_home(tmp_path))
    assert (seen.design.tests, seen.told, seen.measured) == (8, "8 claims", False)
    assert seen.test_images == plan.test_images == 179, "ten per cent of 1,797 digits, class by class"
    assert seen.design == assumed_design(3, 179, 8)


def test_sizes_are_no_tests_and_without_claims_changes_are(tmp_path: Path) -> None:
    size = {**ABOUT, "id": "size", "metric": "params"}
    assert foresee(plan_of(tmp_path, claims=0), open_home(tmp_path)).told == "2 changes"
    sized = plan_of(tmp_path, 1, more_claims=[size])
    assert foresee(sized, open_home(tmp_path)).told == "1 claim"


def test_measured_spreads_take_the_place_of_assumed_ones(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("paper", {"a": Arm(), "b": Arm(kind="longformer")}, (0, 1, 2, 3))
    collect(made.home)
    seen = foresee(plan_of(tmp_path, 2, seeds=5), made.home)
    assert seen.measured
    assert (seen.design.seeds, seen.design.tests) == (5, 2)
    assert seen.design.seed_sd != assumed_design(5, 357, 2).seed_sd
    assert "as this home has measured them" in detect_lines(seen)[0]


def test_what_can_be_detected_is_said_with_its_level_and_assumption() -> None:
    seen = Foresight(assumed_design(3, 357, 8), "8 claims", 357, measured=False)
    points = 100 * assumed_design(3, 357, 8).detectable()
    (line,) = detect_lines(seen)
    assert line.startswith(f"with 3 seeds and 8 claims: can detect {points:.1f} points of test accuracy (power 80 %); ")
    assert "% of the error is of the 357 test images; assumed, until two of its arms share two seeds" in line


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_decide_nothing_and_it_is_said(seeds: int) -> None:
    seen = Foresight(assumed_design(seeds, 357, 1), "1 claim", 357, measured=False)
    assert detect_lines(seen) == [
        f"with {seeds} seed{'s' * (seeds > 1)} no difference of accuracy can be decided; "
        "can detect some from 3 seeds on"
    ]
    assert power_lines(seen, 30.0, 0.0) == ["to detect 30 points (power 80 %, 1 claim): 3 seeds"]


def test_power_says_how_many_seeds_and_what_they_cost() -> None:
    design = Design(3, 0.01, 0.0, 1)
    needed = design.seeds_needed(0.01)
    assert needed is not None
    lines = power_lines(Foresight(design, "1 claim", None, measured=True), 1.0, 1800.0)
    assert lines == [
        f"with 3 seeds the power for 1 points is {100 * design.power_of(0.01):.0f} %",
        f"to detect 1 points (power 80 %, 1 claim): {needed} seeds, {needed - 3} more: "
        f"about {(needed - 3) / 2:.1f} h of work",
    ]
    walled = Foresight(Design(3, 0.01, 0.01, 1), "1 claim", 357, measured=True)
    assert power_lines(walled, 1.0, 1.0)[-1] == "no number of seeds detects 1 points on these test images"


def test_a_seed_costs_what_it_shares_with_no_other() -> None:
    runs = [SimpleNamespace(seed=seed, jobs={"pack": "p", "student": f"s{seed}"}) for seed in (0, 1)]
    plan: Any = SimpleNamespace(runs=runs, spec=SimpleNamespace(seeds=[0, 1]))
    assert seed_seconds(plan, {"p": 100.0, "s0": 10.0, "s1": 30.0}) == 20.0
