"""A place is a file and a line: the word reaches the scheduler, is kept by the home, and is refused when it is none."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Handle, Launcher, Order, State, Status
from engine.launch.local import LocalLauncher
from engine.launch.places import LAUNCHERS, check_executor, choose_executor, make_launcher, read_executor
from engine.schedule.worker import run_worker
from tests.helpers.queueing import Probe, make_home, states, submit_probes

FIVE = ("submit", "poll", "stop", "find", "capacity")


class PaperPlace(Launcher):
    """A place with the five calls alone, where every job is done as soon as it is asked for."""

    def __init__(self, preload: str, slots: int) -> None:
        self.slots = slots

    def submit(self, order: Order) -> Handle:
        order.folder.root.mkdir(parents=True)
        write_json(order.folder.result, {"attempt": order.attempt, "slot": order.slot})
        order.home.job(order.job).commit(order.folder)
        return Handle(order.job, order.attempt, str(order.folder.root))

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Status]:
        return {handle: Status(State.GONE, 0) for handle in handles}

    def stop(self, handle: Handle, grace: float) -> None:
        """Nothing is at work that could be stopped."""

    def find(self, job: str, attempt: int, folder: str) -> Handle | None:
        return Handle(job, attempt, folder)

    def capacity(self) -> list[str]:
        return [f"paper:{number}" for number in range(self.slots)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.mark.parametrize("name", LAUNCHERS)
def test_every_place_has_the_five_calls(name: str) -> None:
    module, _, launcher = LAUNCHERS[name].partition(":")
    place = getattr(import_module(module), launcher)
    assert [call for call in FIVE if getattr(place, call) is getattr(Launcher, call)] == []


def test_the_local_place_gets_program_and_slots(home: Home) -> None:
    made = make_launcher(home, "local", "some.module", 3)
    assert isinstance(made, LocalLauncher)
    assert (made.preload, made.cpus) == ("some.module", 3)


def test_five_calls_are_enough_for_a_scheduler(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word that a person gave is the place where the home's scheduler runs jobs."""
    monkeypatch.setitem(LAUNCHERS, "paper", f"{__name__}:PaperPlace")
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    choose_executor(home, "paper")
    assert run_worker(home, 2, until_idle=True, collect=None) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
    assert home.job("train-1").winner() is not None
    assert '"slot": "paper:' in home.job("train-1").result.read_text()


def test_a_home_keeps_its_word_until_another(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LAUNCHERS, "paper", f"{__name__}:PaperPlace")
    assert (read_executor(home), choose_executor(home, None)) == ("local", "local")
    assert choose_executor(home, "local") == "local"
    assert not home.executor_file.exists(), "nothing was changed"
    assert choose_executor(home, "paper") == choose_executor(home, None) == read_executor(home) == "paper"
    assert choose_executor(home, "local") == read_executor(home) == "local"


def test_an_unknown_place_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LAUNCHERS, "paper", "nowhere:Paper")
    with pytest.raises(XpError, match="there is no executor 'moon'") as caught:
        check_executor("moon")
    assert (caught.value.exit_code, caught.value.fix) == (
        2,
        "choose one of 'local', 'paper', 'ray', 'ray-jobs', 'slurm', 'slurm-jobs'",
    )
    check_executor("paper")  # asked of the list alone: nothing is imported
