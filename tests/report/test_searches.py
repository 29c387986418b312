"""The section 'Search': its tables as numbers, from rows written by hand and from a home where a search ran."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.searches import gather_searches
from engine.home.paths import Home, open_home
from engine.report import make_report
from engine.report.page import make_page
from engine.report.searches import time_text
from engine.report.tables import Table
from tests.helpers.synthetic import Arm, SyntheticHome
from tests.report.rows import make_rows, run_row
from tests.report.search_cases import BOTH, FRONT_ANEW, PAIR
from tests.report.searching import LR, SPACE, final_runs, gathered, searched_page, section, trial_row, trials_of


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def column(table: Table, name: str) -> list[str]:
    at = list(table.columns).index(name)
    return [row[at] for row in texts(table)]


def test_nothing_searched_is_no_section() -> None:
    assert make_page("x", make_rows([run_row("a", 0, test_top1=0.5)])).search is None


def test_trials_are_counted_by_how_they_stand() -> None:
    rows = [*trials_of("a", 0.5, 0.6, None), trial_row("a", 3, state="running"), trial_row("a", 4, refused="no")]
    table = section(rows, trials_of("b", 0.4), arms=("a", "b"), asked=7, sampler="random").tables[0]
    assert texts(table) == [
        ["a", "random", "val_top1", "2 of 7", "1", "1", "1", "4 min 0 s (CPU)", "a-t001", "60.00"],
        ["b", "random", "val_top1", "1 of 7", "0", "0", "0", "1 min 0 s (CPU)", "b-t000", "40.00"],
    ]


def test_an_arm_with_fewer_trials_is_said_to_have_them() -> None:
    found = section(trials_of("a", 0.5, 0.6, 0.7), trials_of("b", 0.4), arms=("a", "b"))
    assert "b has 1 trial done, and a has 3 trials: its best is chosen from fewer." in found.sentences


def test_trials_that_tie_are_told_and_one_is_not_said_to_be_better() -> None:
    found = section(trials_of("a", 0.5, 0.7, 0.7), sampler="random")
    assert found.sentences[0].startswith(
        "a: of 3 trials compared, 2 are equally good and none is better: val_top1 70.00 %"
    )
    assert "The first of them, a-t001, is called the best." in found.sentences[0]
    assert not any("is the best:" in line for line in found.sentences)


def test_trials_that_are_all_alike_have_no_band() -> None:
    for figures, count in (((0.7, 0.7, 0.7), 0), ((0.5, 0.6, 0.7), 1)):
        best = section(trials_of("a", *figures)).charts.best
        assert best is not None
        assert len(best.bands) == count


def test_a_page_of_trials_alone_has_no_fact_or_table_about_nothing(tmp_path: Path) -> None:
    from engine.collect import collect

    made = SyntheticHome(tmp_path / "home")
    trial = {"arm": "a", "trial": 0, "trial_arm": "a-t000", "why": "tpe", "refused": None, "stage": "train",
             "settings": {"train.lr": LR[0]}, "at": 0.0, "rung": 0}  # fmt: skip
    run = {"run": "run-0", "arm": "a-t000", "cell": "default", "seed": 0, "split": "60/20/20", "settings": {},
           "jobs": {"student": made.train("train-one", Arm(0.5), 0)}}  # fmt: skip
    spec = {"name": "x", "arms": {"a": {}}, "search": {"space": SPACE}}
    made.record("x", [run], "a", spec=spec, search={"asked": 1, "stopped": False, "trials": [trial]})
    collect(made.home)
    for path in make_report(made.home, "x", ("html", "md"), tmp_path / "out"):
        page = path.read_text()
        assert "none beside the trials of its search (see Search)" in page
        assert not re.search(r"Results</h2>|## Results|## Runs|All 0 runs|0 of 0|Commit|unknown", page)


def test_gpus_and_processors_are_told_apart() -> None:
    rows = [trial_row("a", 0, 0.5, seconds=3600.0, gpus=2), trial_row("a", 1, 0.5, seconds=30.0)]
    assert time_text(gathered(rows).arms[0].work) == "2 h 0 min (GPU) + 30 s (CPU)"
    assert time_text([]) == "\u2013"


def test_space_has_each_axis_once_where_arms_share_it() -> None:
    own = {"b": {"train.lr": {"log": [1e-3, 1e-1]}, "train.wd": {"float": [0.0, 1.0], "step": 0.5}}}
    table = section(arms=("a", "b"), spaces=own).tables[1]
    assert texts(table) == [
        ["train.lr", "a", "by order of magnitude", "0.0001 to 0.01", ""],
        ["student.attention.kind", "all searched", "one of", "window, longformer", ""],
        ["student.attention.radius", "all searched", "whole number", "1 to 3",
         "student.attention.kind is longformer"],
        ["train.lr", "b", "by order of magnitude", "0.001 to 0.1", ""],
        ["train.wd", "b", "number", "0 to 1, steps of 0.5", ""],
    ]  # fmt: skip


def test_several_conditions_and_values_are_told() -> None:
    when: dict[str, Any] = {"train.lr": 0.001, "student.attention.kind": ["window", "longformer"]}
    table = section(spaces={"a": {"train.wd": {"float": [0, 1], "when": when}}}).tables[1]
    assert column(table, "only where")[-1] == "train.lr is 0.001; student.attention.kind is window or longformer"


def test_all_rungs_are_paid_for_and_one_length_is_compared() -> None:
    rows = [trial_row("a", at, 0.5 + at / 10, epochs=1.0) for at in range(4)]
    rows += [trial_row("a", 3, 0.7, rung=1, trial_arm="a-t003-e3")]
    found = section(rows, fidelity={"epochs": [1, 3], "keep": 4})
    assert column(found.tables[0], "compared") == ["1"]
    assert column(found.tables[0], "training time") == ["5 min 0 s (CPU)"]
    assert "a: compared are the trials of 3 epochs alone, 1 of 4." in found.sentences


# A home in which a search ran ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two arms of four trials each, the best trained anew on three seeds; one arm that is run as it is."""
    pytest.importorskip("optuna", reason="needs the extra `search`")
    from engine.collect import collect
    from engine.search.advance import advance
    from tests.search.objective import SPACE, finish_open, make_spec, submit_study

    home = open_home(tmp_path_factory.mktemp("searched") / "home", create=True)
    space = {path: axis for path, axis in SPACE.items() if path != "train.label_smoothing"}
    spec = make_spec(trials=4, space=space, final={"seeds": [1, 2, 3]}, arms={"fixed": None}, sampler="random")
    arms = {"plain": {}, "soft": {"train.label_smoothing": 0.1}, "fixed": {"train.label_smoothing": 0.2}}
    submit_study(home, {**spec, "arms": arms})
    while home.search_mark("study").exists() and advance(home, "study"):
        finish_open(home)
    finish_open(home)
    collect(home)
    return home


