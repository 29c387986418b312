"""Sayings over stores of invented figures: each kind of verdict, each kind of decider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.report.paper.evidence import Record, read_record
from engine.report.paper.judging import Settled, settle
from engine.spec.paper import Conditions, Saying
from tests.helpers.synthetic import Arm, SyntheticHome

BIG = {"student": {"arch": "tiny_vit_21m", "windows": [14, 14, 14, 7], "attention": {"kind": "window"}}}


def claim(name: str, arm: str = "sparse", expect: str = "greater", metric: str = "test_top1") -> dict[str, Any]:
    return {"id": name, "text": "t", "metric": metric, "arm": arm, "against": "plain", "expect": expect}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    """`first` of four seeds and clear differences, `second` of one seed; `never` was not submitted."""
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    arms = {"plain": Arm(0.40), "sparse": Arm(0.80, kind="longformer", params=25_000_000), "twin": Arm(0.40)}
    arms |= {"big": Arm(0.45, settings=BIG), "big_sparse": Arm(0.46, kind="longformer", settings=_big_sparse())}
    claims = [claim("wins"), claim("loses", expect="less"), claim("smaller", expect="less", metric="params")]
    claims += [claim("twins", "twin"), claim("memory", metric="cuda_peak_reserved")]
    made.experiment("first", arms, (0, 1, 2, 3), claims=tuple(claims))
    made.experiment("second", {"plain": Arm(0.30), "sparse": Arm(0.90, kind="longformer")}, (0,), claims=(claims[0],))
    collect(made.home)
    with one_snapshot(made.home) as snapshot:
        yield read_record(snapshot, ["first", "second", "never"], Conditions(image_size=224, classes=100))


def _big_sparse() -> dict[str, Any]:
    return {"student": {**BIG["student"], "attention": {"kind": "longformer"}}}


def settled(record: Record, *decided_by: dict[str, Any]) -> Settled:
    saying = Saying.model_validate({"id": "one", "says": "s", "decided_by": list(decided_by)})
    (found,) = settle([saying], record)
    return found


def test_claims_of_specs_hold_are_refuted_and_stay_open(record: Record) -> None:
    assert settled(record, {"claim": "first/wins"}).verdict == "holds"
    assert settled(record, {"claim": "first/loses"}).verdict == "refuted"
    assert settled(record, {"claim": "first/smaller"}).verdict == "refuted"
    assert settled(record, {"claim": "first/twins"}).verdict == "undecided"
    assert settled(record, {"claim": "second/wins"}).verdict == "undecided"
    turned = settled(record, {"claim": "first/loses", "opposite": True})
    assert turned.verdict == "holds"
    assert turned.outcomes[0].line.endswith("refuted; the saying holds where this is refuted")
    assert "the saying holds where" not in settled(record, {"claim": "first/loses"}).outcomes[0].line
    assert "the saying holds where" not in settled(record, {"claim": "never/x", "opposite": True}).outcomes[0].line


def test_a_verdict_names_the_size_it_was_found_at_and_its_runs(record: Record) -> None:
    found = settled(record, {"claim": "first/wins"})
    assert found.verdict_text.startswith("holds at 32 px")
    assert "(the paper's)" not in found.verdict_text
    assert "points [" in found.outcomes[0].line
    assert found.outcomes[0].source.startswith("run-")


def test_what_was_not_run_says_what_is_missing(record: Record) -> None:
    never = settled(record, {"claim": "never/wins"})
    assert never.verdict_text == "not run"
    assert "never was not submitted" in never.outcomes[0].line
    assert settled(record, {"claim": "second/loses"}).outcomes[0].line.endswith("submit it again")
    memory = settled(record, {"claim": "first/memory"})
    assert memory.verdict == "not run"
    assert "no cuda_peak_reserved of sparse and of plain" in memory.outcomes[0].line


def test_arms_of_two_experiments_are_held_against_each_other(record: Record) -> None:
    words = {"arm": "first/sparse", "against": "first/plain", "metric": "test_top1", "expect": "greater"}
    assert settled(record, {"across": words}).verdict == "holds"
    words |= {"against": "second/plain"}
    assert settled(record, {"across": words}).verdict == "undecided", "one common seed"
    assert settled(record, {"across": {**words, "against": "never/plain"}}).verdict == "not run"


def test_an_effect_is_found_by_its_arms_whichever_side_is_named_first(record: Record) -> None:
    sides = {"plus": ["sparse", "big"], "minus": ["plain", "big_sparse"]}
    more = {"effect": {"experiment": "first", **sides, "expect": "greater"}}
    assert settled(record, more).verdict == "holds"
    less = {"effect": {"experiment": "first", "plus": sides["minus"], "minus": sides["plus"], "expect": "less"}}
    assert settled(record, less).verdict == "holds"
    assert settled(record, {"effect": {**more["effect"], "expect": "less"}}).verdict == "refuted"
    none = {"effect": {"experiment": "first", "plus": ["twin"], "minus": ["plain"], "expect": "less"}}
    assert settled(record, none).verdict == "not run"


def test_words_of_the_text_have_no_size(record: Record) -> None:
    assert settled(record, {"text": "holds"}).verdict_text == "holds"
    assert settled(record, {"text": "undecided"}).verdict_text == "undecided"
    assert settled(record, {"computed": "second_projections"}).verdict_text == "holds"


def test_all_of_them_must_hold(record: Record) -> None:
    both = settled(record, {"claim": "first/wins"}, {"claim": "first/twins"})
    assert both.verdict == "undecided"
    assert settled(record, {"claim": "first/wins"}, {"claim": "never/wins"}).verdict == "undecided"
