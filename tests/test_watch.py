"""Watching until the end: lines for a pipe, a scheduler that died and one that cannot work."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from engine import watch
from engine.errors import XpError
from engine.home import Home
from engine.watch import wait_for
from engine.worker import start_detached
from tests.queueing import PROBE, Probe, make_home, submit_probes
from tests.worker.working import working


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name, seconds in (("LOOK", 0.02), ("LINE", 0.1), ("CHECK", 0.1)):
        monkeypatch.setattr(watch, name, seconds)
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
    assert "failed: role0 arm cell seed 1 (train-2): exit 88: leaving early" in text_of(console)
    assert ("one: 0/2 jobs" in text_of(console)) == (not terminal)


def test_a_scheduler_that_died_is_followed_by_another(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "start_detached", lambda home: start_detached(home, preload=PROBE, collects=False))
    submit_probes(home, "one", [Probe("train-1")])
    console = make_console()
    assert wait_for(home, "one", console) == 0
    assert "the scheduler is gone: starting another one" in text_of(console)


def test_a_scheduler_that_cannot_work_is_given_up_with_its_last_words(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []
    monkeypatch.setattr(watch, "start_detached", lambda _: begun.append(time.monotonic()))
    home.scheduler_log.write_text("12:00 cannot load engine.run: ImportError: no torch\nfix: run `xp doctor`\n")
    submit_probes(home, "one", [Probe("train-1")])
    with pytest.raises(XpError, match=r"cannot load engine\.run: ImportError: no torch"):
        wait_for(home, "one", make_console())
    assert len(begun) == 3