def test_a_search_that_ran_is_reported_in_every_form(home: Home, tmp_path: Path) -> None:
    page, html, latex = (path.read_text() for path in make_report(home, "study", ("md", "html", "tex"), tmp_path))
    for text in (page, html):
        assert "Run as written, and not searched: fixed." in text
        assert "4 of 4" in text
    assert "## Search" in page
    assert "The best, trained anew" in html
    tables = sorted(path.name for path in (tmp_path / "tables").glob("search-*.tex"))
    assert tables == [f"search-{at}.tex" for at in range(1, 6)]
    assert all(name in latex for name in tables)


def test_finals_say_which_trial_they_are(home: Home, tmp_path: Path) -> None:
    from store.results import open_snapshot

    with open_snapshot(home) as db:
        finals = db.execute("select arm, searched, trial from finals").fetchall()
        best = db.execute("select arm, arg_max(trial, val_top1) from trials group by arm order by arm").fetchall()
        seeds = db.execute("select count(*) from finals join results using (experiment, arm)").fetchone()
        asked = db.execute("select experiment, asked, stopped from searches").fetchall()
    assert finals == [(f"{arm}-best", arm, trial) for arm, trial in best]
    assert seeds == (6,)
    assert asked == [("study", 4, False)]


# A home whose trainings are known -------------------------------------------------------------------------------------


