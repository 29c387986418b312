"""Claims and comparisons of searched arms: they are about the best, trained anew, and about equal effort alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.analysis.claims import check_claims
from engine.analysis.compare import compare_arms
from engine.analysis.lacking import recorded_lacking
from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.errors import QueryError, SpecError
from engine.home.paths import Home, open_home
from engine.load import load_words
from engine.report import make_report
from engine.search.advance import advance
from tests.search.objective import finish_open, make_spec, submit_study

pytest.importorskip("optuna", reason="needs the extra `search`")

SPACE = {"train.lr": {"log": [1e-5, 1e-1]}, "train.weight_decay": {"float": [0.0, 1.0]}}
OWN = {"student.attention.radius": {"int": [1, 3]}}


def spec_of(**search: Any) -> dict[str, Any]:
    """Two searched arms, and one as it is."""
    words: dict[str, Any] = {"space": SPACE, "trials": 4, "final": {"seeds": [1, 2, 3]}}
    words["arms"] = {"plain": None, "sparse": OWN}
    claim = {"id": "wins", "text": "It wins.", "metric": "val_top1", "expect": "greater"}
    return {
        **make_spec(**words | search),
        "arms": {"plain": {}, "window": {}, "sparse": {"student.attention": {"kind": "longformer"}}},
        "baseline": "window",
        "seeds": [0, 1, 2, 3],
        "claims": [{**claim, "arm": "sparse", "against": "window"}],
    }


def run_out(home: Home, spec: dict[str, Any]) -> Home:
    submit_study(home, spec)
    while home.search_mark("study").exists():
        advance(home, "study")
        finish_open(home)
    finish_open(home)
    collect(home)
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return run_out(open_home(tmp_path_factory.mktemp("home") / "home", create=True), spec_of())


def test_winners_of_equal_searches_are_compared_by_what_their_arms_are(home: Home) -> None:
    (one,) = compare_arms(home, "study/sparse-best", "study/window-best", "val_top1")
    assert (one.factors, one.unfair) == (("attention",), ())
    assert any(note.startswith("each is the best of 4 trials") for note in one.notes)


def test_a_winner_beside_an_arm_that_nobody_searched_is_refused(home: Home) -> None:
    with pytest.raises(QueryError, match=r"the number of trials that it was chosen from +4 +none"):
        compare_arms(home, "study/sparse-best", "study/plain", "val_top1")


def test_an_arm_with_fewer_trials_is_refused(tmp_path: Path) -> None:
    """One space has two points, and its arm gives up after them."""
    few = {"train.lr": {"choice": [1e-3, 1e-2]}}
    spec = spec_of(space=few, trials=4, arms={"plain": None, "sparse": OWN})
    home = run_out(open_home(tmp_path / "home", create=True), spec)
    with pytest.raises(QueryError, match=r"the number of trials that it was chosen from +4 +2"):
        compare_arms(home, "study/sparse-best", "study/window-best", "val_top1")


def test_claims_and_the_baseline_are_about_the_best(home: Home) -> None:
    (judged,) = check_claims(home, "study")
    assert (judged.claim.arm, judged.claim.against) == ("sparse-best", "window-best")
    assert judged.comparison is not None
    with one_snapshot(home) as snapshot:
        (row,) = snapshot.db.execute("select baseline from experiments").fetchall()
    assert row == ("window-best",)


def test_a_page_says_who_had_less_effort(home: Home, tmp_path: Path) -> None:
    with one_snapshot(home) as snapshot:
        make_report(snapshot, ["study"], ["md"], tmp_path)
    text = next(tmp_path.rglob("report.md")).read_text()
    assert "sparse-best: chosen by val_top1 from 4 trials of the drawn settings" in text
    assert "plain: not chosen from as many trials" in text


def test_what_is_lacking_tells_where_the_seeds_of_the_best_are_written(home: Home) -> None:
    lacking = recorded_lacking(home, "study")
    assert not isinstance(lacking, str)
    (need,) = lacking.needs
    assert "search.final.seeds" in need.why
    assert need.places == ()


def test_further_final_seeds_are_run_beside_those_that_are_there(tmp_path: Path) -> None:
    home = run_out(open_home(tmp_path / "home", create=True), spec_of())
    submit_study(home, spec_of(final={"seeds": [1, 2, 3, 4]}))
    advance(home, "study")
    more = finish_open(home)
    assert sum(job.startswith("train") for job in more) == 2, "one more seed of each winner, and no trial"


@pytest.mark.parametrize("search", [{"final": None}, {"metric": ["val_top1", "params"], "constraint": {}}])
def test_a_claim_on_an_arm_whose_best_is_not_one_arm_is_refused(search: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as refused:
        load_words(spec_of(**search))
    text = str(refused.value)
    assert "window is searched" in text
    assert "null below `search.arms`" in text
