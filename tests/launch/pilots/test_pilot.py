"""One pilot on a made-up machine: what it takes, what it tells, when it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.launch.pilots.folder import (
    BRISK_FOR,
    BRISK_SECONDS,
    CALM_SECONDS,
    LineReader,
    LineWriter,
    PilotFolder,
)
from engine.launch.pilots.messages import LeaveOrder, Message, RunOrder, StopOrder
from engine.launch.pilots.pilot import NO_HOME, Pilot, Terms, main
from tests.helpers.queueing import make_home
from tests.launch.pilots.flying import NodeLauncher


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def node() -> NodeLauncher:
    return NodeLauncher()


def fly(home: Home, node: NodeLauncher, terms: Terms | None = None) -> Pilot:
    folder = PilotFolder(home.pilots_root / "x-0")
    folder.root.mkdir(parents=True)
    pilot = Pilot(folder, node, terms or Terms())
    pilot.open()
    return pilot


def order(pilot: Pilot, *messages: Message) -> None:
    LineWriter(pilot.folder.orders).write(message.model_dump() for message in messages)


def run_order(home: Home, job: str = "j", attempt: int = 1) -> RunOrder:
    return RunOrder(job=job, attempt=attempt, slot="cpu:0@n1/x-0", cache=str(home.cache))


def told(pilot: Pilot) -> list[str]:
    return [line["told"] for line in LineReader(pilot.folder.told).read()]


def test_an_order_runs_and_its_end_is_told(home: Home, node: NodeLauncher) -> None:
    pilot = fly(home, node)
    order(pilot, run_order(home))
    assert pilot.turn()
    assert [(one.job, one.slot, one.home) for one in node.orders] == [("j", "cpu:0@n1/x-0", home)]
    node.end("j", 85)
    assert pilot.turn()
    assert told(pilot) == ["opened", "began", "ended"]
    assert LineReader(pilot.folder.told).read()[-1]["exit"] == 85


def test_a_stop_is_passed_on(home: Home, node: NodeLauncher) -> None:
    pilot = fly(home, node)
    order(pilot, run_order(home), StopOrder(job="j", attempt=1, grace=2.5), StopOrder(job="k", attempt=1, grace=1))
    pilot.turn()
    assert node.stopped == [("j", 2.5)]


def test_one_that_is_told_to_leave_ends_what_runs_first(home: Home, node: NodeLauncher) -> None:
    pilot = fly(home, node)
    order(pilot, run_order(home), LeaveOrder(), run_order(home, "late"))
    assert pilot.turn()
    assert [one.job for one in node.orders] == ["j"], "an order after `closing` is never begun"
    node.end("j")
    assert not pilot.turn()
    pilot.finish()
    assert told(pilot) == ["opened", "closing", "began", "ended", "closed"]


def test_an_idle_one_ends(home: Home, node: NodeLauncher) -> None:
    pilot = fly(home, node, Terms(idle=5.0))
    assert pilot.turn()
    pilot.busy_at -= 6.0
    assert not pilot.turn()
    assert told(pilot) == ["opened", "closing"]


def test_work_keeps_one_from_being_idle(home: Home, node: NodeLauncher) -> None:
    pilot = fly(home, node, Terms(idle=5.0))
    order(pilot, run_order(home))
    pilot.turn()
    pilot.busy_at -= 6.0
    assert pilot.turn()
    assert told(pilot) == ["opened", "began"]


def test_one_for_a_single_attempt_takes_no_second(home: Home, node: NodeLauncher) -> None:
    pilot = fly(home, node, Terms(jobs=1))
    order(pilot, run_order(home), run_order(home, "second"))
    assert pilot.turn()
    assert [one.job for one in node.orders] == ["j"]


def test_a_machine_that_is_taken_away_saves_first(
    home: Home, node: NodeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    pilot = fly(home, node, Terms(grace=7.0))
    order(pilot, run_order(home))
    pilot.turn()
    monkeypatch.setattr(node, "wait", lambda seconds: node.end("j", 85))
    pilot.drain()
    pilot.finish()
    assert node.stopped == [("j", 7.0)]
    assert told(pilot) == ["opened", "began", "closing", "ended", "closed"]


def test_what_outlives_its_grace_is_not_said_to_have_ended(home: Home, node: NodeLauncher) -> None:
    pilot = fly(home, node, Terms(grace=-2.0))
    order(pilot, run_order(home))
    pilot.turn()
    pilot.drain()
    pilot.finish()
    assert "closed" not in told(pilot)


def test_a_beat_is_given_while_it_lives(home: Home, node: NodeLauncher) -> None:
    pilot = fly(home, node)
    assert pilot.folder.read_beat() == 0
    pilot.beat_at -= 3.0
    pilot.turn()
    assert pilot.folder.read_beat() == 1


def test_gpus_are_slots_where_there_is_no_cpu_slot(home: Home) -> None:
    assert fly(home, NodeLauncher(["GPU-1", "GPU-2"])).slots() == ["GPU-1", "GPU-2"]
    (home.pilots_root / "x-0").rename(home.pilots_root / "y-0")
    assert fly(home, NodeLauncher(["GPU-1", "cpu:0"])).slots() == ["cpu:0"], "a GPU that nobody asked for is not ours"


def test_a_machine_that_does_not_see_the_home_is_left_as_it_is(home: Home) -> None:
    assert main([str(home.root / "elsewhere" / "pilots" / "x-0")]) == NO_HOME
    assert not (home.root / "elsewhere").exists()


def test_looks_are_close_while_something_goes_on(home: Home, node: NodeLauncher) -> None:
    waits: list[float] = []
    node.wait = lambda seconds, also=(): waits.append(seconds)  # type: ignore[method-assign]  # nothing is to be awaited
    pilot = fly(home, node)
    pilot.rest()
    pilot.news_at -= BRISK_FOR
    pilot.rest()
    assert waits == [BRISK_SECONDS, CALM_SECONDS]