def test_time_is_that_of_each_training_once_with_its_gpus_and_what_failed(tmp_path: Path) -> None:
    """Trial 0 ran 12 s on a processor, 1 took its training over, 2 ran 30 s on two GPUs, 3 failed after 12 s."""
    from engine.analysis.snapshot import one_snapshot
    from engine.collect import collect
    from engine.report.reading import read_rows

    made = SyntheticHome(tmp_path)
    made.train("train-one", Arm(0.5), 0)
    attempt, journal = made.attempt(made.job("train-two", "train"), 1)
    journal.close()
    attempt.provenance.write_text(json.dumps({"device": "NVIDIA H100"}))
    made.finish("train-two", attempt, 30.0)
    attempt.outcome.write_text(json.dumps({"outcome": "done", "slot": "0,1", "started_at": 0.0, "ended_at": 30.0}))
    attempt, journal = made.attempt(made.job("train-bad", "train"), 1)
    journal.close()
    made.outcome(attempt, "crashed", "reason")
    jobs = ["train-one", "train-one", "train-two", "train-bad"]
    told = [{"arm": "a", "trial": at, "trial_arm": f"a-t00{at}", "why": "tpe", "refused": None, "stage": "train",
             "settings": {"train.lr": LR[at]}, "at": float(at), "rung": 0} for at in range(4)]  # fmt: skip
    runs = [{"run": f"run-{at}", "arm": f"a-t00{at}", "cell": "default", "seed": 0, "split": "60/20/20",
             "settings": {}, "jobs": {"student": job}} for at, job in enumerate(jobs)]  # fmt: skip
    spec = {"name": "x", "arms": {"a": {}}, "search": {"space": SPACE}}
    made.record("x", runs, "a", spec=spec, search={"asked": 4, "stopped": False, "trials": told})
    collect(made.home)
    with one_snapshot(made.home) as snapshot:
        rows = read_rows(snapshot, "x")
    found = gather_searches(spec, rows.searches, rows.trials)
    assert found is not None
    (arm,) = found.arms
    assert arm.costs == [12.0, 0.0, 60.0, 12.0]
    assert time_text(arm.work) == "1 min 0 s (GPU) + 24 s (CPU)"
    assert [one.name for one in arm.best] == ["a-t000"]


def test_a_front_shows_its_points_trained_anew_with_their_intervals() -> None:
    front = section(BOTH, **PAIR, **FRONT_ANEW).charts.front
    assert front is not None
    (one,) = front.anew
    assert one.arm == "a"
    assert one.spot[1] == pytest.approx(61.0)
    assert one.across == (None, None) or one.across[0] == one.across[1], "every seed has as many MACs"
    low, high = one.up
    assert low is not None
    assert high is not None
    assert low < 61.0 < high


def test_what_a_network_has_once_is_no_luck() -> None:
    told = section(BOTH, **PAIR, **FRONT_ANEW).sentences
    assert any("its val_top1 as a trial" in line for line in told)
    assert not any("its macs as a trial" in line for line in told), "the same network has the same MACs"


def test_seeds_of_the_best_were_asked_for_beforehand() -> None:
    runs = final_runs("a-best", 0.6, 0.62, 0.61)
    for seeds, is_added in (([1, 2, 3], False), ([1, 2], True)):
        page = searched_page(
            trials_of("a", 0.5, 0.6, 0.7), finals={"a-best": ("a", 2)}, runs=runs, final={"seeds": seeds},
            spec_seeds=[0],
        )  # fmt: skip
        notes = [note for table in page.results for note in table.notes]
        assert any("seeds beyond those that the spec asks for" in note for note in notes) is is_added
