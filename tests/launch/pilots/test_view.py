"""One pilot as the scheduler sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.launch import State, Status
from engine.launch.pilots.folder import PilotFolder
from engine.launch.pilots.messages import RunOrder
from engine.launch.pilots.view import LOST_SECONDS, QUIET_SECONDS, PilotView
from tests.helpers.queueing import make_home
from tests.launch.pilots.flying import FakeEngine


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    home = make_home(tmp_path)
    (home.pilots_root / "x-0").mkdir(parents=True)
    return FakeEngine(home)


@pytest.fixture
def view(engine: FakeEngine) -> PilotView:
    return PilotView(PilotFolder(engine.home.pilots_root / "x-0"))


def run_order(view: PilotView, job: str = "j") -> RunOrder:
    return RunOrder(job=job, attempt=1, slot=view.slots()[0], cache="/c")


def test_one_that_has_not_begun_has_no_slots(view: PilotView) -> None:
    assert (view.hear(), view.slots(), view.takes_orders, view.is_over) == (False, [], False, False)


def test_its_slots_name_node_and_pilot(engine: FakeEngine, view: PilotView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURMD_NODENAME", "n7")
    engine.begin("x-0", ["GPU-1", "GPU-2"])
    assert view.hear()
    assert view.slots() == ["GPU-1@n7/x-0", "GPU-2@n7/x-0"]


def test_a_closing_one_has_no_slots_and_may_still_tell(engine: FakeEngine, view: PilotView) -> None:
    pilot = engine.begin("x-0")
    pilot.close("enough")
    view.hear()
    assert (view.slots(), view.is_over) == ([], False)
    pilot.finish()
    view.hear()
    assert view.is_over


def test_ends_are_states_of_the_launcher(engine: FakeEngine, view: PilotView) -> None:
    engine.begin("x-0")
    view.hear()
    view.run(run_order(view))
    assert not view.is_idle()
    engine.turn()
    engine.nodes["x-0"].end("j", -9)
    engine.turn()
    view.hear()
    assert view.ended["j", 1] == Status(State.GONE, -9)
    assert view.is_idle()


def test_a_later_scheduler_knows_earlier_orders(engine: FakeEngine, view: PilotView) -> None:
    engine.begin("x-0")
    view.hear()
    view.run(run_order(view))
    again = PilotView(view.folder)
    assert again.ordered == view.ordered == {("j", 1): view.slots()[0]}


def test_silence_grows_until_a_beat(engine: FakeEngine, view: PilotView) -> None:
    pilot = engine.begin("x-0")
    view.hear()
    view.feel()
    view.beat_at -= QUIET_SECONDS + 1
    assert view.is_quiet()
    assert view.slots() == [], "nothing is given to one that may be gone"
    view.beat_at -= LOST_SECONDS
    assert view.is_lost()
    pilot.folder.write_beat(5)
    view.feel()
    assert (view.is_quiet(), view.is_lost(), len(view.slots())) == (False, False, 1)
