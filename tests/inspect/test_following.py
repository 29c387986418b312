"""Following until the end: who shows what, a scheduler that died, one that gets nothing done."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import HomeError, XpError
from engine.home.paths import Home
from engine.inspect import following
from engine.inspect.following import Keeper, follow
from engine.inspect.status import ExperimentView
from tests.helpers.queueing import Probe, make_home, submit_probes


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def a_view(done: int = 0, state: str = "queued") -> ExperimentView:
    return ExperimentView("one", {}, {state: 2, "done": done}, {}, ())


def test_each_look_is_shown_and_the_last_one_returned(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [a_view(1), a_view(2), ExperimentView("one", {}, {"done": 4}, {}, ())]
    monkeypatch.setattr(following, "read_status", lambda *_: [looks[len(shown)]])
    monkeypatch.setattr(following, "LOOK", 0.0)
    shown: list[ExperimentView] = []
    assert follow(home, "one", shown.append, print) is looks[-1]
    assert shown == looks[:-1]


def test_what_the_queue_does_not_know_is_an_error(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    with pytest.raises(HomeError, match="does not know two any more"):
        follow(home, "two", print, print)


def test_schedulers_that_get_something_done_are_never_given_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Home] = []
    told: list[str] = []
    monkeypatch.setattr(following, "start_detached", begun.append)
    keeper = Keeper(home, told.append)
    for done in (1, 2, 3, 4, 5, 5, 5):
        keeper.look(a_view(done))
    assert len(begun) == 7
    with pytest.raises(XpError, match="ends as soon as it starts"):
        keeper.look(a_view(5))


def test_a_scheduler_that_works_or_starts_is_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "start_detached", lambda _: pytest.fail("one more was started"))
    told: list[str] = []
    for name in ("scheduler_alive", "is_starting"):
        with monkeypatch.context() as patch:
            patch.setattr(following, name, lambda _: True)
            Keeper(home, told.append).look(a_view())
    assert told == []
