"""What keys mean while watching: choosing, panes, and orders that go through the functions of their commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.cli.watcher import Watcher
from engine.errors import XpError
from engine.home.paths import Home
from tests.helpers.queueing import Probe, make_home, states, submit_probes

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe(f"train-{number}") for number in range(3)])
    submit_probes(home, "two", [Probe("train-9")])
    return home


def watch(home: Home, name: str | None = "one") -> Watcher:
    watcher = Watcher(home, name)
    watcher.look()
    return watcher


def press(watcher: Watcher, *keys: str) -> Watcher:
    for key in keys:
        watcher.press(key)
    return watcher


def asked(watcher: Watcher) -> str:
    return watcher.question.text if watcher.question else ""


@pytest.mark.parametrize(
    ("keys", "row"),
    [((), 0), (("j",), 1), (("down", "down", "down", "down"), 2), (("end", "k"), 1), (("end", "home"), 0), (("up",), 0),
     (("page down",), 2), (("page down", "page up"), 0)],
)  # fmt: skip
def test_keys_move_the_choice_and_stay_in_the_list(home: Home, keys: tuple[str, ...], row: int) -> None:
    assert press(watch(home), *keys).row == row


def test_the_choice_stays_on_its_run_when_things_move(home: Home) -> None:
    watcher = press(watch(home), "j")
    chosen = watcher.chosen
    submit_probes(home, "one", [Probe(f"train-{number}") for number in (5, 6, 0, 1)])
    watcher.look()
    assert (watcher.chosen, watcher.row) == (chosen, 3)
    submit_probes(home, "one", [Probe("train-7")])
    watcher.look()
    assert watcher.chosen == "run-train-7"


def test_experiments_open_to_their_runs_and_back(home: Home) -> None:
    watcher = watch(home, None)
    assert watcher.keys == ["two", "one"]
    press(watcher, "j", "enter")
    assert (watcher.name, len(watcher.keys)) == ("one", 3)
    press(watcher, "l")
    press(watcher, "escape")
    assert (watcher.pane, watcher.name) == ("", "one")
    press(watcher, "escape")
    assert (watcher.name, watcher.chosen) == (None, "one")


def test_one_experiment_has_no_list_to_go_back_to(home: Home) -> None:
    assert press(watch(home), "escape").name == "one"


@pytest.mark.parametrize(
    ("keys", "pane"),
    [(("l",), "log"), (("enter",), "log"), (("c",), "curves"), (("?",), "help"), (("l", "l"), ""),
     (("l", "c"), "curves"), (("c", "escape"), ""), (("l", "j"), "log")],
)  # fmt: skip
def test_panes_open_and_close(home: Home, keys: tuple[str, ...], pane: str) -> None:
    assert press(watch(home), *keys).pane == pane


def test_a_cancel_is_asked_and_done_after_y_alone(home: Home) -> None:
    watcher = press(watch(home), "j", "x")
    assert asked(watcher) == "cancel one/arm/cell@1? y/n"
    press(watcher, "n")
    assert asked(watcher) == ""
    assert (watcher.message, set(states(home).values())) == ("nothing was done", {"queued"})
    press(watcher, "x", "y")
    assert watcher.message == "cancel one/arm/cell@1: 1 job"
    assert {job for job, state in states(home).items() if state == "cancelled"} == {"train-1"}


def test_retry_brings_back_what_was_cancelled(home: Home) -> None:
    watcher = press(watch(home), "x", "y", "r")
    assert watcher.message == "retry one/arm/cell@0: 1 job"
    assert states(home)["train-0"] == "queued"


def test_pause_and_the_same_key_again_resumes(home: Home) -> None:
    watcher = press(watch(home), "p")
    assert (watcher.message, states(home)["train-0"]) == ("pause one/arm/cell@0: 1 job", "paused")
    press(watcher, "p")
    assert (watcher.message, states(home)["train-0"]) == ("resume one/arm/cell@0: 1 job", "queued")


def test_a_whole_experiment_is_paused_and_resumed_from_the_list(home: Home) -> None:
    watcher = press(watch(home, None), "j", "p")
    assert watcher.message == "pause one: 3 jobs"
    press(watcher, "p")
    assert (watcher.message, set(states(home).values())) == ("resume one: 3 jobs", {"queued"})


def test_an_order_that_changes_nothing_says_why(home: Home) -> None:
    assert press(watch(home), "r").message == "retry one/arm/cell@0: nothing to do: 1 queued"


def test_an_order_that_fails_says_so_and_watching_goes_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> list[str]:
        raise XpError("the disk is full")

    monkeypatch.setattr("engine.cli.watcher.give_order", fail)
    watcher = press(watch(home), "r")
    assert (watcher.message, watcher.is_over) == ("the disk is full", False)


def test_q_leaves_and_other_keys_point_to_the_help(home: Home) -> None:
    assert press(watch(home), "z").message == "? tells the keys"
    assert press(watch(home), "q").is_over


def test_an_empty_home_is_watched_without_a_choice(tmp_path: Path) -> None:
    watcher = press(watch(make_home(tmp_path), None), "j", "enter", "x", "p", "l", "c")
    assert (watcher.chosen, watcher.question, watcher.name) == ("", None, None)
