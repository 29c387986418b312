"""Watching until the end: lines for a pipe, a scheduler that died and one that cannot work."""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path

import pytest
from rich.console import Console

from engine.cli import progress as watch
from engine.cli.progress import Screen, wait_for
from engine.errors import HomeError, XpError
from engine.home.paths import Home
from engine.inspect import following
from engine.inspect.status import ExperimentView
from engine.schedule.worker import start_detached
from tests.helpers.queueing import PROBE, Probe, make_home, submit_probes
from tests.schedule.worker.working import working


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(watch, "LINE", 0.1)
    for name, seconds in (("LOOK", 0.02), ("CHECK", 0.1)):
        monkeypatch.setattr(following, name, seconds)
    monkeypatch.setattr(watch, "collect", lambda *_, **__: None)
    return make_home(tmp_path)


class Noticing(io.StringIO):
    """A screen that makes the file `go` as soon as the experiment `one` was shown on it."""

    def __init__(self, go: Path) -> None:
        super().__init__()
        self.go = go

    def write(self, text: str) -> int:
        if "one" in text:
            self.go.touch()
        return super().write(text)


class Vanishing(io.StringIO):
    """A screen upon which the home vanishes as soon as something is shown."""

    def __init__(self, home: Home) -> None:
        super().__init__()
        self.home = home

    def write(self, text: str) -> int:
        shutil.rmtree(self.home.root, ignore_errors=True)
        return super().write(text)


def make_console(*, terminal: bool = False, file: io.StringIO | None = None) -> Console:
    return Console(file=file or io.StringIO(), force_terminal=terminal, width=100)


def text_of(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("terminal", [False, True])
def test_the_end_is_shown_and_the_exit_code_is_that_of_the_experiment(home: Home, terminal: bool) -> None:
    go = home.root / "go"
    slow, bad = (
        Probe("train-1", does={"do": "sleep", "go": str(go)}),
        Probe("train-2", does={"do": "exit", "exit": 88}),
    )
    submit_probes(home, "one", [slow, bad])
    console = make_console(terminal=terminal, file=Noticing(go))
    with working(home):
        assert wait_for(home, "one", console) == 1
    assert "failed: one: role0 arm cell seed 1 (train-2): exit 88: leaving early" in text_of(console)
    assert ("one: 0/2 jobs" in text_of(console)) == (not terminal)


def test_a_home_that_vanishes_ends_the_waiting_with_an_error(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    console = make_console(file=Vanishing(home))
    with pytest.raises(HomeError, match="the home folder is gone while its jobs ran"):
        wait_for(home, "one", console)
    assert not home.root.exists(), "nothing is made in its place"


def test_an_experiment_that_the_queue_lost_ends_the_waiting_with_an_error(home: Home) -> None:
    with pytest.raises(HomeError, match="does not know one any more") as caught:
        wait_for(home, "one", make_console())
    assert caught.value.fix.startswith("xp rebuild --queue")


def test_a_scheduler_that_died_is_followed_by_another(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "start_detached", lambda home: start_detached(home, preload=PROBE, collects=False))
    submit_probes(home, "one", [Probe("train-1")])
    console = make_console()
    assert wait_for(home, "one", console) == 0
    assert "the scheduler is gone: starting another one" in text_of(console)


def test_a_scheduler_that_cannot_work_is_given_up_with_its_last_words(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []
    monkeypatch.setattr(following, "start_detached", lambda _: begun.append(time.monotonic()))
    home.scheduler_log.write_text("12:00 cannot load engine.run: ImportError: no torch\nfix: run `xp doctor`\n")
    submit_probes(home, "one", [Probe("train-1")])
    with pytest.raises(XpError, match=r"cannot load engine\.run: ImportError: no torch"):
        wait_for(home, "one", make_console())
    assert len(begun) == 3


# On a clock of its own ------------------------------------------------------------------------------------------------


class Clock:
    """Stands in for the clock of the watcher; sleeping moves it on."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch, "time", made)
    monkeypatch.setattr(watch, "LINE", 5.0)
    monkeypatch.setattr(watch, "CHECK", 2.0)
    return made


def a_view(done: int = 0, state: str = "queued") -> ExperimentView:
    return ExperimentView("one", {}, {state: 2, "done": done}, {}, ())


def test_lines_come_every_five_seconds_and_only_when_they_say_something_new(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "find_trouble", lambda *_: "")
    console = make_console()
    screen = Screen(make_home(tmp_path), console, None)
    for seconds, done in ((4.9, 0), (0.1, 0), (4.9, 1), (0.1, 1), (5.0, 1), (5.0, 2)):
        clock.sleep(seconds)
        screen.show([a_view(done)])
    assert [line.split(",")[0] for line in text_of(console).splitlines()] == [
        "one: 0/2 jobs", "one: 1/3 jobs", "one: 2/4 jobs",
    ]  # fmt: skip


def test_trouble_is_told_once_it_lasts_longer_than_two_looks(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [""]
    monkeypatch.setattr(watch, "find_trouble", lambda *_: now[-1])
    screen = Screen(make_home(tmp_path), make_console(), None)
    told = []
    for seconds, trouble in ((4.0, "ill"), (0.1, "ill"), (1.0, ""), (3.9, "ill"), (0.2, "ill")):
        clock.sleep(seconds)
        now.append(trouble)
        told.append(screen._lasting_trouble([a_view()]))
    assert told == ["", "ill", "", "", "ill"]


@pytest.mark.parametrize("terminal", [False, True])
def test_watching_goes_on_until_interrupted_and_leaves_the_last_view(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    looks: list[str | None] = []

    def read(_home: Home, experiment: str | None) -> list[ExperimentView]:
        looks.append(experiment)
        if len(looks) == 9:
            raise KeyboardInterrupt
        return [a_view(len(looks))]

    monkeypatch.setattr(watch, "read_status", read)
    monkeypatch.setattr(watch, "find_trouble", lambda *_: "")
    console = make_console(terminal=terminal)
    with pytest.raises(KeyboardInterrupt):
        watch.watch_status(make_home(tmp_path), "one", console)
    assert looks == ["one"] * 9
    assert clock.now == 108.0, "a second between looks"
    assert (text_of(console).endswith(", 2 queued\n") and "8 done" in text_of(console)) == terminal
    assert ("one: 6/8 jobs" in text_of(console)) == (not terminal)
