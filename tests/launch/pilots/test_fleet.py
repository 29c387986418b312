"""All pilots of a home behind the launcher's face, with an engine that is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.files import write_json
from engine.launch import Handle, Order, State, Status, Want
from engine.launch.pilots.fleet import GPU_TO_COME, MOST_DUDS, MOST_UNSEEN, Fleet, pilot_of
from engine.launch.pilots.profile import SlurmProfile
from engine.launch.pilots.view import LOST_SECONDS
from tests.helpers.queueing import make_home
from tests.launch.pilots.flying import EAGER, FakeEngine, grow_quiet, look_again

CPU, GPU, HALF = Want(0.0, 1, 1 << 30, 60), Want(1.0, 4, 1 << 30, 60), Want(0.5, 4, 1 << 30, 60)
NEVER = Status(State.GONE, None, has_started=False)


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    return FakeEngine(make_home(tmp_path))


@pytest.fixture
def fleet(engine: FakeEngine) -> Fleet:
    return Fleet(engine.home, engine, EAGER)


def open_one(fleet: Fleet, engine: FakeEngine, want: Want = CPU) -> str:
    """Return the one slot of a pilot that was asked for and has begun."""
    fleet.asked_at = float("-inf")
    fleet.want([want])
    name = next(name for name, state in engine.states.items() if state == "pending")
    engine.begin(name, ["GPU-1"] if want.gpu else ["cpu:0"])
    look_again(fleet)
    return next(slot for slot in fleet.capacity() if pilot_of(slot) == name)


def start(fleet: Fleet, slot: str, job: str = "j") -> Handle:
    return fleet.submit(Order(fleet.home, job, 1, slot))


def state(fleet: Fleet, handle: Handle) -> Status:
    look_again(fleet)
    return fleet.poll([handle])[handle]


def test_what_waits_is_asked_for_at_once(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.want([CPU, CPU, CPU])
    assert [count for _, count in engine.asked] == [3]
    assert len(list(engine.home.pilots_root.iterdir())) == 3


def test_what_is_on_its_way_is_not_asked_for_again(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.want([CPU, CPU])
    fleet.asked_at = float("-inf")
    fleet.want([CPU, CPU])
    assert [count for _, count in engine.asked] == [2]
    fleet.asked_at = float("-inf")
    fleet.want([CPU, CPU, CPU])
    assert [count for _, count in engine.asked] == [2, 1]


def test_what_still_waits_is_heard_again(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.want([CPU])
    fleet.capacity()
    assert not fleet.has_news()
    fleet.asked_at = float("-inf")
    assert fleet.has_news()
    fleet.want([])
    assert not fleet.has_news()


def test_an_engine_that_does_not_answer_is_asked_again(
    fleet: Fleet, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = open_one(fleet, engine)
    handle = start(fleet, slot)
    engine.turn()

    def fail() -> None:
        raise OSError("squeue: no answer")

    monkeypatch.setattr(engine, "list_pilots", fail)
    grow_quiet(fleet)
    assert fleet.poll([handle])[handle].state == State.UNKNOWN
    monkeypatch.undo()
    engine.lose(pilot_of(slot))
    grow_quiet(fleet)
    assert fleet.poll([handle])[handle].state == State.GONE


def test_calls_are_kept_apart(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.profile = SlurmProfile(ask_seconds=60)
    fleet.want([CPU])
    fleet.want([CPU, CPU])
    assert [count for _, count in engine.asked] == [1]


def test_halves_of_a_gpu_share_a_pilot(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.want([HALF, HALF, HALF])
    assert [(shape.has_gpu, count) for shape, count in engine.asked] == [(True, 2)]


def test_no_more_than_the_site_allows(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.profile = SlurmProfile(most=2, ask_seconds=0.1)
    fleet.want([CPU] * 9)
    fleet.asked_at = float("-inf")
    fleet.want([CPU] * 9)
    assert [count for _, count in engine.asked] == [2]


def test_what_is_not_wanted_any_more_is_given_back(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.want([CPU, CPU])
    fleet.want([])
    look_again(fleet)
    assert len(engine.states) == 2, "another may be ready in a moment"
    fleet.calm_at -= EAGER.idle
    look_again(fleet)
    assert engine.states == {}
    assert len(engine.ended) == 2


def test_a_pilot_that_opens_brings_its_slots(fleet: Fleet, engine: FakeEngine) -> None:
    assert fleet.capacity() == []
    slot = open_one(fleet, engine)
    assert slot.startswith("cpu:0@")
    assert not fleet.has_news(), "as told"
    engine.pilots[pilot_of(slot)].close("enough")
    look_again(fleet)
    assert fleet.has_news()
    assert fleet.capacity() == []


def test_an_attempt_runs_and_ends(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    handle = start(fleet, slot)
    assert start(fleet, slot) == handle, "the same again starts nothing"
    assert state(fleet, handle).state == State.QUEUED
    engine.turn()
    assert state(fleet, handle).state == State.RUNNING
    engine.nodes[pilot_of(slot)].end("j", 85)
    engine.turn()
    assert state(fleet, handle) == Status(State.GONE, 85)
    assert [order.slot for order in engine.nodes[pilot_of(slot)].orders] == [slot]


def test_a_stop_is_asked_once(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    handle = start(fleet, slot)
    engine.turn()
    fleet.stop(handle, 3.0)
    fleet.stop(handle, 3.0)
    engine.turn()
    assert engine.nodes[pilot_of(slot)].stopped == [("j", 3.0)]


def test_an_order_that_came_too_late_is_fenced(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    engine.pilots[pilot_of(slot)].close("idle")
    handle = start(fleet, slot)
    engine.turn()
    assert state(fleet, handle) == NEVER
    assert Path(handle.folder).is_dir(), "so that nobody else can be this attempt"


def test_a_silent_pilot_is_not_a_dead_one(fleet: Fleet, engine: FakeEngine) -> None:
    handle = start(fleet, open_one(fleet, engine))
    engine.turn()
    look_again(fleet)
    grow_quiet(fleet)
    assert engine.listed == 1
    assert fleet.poll([handle])[handle].state == State.UNKNOWN


def test_one_that_the_engine_lost_is_dead(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    handle = start(fleet, slot)
    engine.turn()
    look_again(fleet)
    engine.lose(pilot_of(slot))
    grow_quiet(fleet)
    assert fleet.poll([handle])[handle] == Status(State.GONE)


def test_what_a_dead_pilot_never_began_has_not_started(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    handle = start(fleet, slot)
    engine.lose(pilot_of(slot))
    grow_quiet(fleet)
    assert fleet.poll([handle])[handle] == NEVER


def test_the_exit_in_the_folder_counts_when_nobody_told(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    handle = start(fleet, slot)
    engine.turn()
    write_json(engine.home.job("j").attempt(1).handle, {"pid": 9, "start_time": 1, "host": "n", "exit": 85})
    engine.lose(pilot_of(slot))
    grow_quiet(fleet)
    assert fleet.poll([handle])[handle] == Status(State.GONE, 85)


def test_a_machine_that_hangs_is_given_back_in_the_end(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    grow_quiet(fleet, LOST_SECONDS + 60)
    assert engine.ended == [pilot_of(slot)]


def test_a_later_scheduler_goes_on(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    handle = start(fleet, slot)
    engine.turn()
    later = Fleet(engine.home, engine, EAGER)
    assert later.find("j", 1, handle.folder) == handle
    assert state(later, handle).state == State.RUNNING
    assert later.capacity() == [slot]
    engine.nodes[pilot_of(slot)].end("j", 0)
    engine.turn()
    assert state(later, handle) == Status(State.GONE, 0)


def test_an_attempt_that_nobody_was_told_of_is_given_up(fleet: Fleet, engine: FakeEngine) -> None:
    folder = engine.home.job("j").attempt(1).root
    assert fleet.find("j", 1, str(folder)) is None
    assert folder.is_dir()


def test_a_refusal_leaves_no_pilot_behind(fleet: Fleet, engine: FakeEngine) -> None:
    engine.refuses = "sbatch: invalid partition"
    with pytest.raises(OSError, match="invalid partition"):
        fleet.want([CPU])
    assert list(engine.home.pilots_root.iterdir()) == []


def test_pilots_that_end_before_they_open_are_told(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.want([CPU] * MOST_DUDS)
    for name in list(engine.states):
        del engine.states[name]
        (engine.home.pilots_root / name / "log.txt").touch()
    look_again(fleet)
    grow_quiet(fleet)
    with pytest.raises(OSError, match=r"5 pilots ended before they took an order: see their logs"):
        fleet.want([CPU] * MOST_DUDS)
    fleet.want([CPU])
    assert len(engine.asked) == 1, "and none is asked for in a hurry"


def test_nodes_that_do_not_see_the_home_are_refused_with_the_reason(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.want([CPU] * MOST_UNSEEN)
    engine.states.clear()
    look_again(fleet)
    grow_quiet(fleet)
    with pytest.raises(OSError, match=rf"do not see {engine.home.pilots_root} \(the home has to lie on a disk that"):
        fleet.want([CPU])
    fleet.want([CPU])
    assert len(engine.asked) == 1, "and none is asked for in a hurry"


def test_jobs_for_a_gpu_wait_for_one_where_the_site_has_some(engine: FakeEngine) -> None:
    engine.gpus = True
    fleet = Fleet(engine.home, engine, EAGER)
    assert fleet.capacity() == [GPU_TO_COME]
    assert not fleet.fits(GPU_TO_COME, GPU)


def test_several_gpus_are_asked_for_apart_from_single_ones(fleet: Fleet, engine: FakeEngine) -> None:
    fleet.want([Want(4.0, 1, 1 << 30, 60), *[Want(1.0, 1, 1 << 30, 60)] * 3])
    assert [(shape.gpus, count) for shape, count in engine.asked] == [(4, 1), (1, 3)]


def test_a_larger_job_gets_a_larger_pilot(fleet: Fleet, engine: FakeEngine) -> None:
    slot, large = open_one(fleet, engine), Want(0.0, 8, 1 << 34, 60)
    assert fleet.fits(slot, CPU)
    assert not fleet.fits(slot, large)
    open_one(fleet, engine, large)
    assert [(shape.cpus, count) for shape, count in engine.asked] == [(1, 1), (8, 1)]


def test_idle_pilots_are_let_go_at_the_end(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    fleet.asked_at = float("-inf")
    fleet.want([CPU, CPU])
    fleet.close()
    assert len(engine.ended) == 2
    assert not engine.pilots[pilot_of(slot)].turn()


def test_running_attempts_are_left_to_the_next_scheduler(fleet: Fleet, engine: FakeEngine) -> None:
    slot = open_one(fleet, engine)
    start(fleet, slot)
    engine.turn()
    fleet.close()
    assert engine.pilots[pilot_of(slot)].turn()
    assert engine.ended == []


def test_old_folders_go_when_all_is_written_down(
    fleet: Fleet, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = pilot_of(open_one(fleet, engine))
    pilot = engine.pilots[name]
    pilot.close("idle")
    pilot.finish()
    look_again(fleet)
    assert (engine.home.pilots_root / name).is_dir()
    monkeypatch.setattr("engine.launch.pilots.fleet.KEEP_SECONDS", -1.0)
    look_again(fleet)
    assert not (engine.home.pilots_root / name).exists()


def test_a_slot_names_its_pilot() -> None:
    assert [pilot_of(slot) for slot in ("cpu:0@n1/x-0", "GPU-1@n1/y-3", "cpu:0", "GPU-1")] == ["x-0", "y-3", "", ""]
