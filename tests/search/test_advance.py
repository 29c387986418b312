"""Trials are asked for, done and chosen; a look that was killed is looked again; nothing is tried twice."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.home.files import read_object
from engine.home.paths import Home, open_home
from engine.home.records import read_record
from engine.schedule.growing import WORD, extend_search, stop_search
from engine.schedule.keep.remove import remove
from engine.schedule.keep.undo import undo
from engine.schedule.searched import read_progress
from engine.search import advance as looking
from engine.search.advance import advance
from engine.search.decisions import Trial, read_study
from engine.spec.identity import canonical_json
from store.queue import Queue
from tests.search.objective import SPACE, finish_open, make_spec, submit_study
from tests.search.working import work_off

pytest.importorskip("optuna", reason="needs the extra `search`")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def record_of(home: Home, name: str = "study") -> dict[str, Any]:
    return read_record(home.records(name)[-1])


def trials_of(home: Home, name: str = "study") -> tuple[Trial, ...]:
    return read_study(home, record_of(home, name)).trials


def test_a_study_ends_with_its_best(home: Home) -> None:
    submit_study(home, make_spec(trials=12))
    work_off(home)
    trials = trials_of(home)
    assert len(trials) == 12
    assert {one.state for one in trials} == {"done"}
    assert not home.search_mark("study").exists(), "it is over"
    best = max(trials, key=lambda one: one.values["val_top1"])
    assert read_progress(home, "study")[0].best == ((best.decision.trial_arm, best.values),)


def test_trials_are_runs_of_the_record_and_reused_by_another_study(home: Home) -> None:
    submit_study(home, make_spec(trials=3))
    work_off(home)
    submit_study(home, make_spec("again", trials=3))
    advance(home, "again")
    assert finish_open(home) == [], "the same seed draws the same, and all of it is done"
    first, again = trials_of(home), trials_of(home, "again")
    assert [one.decision.settings for one in first] == [one.decision.settings for one in again]
    assert {one.state for one in again} == {"done"}


def test_two_looks_change_nothing(home: Home) -> None:
    submit_study(home, make_spec(trials=5))
    advance(home, "study")
    before = home.records("study")[-1].read_bytes()
    advance(home, "study")
    assert home.records("study")[-1].read_bytes() == before


def test_as_many_are_open_as_may_be(home: Home) -> None:
    submit_study(home, make_spec(trials=7, parallel=3))
    advance(home, "study")
    assert [one.state for one in trials_of(home)] == ["open"] * 3
    work_off(home)
    assert [one.state for one in trials_of(home)] == ["done"] * 7


def test_killed_anywhere_it_draws_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    calm = open_home(home.root.parent / "calm", create=True)
    for place in (home, calm):
        submit_study(place, make_spec(trials=13))
    work_off(calm)
    places = itertools.cycle(["grow_record", "heal", "plan_trial", "write_progress"])
    while home.search_mark("study").exists():
        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(looking, next(places), die)
            advance(home, "study")
        advance(home, "study")
        finish_open(home)
    told, wanted = [[(one.decision.settings, one.values) for one in trials_of(place)] for place in (home, calm)]
    assert told == wanted
    assert len({canonical_json(settings) for settings, _ in told}) == 13


def test_written_and_not_queued_is_queued_by_the_next_look(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_study(home, make_spec(trials=2))
    with monkeypatch.context() as patch:
        patch.setattr(Queue, "grow_experiment", lambda *_: None)
        advance(home, "study")
    assert finish_open(home) == []
    advance(home, "study")
    assert finish_open(home)


def test_what_breaks_a_bound_is_measured_and_not_trained(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    space = {"train.lr": SPACE["train.lr"], "student.dims": {"choice": [[16, 16, 16, 16], [32, 32, 64, 96]]}}
    spec = make_spec(trials=4, space=space, constraint={"params": {"below": 50_000}})
    submit_study(home, spec)
    kinds: list[str] = []
    while home.search_mark("study").exists():
        advance(home, "study")
        ready = finish_measured(home)
        kinds += [job.partition("-")[0] for job in ready]
        if not ready:
            break
    trials = trials_of(home)
    refused = [one for one in trials if one.state == "refused"]
    assert refused
    assert all("params is" in (one.decision.refused or "") for one in refused)
    assert sum(one.state == "done" for one in trials) == 4, "refused ones do not count"
    assert kinds.count("train") == 4


def finish_measured(home: Home) -> list[str]:
    """Do the ready jobs; what measures says how many parameters its network has."""
    from store.journal import JournalWriter
    from tests.search import objective

    def do(job: Any, attempt: Any) -> None:
        told = read_object(job.spec) or {}
        if told["kind"] == "measure":
            params = sum(told["settings"]["network"]["dims"]) * 500.0
            journal = JournalWriter(attempt.journal)
            about = {"device": "cpu", "precision": "fp32", "batch_size": 1, "threads": 1}
            journal.measurement("params", params, "count", **about)  # type: ignore[arg-type]  # of several kinds
            journal.close()
        plain(job, attempt)

    plain, objective.do = objective.do, do
    try:
        return finish_open(home)
    finally:
        objective.do = plain


def test_the_best_is_trained_anew_on_fresh_seeds(home: Home) -> None:
    submit_study(home, make_spec(trials=3, final={"seeds": [1, 2]}))
    work_off(home)
    record = record_of(home)
    runs = [(run["arm"], run["seed"], sorted(run["jobs"])) for run in record["runs"] if run["arm"].endswith("-best")]
    assert [(arm, seed) for arm, seed, _ in runs] == [("study-best", 1), ("study-best", 2)]
    assert "measure" in runs[0][2]
    trial_roles = {role for run in record["runs"] if not run["arm"].endswith("-best") for role in run["jobs"]}
    assert "explain" not in trial_roles, "trials have no maps"
    best = max(
        (one for one in trials_of(home) if one.decision.stage == "train"), key=lambda one: one.values["val_top1"]
    )
    final = next(one for one in trials_of(home) if one.decision.stage == "final")
    assert final.decision.settings == best.decision.settings


def test_arms_have_the_same_number_of_trials(home: Home) -> None:
    spec = {
        **make_spec(trials=3),
        "arms": {"plain": {}, "wide": {"train.batch_size": 64}, "as_is": {"train.batch_size": 32}},
    }
    spec["search"]["arms"] = {"as_is": None}
    submit_study(home, spec)
    assert {run["arm"] for run in record_of(home)["runs"]} == {"as_is"}, "it is run as it is written"
    work_off(home)
    counts = {arm: sum(one.decision.arm == arm for one in trials_of(home)) for arm in ("plain", "wide", "as_is")}
    assert counts == {"plain": 3, "wide": 3, "as_is": 0}


def test_more_trials_in_the_spec_go_on_with_the_same_study(home: Home) -> None:
    submit_study(home, make_spec(trials=2))
    work_off(home)
    before = [one.decision.settings for one in trials_of(home)]
    submit_study(home, make_spec(trials=4))
    work_off(home)
    after = [one.decision.settings for one in trials_of(home)]
    assert after[:2] == before
    assert len(after) == 4


def test_another_space_is_another_study(home: Home) -> None:
    submit_study(home, make_spec(trials=2))
    work_off(home)
    submit_study(home, make_spec(trials=2, space={"train.lr": {"log": [1e-4, 1e-2]}}))
    work_off(home)
    assert [set(one.decision.settings) for one in trials_of(home)] == [{"train.lr"}] * 2


def test_a_small_space_is_exhausted_and_the_search_over(home: Home) -> None:
    submit_study(
        home, make_spec(trials=9, sampler="grid", space={"student.attention.kind": SPACE["student.attention.kind"]})
    )
    work_off(home)
    states = [one.state for one in trials_of(home)]
    assert states == ["done", "done", "refused"]
    assert not home.search_mark("study").exists()
    assert str(read_progress(home, "study")[0]).startswith("study: 2 of 9 trials done; best"), "the end is no trial"


def test_a_failed_trial_counts_and_the_study_goes_on(home: Home) -> None:
    submit_study(home, make_spec(trials=3))
    advance(home, "study")
    finish_open(home)  # the pack
    with Queue(home.queue_db) as queue:
        open_jobs = [job for job, state in queue.job_states().items() if state == "queued"]
        queue.request_cancel(open_jobs)
    work_off(home)
    assert sorted(one.state for one in trials_of(home)) == ["done", "done", "failed"]


def test_a_trial_that_was_removed_is_replaced_and_holds_nothing_up(home: Home) -> None:
    submit_study(home, make_spec(trials=3, parallel=1, final={"seeds": [1]}))
    work_off(home)
    remove(home, "study/study-t001")
    assert [one.state for one in trials_of(home)][:3] == ["done", "refused", "done"]
    extend_search(home, "study", 4)
    work_off(home)
    trials = [one for one in trials_of(home) if one.decision.stage == "train"]
    assert [one.state for one in trials] == ["done", "refused", "done", "done", "done"]
    assert not home.search_mark("study").exists(), "it is over"


def test_what_was_asked_for_since_a_removal_stays_when_that_is_undone(home: Home) -> None:
    submit_study(home, make_spec(trials=3, parallel=1))
    work_off(home)
    before = {run["arm"]: run["run"] for run in record_of(home)["runs"]}
    remove(home, "study/study-t001")
    extend_search(home, "study", 5)
    work_off(home)
    undo(home)
    assert [one.state for one in trials_of(home)] == ["done"] * 6, (
        "three at first, three more for the one that was gone"
    )
    assert record_of(home)[WORD]["asked"] == 5
    assert before.items() <= {run["arm"]: run["run"] for run in record_of(home)["runs"]}.items()


def test_a_best_that_was_removed_is_trained_anew_by_the_next_submit(home: Home) -> None:
    submit_study(home, make_spec(trials=2, final={"seeds": [1, 2]}))
    work_off(home)
    remove(home, "study/study-best")
    assert "study-best" not in {run["arm"] for run in record_of(home)["runs"]}
    submit_study(home, make_spec(trials=2, final={"seeds": [1, 2]}))
    work_off(home)
    assert [run["seed"] for run in record_of(home)["runs"] if run["arm"] == "study-best"] == [1, 2]
    finish_open(home)
    assert [one.state for one in trials_of(home)] == ["done"] * 3


def test_what_was_stopped_stays_so_until_more_is_asked_for(home: Home) -> None:
    submit_study(home, make_spec(trials=4, parallel=1))
    advance(home, "study")
    stop_search(home, "study")
    work_off(home)
    submit_study(home, make_spec(trials=4, parallel=1))
    work_off(home)
    assert len(trials_of(home)) == 1
    assert str(read_progress(home, "study")[0]).startswith("study: 1 of 4 trials done, stopped; best")
    submit_study(home, make_spec(trials=5, parallel=1))
    work_off(home)
    assert len(trials_of(home)) == 5


def test_how_far_another_search_was_is_forgotten(home: Home) -> None:
    submit_study(home, make_spec(trials=2))
    work_off(home)
    assert read_progress(home, "study")
    submit_study(home, make_spec(trials=2, space={"train.lr": {"log": [1e-4, 1e-2]}}))
    assert read_progress(home, "study") == ()


def test_a_best_that_takes_anothers_place_is_another_run_and_said_to_be_tested_again(home: Home) -> None:
    submit_study(home, make_spec(trials=1, sampler="random", final={"seeds": [1]}))
    work_off(home)
    finish_open(home)
    first = {run["run"] for run in record_of(home)["runs"] if run["arm"] == "study-best"}
    assert [row["is_again"] for row in winners_of(home)] == [False]
    extend_search(home, "study", 12)
    work_off(home)
    finish_open(home)
    final = next(one.decision for one in trials_of(home) if one.decision.stage == "final")
    assert final.trial > 0, "with this seed a later one is better"
    assert [row["is_again"] for row in winners_of(home)] == [True]
    assert first.isdisjoint(run["run"] for run in record_of(home)["runs"])


def winners_of(home: Home) -> list[dict[str, Any]]:
    collect(home)
    with one_snapshot(home) as snapshot:
        return snapshot.ask("report_winners", name="study")
