"""What an experiment lacks: cells without seeds, comparisons that more seeds would decide, those that none does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.analysis.claims import check_claims
from engine.analysis.holes import ASKED, DECIDES, TESTABLE, Need, Standing, find_needs, further_seeds
from engine.analysis.power import design_of
from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.plan.subset import Place
from engine.spec import Spec
from tests.helpers.synthetic import Arm, SyntheticHome

CELL = "default"
CLAIM = {
    "id": "better",
    "text": "It is better.",
    "metric": "test_top1",
    "arm": "b",
    "against": "a",
    "expect": "greater",
}


def make_spec(seeds: int, *claims: dict[str, Any]) -> Spec:
    told = {"name": "paper", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}, "baseline": "a"}
    more = {"arms": {"a": {}, "b": {"train": {"epochs": 2}}}, "claims": list(claims)}
    return Spec.model_validate({**told, **more, "seeds": list(range(seeds))})


def make_home(folder: Path, gain: float, seeds: int, metric_arm: Arm | None = None) -> SyntheticHome:
    made = SyntheticHome(folder)
    arms = {"a": Arm(0.60), "b": metric_arm or Arm(0.60 + gain, kind="longformer")}
    made.experiment("paper", arms, tuple(range(seeds)), splits=("60/20/20",))
    # A synthetic home names its cells by the split; the specs here have no matrix.
    record = made.home.records("paper")[-1]
    record.write_text(record.read_text().replace("data.split=60/20/20", CELL))
    collect(made.home)
    return made


def done_places(seeds: int) -> frozenset[Place]:
    return frozenset((arm, CELL, seed) for arm in "ab" for seed in range(seeds))


def needs_of(made: SyntheticHome, spec: Spec, standing: Standing) -> list[Need]:
    with one_snapshot(made.home) as snapshot:
        return find_needs(snapshot, spec, standing)


def test_without_results_the_cells_of_the_spec_are_lacking() -> None:
    needs = find_needs(None, make_spec(2, CLAIM), Standing(frozenset({("a", CELL, 0)})))
    assert [(need.rank, need.places) for need in needs] == [
        (ASKED, (("a", CELL, 1),)),
        (ASKED, (("b", CELL, 0), ("b", CELL, 1))),
    ]
    assert "1 of 2 seeds are done, without 1" in needs[0].why


def test_seeds_that_were_added_are_asked_for_like_the_specs() -> None:
    standing = Standing(done_places(1), added=(("a", CELL, 7),))
    assert [need.places for need in find_needs(None, make_spec(1), standing)] == [(("a", CELL, 7),)]


def test_as_many_seeds_are_wanted_as_the_power_calculation_says(tmp_path: Path) -> None:
    made, spec = make_home(tmp_path, 0.02, 3), make_spec(3, CLAIM)
    (need,) = needs_of(made, spec, Standing(done_places(3)))
    compared = check_claims(made.home, "paper", spec.claims)[0].comparison
    assert compared is not None
    design = design_of(compared.difference, compared.tests)
    assert design is not None
    assert (need.rank, need.n) == (DECIDES, 3)
    assert need.needed == design.seeds_needed(compared.difference.mean)
    assert need.needed is not None
    assert need.places == tuple((arm, CELL, seed) for seed in range(3, need.needed) for arm in "ba")
    assert f"about {need.needed} would decide it" in need.why


def test_two_seeds_get_the_third_that_makes_a_test(tmp_path: Path) -> None:
    made = make_home(tmp_path, 0.05, 2)
    (need,) = needs_of(made, make_spec(2), Standing(done_places(2)))
    assert (need.rank, need.needed, need.places) == (TESTABLE, 3, (("b", CELL, 2), ("a", CELL, 2)))


def test_seeds_of_the_spec_come_before_further_ones(tmp_path: Path) -> None:
    made = make_home(tmp_path, 0.05, 2)
    spec = make_spec(2).model_copy(update={"seeds": [0, 1, 9]})
    first, *_ = needs_of(made, spec, Standing(done_places(2)))
    assert first.places == (("b", CELL, 9), ("a", CELL, 9))


def test_a_decided_claim_wants_nothing(tmp_path: Path) -> None:
    made = make_home(tmp_path, 0.35, 4)
    assert needs_of(made, make_spec(4, CLAIM), Standing(done_places(4))) == []


def test_a_comparison_that_no_seed_decides_is_told_and_wants_no_run(tmp_path: Path) -> None:
    made = make_home(tmp_path, 0.05, 3)
    once = {**CLAIM, "metric": "infer_images_per_second"}
    (need,) = needs_of(made, make_spec(3, once), Standing(done_places(3)))
    assert (need.places, need.needed) == ((), None)
    assert "no further seed helps" in need.why


@pytest.mark.parametrize("added", [(), (("a", CELL, 5),)])
def test_a_plan_has_the_seeds_of_all_needs(added: tuple[Place, ...]) -> None:
    need = Need(DECIDES, "x", "y", (("a", CELL, 3), ("b", CELL, 1)))
    assert further_seeds([need], make_spec(2), added) == [0, 1, 3, *([5] if added else [])]
