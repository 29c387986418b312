"""A study by rungs, taken to its end in memory: who goes up, under which name, and what the sampler is told."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home
from engine.search import advance
from engine.search.decisions import Decision, State, Study, Trial
from engine.search.rungs import compared, sampled, trial_states
from engine.search.trials import Impossible, Work
from engine.spec import Spec

TREE: dict[str, Any] = {
    "name": "s",
    "data": {"source": "digits", "image_size": 32},
    "student": {"arch": "tiny_vit_5m"},
    "train": {"epochs": 9, "schedule": "wsd", "decay_epochs": 1},
}
SEARCH: dict[str, Any] = {
    "trials": 9, "sampler": "random", "space": {"train.lr": {"log": [1e-4, 1e-1]}},
    "fidelity": {"epochs": [1, 3, 9], "keep": 3}, "final": {"seeds": [1]},
}  # fmt: skip
Plan = Callable[..., Work]


def study_of(**search: Any) -> Study:
    tree = {**TREE, "search": {**SEARCH, **search}}
    asked = tree["search"]["trials"]
    return Study(Spec.model_validate(tree), {"number": 1, "search": {"asked": asked, "stopped": False}}, ())


class Bench:
    """Asks as the driver does and ends trials by a function of their settings; planning is written down alone."""

    def __init__(self, study: Study, value: Callable[[Decision], float | None]) -> None:
        self.study, self.value = study, value
        self.planned: dict[str, dict[str, Any]] = {}

    def plan(self, study: Study, home: Home, arm: str, named: str, settings: dict[str, Any], stage: str) -> Work:
        self.planned[named] = dict(settings)
        return Work((), ())

    def ask(self, home: Home) -> int:
        """Take every step there is now; return how many there were."""
        count = 0
        while steps := advance.next_steps(self.study, home):
            for decision, work in steps:
                state: State = "refused" if decision.refused else "open"
                assert (work is None) == (state == "refused")
                self.study = replace(self.study, trials=(*self.study.trials, Trial(decision, state)))
                count += 1
        return count

    def end(self, at: int) -> None:
        """End the open trial number `at` in the order in which they were asked for."""
        trials = list(self.study.trials)
        place = [number for number, one in enumerate(trials) if one.state == "open"][at]
        found = self.value(trials[place].decision)
        if found is None:
            trials[place] = replace(trials[place], state="failed")
        else:
            trials[place] = replace(trials[place], state="done", values={"val_top1": found})
        self.study = replace(self.study, trials=tuple(trials))

    @property
    def running(self) -> int:
        return sum(one.state == "open" for one in self.study.trials)

    @property
    def names(self) -> list[str]:
        return [one.decision.trial_arm for one in self.study.trials]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, tmp_path / "cache")


def run(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    value: Callable[[Decision], float | None],
    order: int = 0,
    **search: Any,
) -> Bench:
    """Run a study to its end; trials end in an order of chance."""
    bench, chance = Bench(study_of(**search), value), random.Random(order)
    monkeypatch.setattr(advance, "plan_trial", bench.plan)
    monkeypatch.setattr(advance, "is_gated", lambda search, work: False)
    bench.ask(home)
    while bench.running:
        assert bench.running <= bench.study.search.parallel
        bench.end(chance.randrange(bench.running))
        bench.ask(home)
    assert advance.is_over(bench.study)
    return bench


def near(decision: Decision) -> float:
    """The best rate is 3e-3, whatever the length."""
    return -abs(math.log10(decision.settings["train.lr"]) - math.log10(3e-3))


@pytest.mark.parametrize("order", range(5))
def test_one_in_three_goes_up_and_the_best_reaches_the_top(
    home: Home, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    bench = run(home, monkeypatch, near, order)
    trials = [one.decision for one in bench.study.trials if one.decision.stage != "final"]
    rungs = [one.rung for one in trials]
    assert len(set(bench.names)) == len(bench.names), "nothing is tried twice"
    assert rungs.count(0) == 9
    assert 3 <= rungs.count(1) <= 5, "as they end, one may go up that is not among the three in the end"
    assert rungs.count(2) >= 1
    best = max((one for one in trials if one.rung == 0), key=near)
    assert f"{best.trial_arm[:-1]}9" in bench.names
    final = bench.study.finals("s")
    assert [one.decision.trial for one in final] == [best.trial]
    assert bench.planned["s-best"] == {"train.lr": best.settings["train.lr"]}, "whole, from its start"


def test_names_lengths_and_reasons_are_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = run(home, monkeypatch, near)
    for one in bench.study.trials:
        decision = one.decision
        if decision.stage == "final":
            continue
        epochs = (1, 3, 9)[decision.rung]
        assert decision.trial_arm == f"s-t{decision.trial:03d}-e{epochs}"
        assert bench.planned[decision.trial_arm]["train.epochs"] == epochs
        assert bench.planned[decision.trial_arm]["train.rungs"] == [1, 3, 9]
        assert decision.settings.keys() == {"train.lr"}, "what was drawn"
        assert decision.why == ("promoted" if decision.rung else "random")


def test_who_goes_up_is_drawn_alike_whatever_order_they_end_in(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [
        {one.decision.trial: one.decision.settings for one in run(home, monkeypatch, near, order).study.trials}
        for order in (1, 2)
    ]
    assert drawn[0] == drawn[1]


def test_of_too_few_the_best_is_trained_whole_all_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = run(home, monkeypatch, near, trials=2, final=None)
    drawn = [one.decision for one in bench.study.trials if one.decision.rung == 0]
    best = max(drawn, key=near).trial
    assert bench.names == ["s-t000-e1", "s-t001-e1", f"s-t{best:03d}-e3", f"s-t{best:03d}-e9"]


def test_a_study_of_failures_ends(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = run(home, monkeypatch, lambda decision: None)
    assert len(bench.names) == 9
    assert bench.study.finals("s") == []


def test_one_that_cannot_go_up_is_refused_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Bench.plan

    def refuse(self: Bench, *told: Any) -> Work:
        if told[3].endswith("e9"):
            raise Impossible("no such training")
        return plan(self, *told)

    monkeypatch.setattr(Bench, "plan", refuse)
    bench = run(home, monkeypatch, near)
    refused = [one for one in bench.study.trials if one.state == "refused"]
    assert refused
    assert {one.decision.refused for one in refused} == {"no such training"}


def test_a_stopped_study_promotes_nobody(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(study_of(final=None), near)
    monkeypatch.setattr(advance, "plan_trial", bench.plan)
    monkeypatch.setattr(advance, "is_gated", lambda search, work: False)
    bench.ask(home)
    for _ in range(3):
        bench.end(0)
    bench.study = replace(bench.study, record={"number": 1, "search": {"asked": 9, "stopped": True}})
    assert bench.ask(home) == 0


def trial(number: int, rung: int, value: float | None = None, state: State = "done") -> Trial:
    decision = Decision(number, "s", f"s-t{number:03d}", {"train.lr": 10.0**-number}, "tpe", "train", 0.0, rung=rung)
    return Trial(decision, state, {} if value is None else {"val_top1": value})


def test_the_sampler_hears_of_one_rung_alone() -> None:
    """With one axis four trials are enough to tell of a rung."""
    search = study_of().search
    below = [trial(number, 0, number / 10) for number in range(6)]
    above = [trial(number, 1, 0.9) for number in range(2, 5)]
    assert sampled([*below, *above], search, "s") == below
    above.append(trial(5, 1, 0.8))
    told = sampled([*below, *above], search, "s")
    assert [one.decision.trial for one in told] == list(range(6))
    assert [one.state for one in told] == ["failed", "failed", "done", "done", "done", "done"]
    assert [one.values for one in told[:2]] == [{}, {}], "figures of another length"
    assert told[2:] == above


def test_trials_of_the_highest_rung_are_compared_and_each_trial_counted_once() -> None:
    trials = [trial(0, 0, 0.9), trial(1, 0, 0.8), trial(2, 0, state="failed"), trial(1, 1, 0.5)]
    assert [one.decision.trial for one in compared(trials)] == [1]
    assert trial_states([*trials, trial(1, 2, state="open")]) == ["done", "open", "failed"]
    assert compared([trial(0, 0, state="open")]) == [trial(0, 0, state="open")]
