"""The clock of a profile gives every moment of a step to one part, leaves checkpoints out, and changes no bit."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from engine.core.data.pack import Pack
from engine.core.train.loop import Loop, Stopped
from engine.core.train.marks import Marks
from engine.spec import Train
from engine.verify.profile.clock import StepClock
from tests.core.train.toy import Notes, make_loop, make_pack

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return make_pack(tmp_path_factory.mktemp("pack"))


class Hand:
    """A clock's hand that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:
    moved = Hand()
    for name in ("perf_counter", "process_time", "thread_time"):
        monkeypatch.setattr(f"engine.verify.profile.clock.time.{name}", moved.read)
    yield moved
    monkeypatch.undo()


def make_clock(*, warm_up: int = 0, steps: int | None = 2) -> StepClock:
    return StepClock(CPU, warm_up, steps, 1.0, 1)


def spend(clock: StepClock, hand: Hand, **parts: float) -> None:
    for part, seconds in parts.items():
        hand.now += seconds
        clock.mark(part)


def test_the_parts_of_a_step_are_the_whole_of_it(hand: Hand) -> None:
    clock = make_clock()
    clock.begin()
    for _ in range(3):
        spend(clock, hand, load=1.0, forward=2.0, backward=3.0, log=0.5)
        clock.end_step()
    timed, plain, _ = clock.read()[0]
    assert timed.parts is not None
    assert {part: seconds for part, seconds in timed.parts.items() if seconds} == {
        "load": 1.0, "forward": 2.0, "backward": 3.0, "log": 0.5,
    }  # fmt: skip
    assert (timed.wall, plain.wall) == (6.5, 6.5)
    assert plain.parts is None


@pytest.mark.parametrize("at", [0, 1], ids=["timed", "plain"])
def test_a_checkpoint_is_no_part_of_the_step_that_it_falls_into(hand: Hand, at: int) -> None:
    clock = make_clock()
    clock.begin()
    for step in range(2):
        spend(clock, hand, load=1.0, log=1.0)
        if step == at:
            spend(clock, hand, checkpoint=40.0)
        spend(clock, hand, log=0.5)
        clock.end_step()
    assert [step.wall for step in clock.read()[0]] == [2.5, 2.5]


def test_what_lies_between_epochs_is_in_no_step(hand: Hand) -> None:
    clock = make_clock(steps=4)
    clock.begin()
    spend(clock, hand, load=1.0, log=1.0)
    clock.end_step()
    spend(clock, hand, log=7.0, checkpoint=9.0)
    hand.now += 100.0
    clock.begin()
    spend(clock, hand, load=1.0, log=1.0)
    clock.end_step()
    assert [step.wall for step in clock.read()[0]] == [2.0, 2.0]
    assert clock.ends == [7.0]


def test_steps_that_warm_up_are_left_out_and_enough_ends_the_training(hand: Hand) -> None:
    clock = make_clock(warm_up=3, steps=2)
    clock.begin()
    for _ in range(6):
        spend(clock, hand, load=1.0)
        clock.end_step()
    spend(clock, hand, load=1.0)
    with pytest.raises(Stopped):
        clock.end_step()
    steps = clock.read()[0]
    assert [step.parts is None for step in steps] == [True, False, True, False]


def test_without_a_number_time_decides_but_for_the_least(hand: Hand) -> None:
    clock = make_clock(warm_up=1, steps=None)
    clock.begin()
    clock.end_step()
    hand.now = 50.0
    clock.end_step()
    with pytest.raises(Stopped):
        clock.end_step()


def test_a_piece_of_the_loader_inside_another_has_its_own_time(hand: Hand) -> None:
    clock = make_clock()
    clock.begin()
    hand.now += 1.0
    with clock.span("render"):
        hand.now += 2.0
        with clock.span("augment"):
            hand.now += 4.0
        hand.now += 8.0
    spend(clock, hand, load=16.0)
    clock.end_step()
    parts = clock.read()[0][0].parts
    assert parts is not None
    assert (parts["load"], parts["render"], parts["augment"]) == (17.0, 10.0, 4.0)


def test_what_threads_load_is_beside_the_step(hand: Hand) -> None:
    clock = make_clock()
    clock.begin()

    def load() -> None:
        with clock.span("render"):
            hand.now += 2.0
            with clock.span("augment"):
                hand.now += 4.0

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    spend(clock, hand, load=1.0)
    clock.end_step()
    (step, *_), beside = clock.read()
    assert step.parts is not None
    assert (step.parts["load"], step.parts["render"]) == (7.0, 0.0)
    assert (dict(beside.busy), dict(beside.thread)) == ({"render": 2.0, "augment": 4.0},) * 2


def train(pack: Pack, marks: Marks | None, accumulate: int = 1) -> Loop:
    """Train for an epoch or more, with a clock or without."""
    recipe = Train(epochs=2, batch_size=64, lr=1e-2, precision="fp32", threads=1, accumulate=accumulate)
    loop = make_loop(pack, Notes(), train=recipe)
    if isinstance(marks, StepClock):
        loop.marks, loop.recipe.loader.span = marks, marks.span
    torch.manual_seed(1)
    loop.run()
    return loop


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_training_with_a_clock_has_the_same_bits(pack: Pack, accumulate: int) -> None:
    clock = StepClock(CPU, 0, 1000, 0.0, 1)
    plain, timed = train(pack, None, accumulate), train(pack, clock, accumulate)
    left, right = plain.network.state_dict(), timed.network.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)
    steps, _ = clock.read()
    assert len(steps) == 2 * timed.groups.steps == clock.done
    for step in steps[::2]:
        assert step.parts is not None
        assert sum(step.parts.values()) == pytest.approx(step.wall, rel=0.05)
        assert min(step.parts[part] for part in ("render", "forward", "backward", "optimizer", "log")) > 0
