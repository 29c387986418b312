"""A slot book that is kept up to date says what a look at all slots would say."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from engine.schedule.placing import Demand, Doubts, Held, is_cpu, node_of
from engine.schedule.slot_book import SlotBook

SLOTS = [f"GPU-{number}" for number in range(4)] + [f"cpu:{number}" for number in range(3)] + ["cpu:0@n1/a", "gpu@n1/a"]
DEMANDS = [
    Demand(), Demand(is_alone=True), Demand(1.0), Demand(1.0, is_alone=True), Demand(0.5), Demand(1 / 3),
    Demand(0.1, needs_gpu=True),
]  # fmt: skip
DOUBTS = [Doubts(), Doubts(frozenset({"GPU-1"}), {"GPU-0": "train-1", "gpu@n1/a": "train-2"})]


def look_at_all(demand: Demand, slots: Sequence[str], held: Sequence[Held], doubts: Doubts) -> str | None:
    """Say the same slowly: by all that is held."""
    gpus = [slot for slot in slots if not is_cpu(slot)]
    if demand.gpu > 0 and (demand.needs_gpu or gpus):
        used = {gpu: sum(entry.demand.gpu for entry in held if entry.slot == gpu) for gpu in gpus}
        free = [gpu for gpu in gpus if used[gpu] + demand.gpu <= 1.0 + 1e-9 and gpu not in doubts.shut]
        return max(free, key=lambda gpu: (gpu not in doubts.suspects, used[gpu]), default=None)
    on_cpu = [entry for entry in held if is_cpu(entry.slot)]
    loud = {node_of(entry.slot) for entry in on_cpu if demand.is_alone or entry.demand.is_alone}
    taken = {entry.slot for entry in on_cpu}
    free = [slot for slot in slots if is_cpu(slot) and slot not in taken and node_of(slot) not in loud]
    return free[0] if free else None


@pytest.mark.parametrize("seed", range(8))
def test_a_kept_book_chooses_as_a_look_at_all_slots_would(seed: int) -> None:
    draw = random.Random(seed)
    slots = draw.sample(SLOTS, draw.randint(1, len(SLOTS)))
    book, held = SlotBook(slots), list[Held]()
    for _ in range(200):
        demand, doubts = draw.choice(DEMANDS), draw.choice(DOUBTS)
        expected = look_at_all(demand, slots, held, doubts)
        assert book.choose(demand, doubts) == expected
        if expected is not None:
            held.append(Held(expected, demand))
            book.take(held[-1])
        elif held:
            gone = held.pop(draw.randrange(len(held)))
            book.give(gone)
    room = [
        slot for slot in slots if look_at_all(Demand(1e-9) if not is_cpu(slot) else Demand(), [slot], held, Doubts())
    ]
    assert bool(book.room) == bool(room) or any(entry.demand.is_alone for entry in held)


def test_what_is_held_elsewhere_takes_nothing_away() -> None:
    book = SlotBook(["cpu:0", "GPU-a"], [Held("cpu:7", Demand()), Held("GPU-gone", Demand(1.0))])
    assert (book.choose(Demand()), book.choose(Demand(1.0))) == ("cpu:0", "GPU-a")
    book.give(Held("cpu:7", Demand()))
    book.give(Held("GPU-gone", Demand(1.0)))
    assert book.room == 2


def test_two_on_one_slot_keep_it_taken_until_both_ended() -> None:
    twice = [Held("cpu:0", Demand())] * 2
    book = SlotBook(["cpu:0"], twice)
    book.give(twice[0])
    assert (book.room, book.choose(Demand())) == (0, None)
    book.give(twice[1])
    assert book.choose(Demand()) == "cpu:0"
