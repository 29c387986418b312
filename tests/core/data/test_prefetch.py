"""Batches come in order and ahead of time, and a GPU's are waited for before they are handed over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from engine.core.data.prefetch import finish_ahead, keep_ahead, pin_images, render_ahead

GPU = torch.device("cuda")


@dataclass
class FakeStream:
    """A stream that writes down what it is asked for."""

    said: list[str]

    def record_event(self) -> str:
        self.said.append("recorded")
        return f"event {self.said.count('recorded')}"

    def wait_event(self, event: str) -> None:
        self.said.append(f"waited for {event}")

    def wait_stream(self, _: FakeStream) -> None:
        self.said.append("waited for what lies on the device")


@dataclass
class FakeBatch:
    number: int
    said: list[str] = field(repr=False)

    def record_stream(self, stream: FakeStream) -> None:
        self.said.append(f"kept {self.number}")


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_chunks_come_in_order(workers: int) -> None:
    assert list(render_ahead(list(range(40)), lambda number: number * 2, workers)) == list(range(0, 80, 2))


def test_an_error_in_a_worker_reaches_the_reader() -> None:
    def make(number: int) -> int:
        return 10 // (3 - number)

    batches = render_ahead(list(range(9)), make, 2)
    with pytest.raises(ZeroDivisionError):
        list(batches)


def test_a_gpus_batches_are_finished_one_ahead_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: FakeStream(said))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: FakeStream(said))

    def finish(batch: FakeBatch) -> FakeBatch:
        said.append(f"finished {batch.number}")
        return batch

    def made() -> Iterator[FakeBatch]:
        yield from (FakeBatch(number, said) for number in (1, 2, 3))

    def images_of(batch: FakeBatch) -> Tensor:
        return batch  # type: ignore[return-value] # asked for its stream alone

    for batch in finish_ahead(made(), finish, images_of, GPU):
        said.append(f"got {batch.number}")
    assert [line for line in said if line != "recorded"] == [
        *("waited for what lies on the device", "finished 1", "finished 2", "waited for event 1", "kept 1", "got 1"),
        *("finished 3", "waited for event 2", "kept 2", "got 2"),
        *("waited for event 3", "kept 3", "got 3"),
    ]


def test_the_host_gets_each_batch_as_it_is_finished() -> None:
    images = [torch.full((1,), number) for number in range(3)]

    def add_one(batch: Tensor) -> Tensor:
        return batch + 1

    batches = finish_ahead(iter(images), add_one, lambda batch: batch, torch.device("cpu"))
    assert [int(batch) for batch in batches] == [1, 2, 3]


def test_memory_is_pinned_for_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "pin_memory", lambda images: images + 1)
    images = torch.zeros(3)
    assert pin_images(images, torch.device("cpu")) is images
    assert pin_images(images, GPU).tolist() == [1, 1, 1]


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_are_under_way_and_no_more(most: int) -> None:
    begun: list[int] = []

    def chunks() -> Iterator[int]:
        for number in range(8):
            begun.append(number)
            yield number

    with ThreadPoolExecutor(max_workers=1) as pool:
        seen = []
        for made in keep_ahead(pool, lambda number: number, chunks(), most):
            seen.append((made, len(begun)))
    assert seen == [(number, min(8, number + most)) for number in range(8)]


def test_left_early_no_more_are_begun() -> None:
    begun: list[int] = []
    gate = threading.Event()

    def make(number: int) -> int:
        begun.append(number)
        if number == 1:
            gate.wait(20)
        return number

    with ThreadPoolExecutor(max_workers=1) as pool:
        batches = keep_ahead(pool, make, range(50), 6)
        assert next(batches) == 0
        batches.close()  # type: ignore[attr-defined]
        gate.set()
    assert len(begun) <= 2


@pytest.mark.parametrize(("workers", "ahead"), [(1, 5), (3, 7)])
def test_threads_make_a_few_ahead_and_none_makes_here(workers: int, ahead: int) -> None:
    made_by: dict[int, str] = {}

    def make(number: int) -> int:
        made_by[number] = threading.current_thread().name
        return number

    batches = render_ahead(list(range(40)), make, workers)
    assert next(batches) == 0
    assert len(made_by) <= ahead
    assert list(batches) == list(range(1, 40))
    here = threading.current_thread().name
    assert here not in made_by.values()
    assert list(render_ahead([50], make, 0)) == [50]
    assert made_by[50] == here
