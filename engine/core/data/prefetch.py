"""Feeding a device: takes work on batches, gives them in order and ahead of time, on threads and on a copy stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

# Batches that wait beyond those being made, so that a slow one does not hold up the training.
AHEAD = 4
Chunk = TypeVar("Chunk")
Made = TypeVar("Made")


def render_ahead(chunks: list[Chunk], make: Callable[[Chunk], Made], workers: int) -> Iterator[Made]:
    """Yield what `make` gives of each chunk, in order, made here (no workers) or on threads, a few ahead."""
    if workers == 0:
        yield from map(make, chunks)
        return
    with ThreadPoolExecutor(max_workers=workers) as pool:
        yield from keep_ahead(pool, make, chunks, workers + AHEAD)


def keep_ahead(
    pool: ThreadPoolExecutor, make: Callable[[Chunk], Made], chunks: Iterable[Chunk], most: int
) -> Iterator[Made]:
    """Yield what `make` gives of each chunk, in order, `most` of them under way; left early, no more are begun."""
    waiting: deque[Future[Made]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(make, chunk))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def finish_ahead(
    batches: Iterator[Chunk], finish: Callable[[Chunk], Made], images_of: Callable[[Made], Tensor], device: torch.device
) -> Iterator[Made]:
    """Yield each batch finished on `device`; on a GPU one batch ahead, on a stream of its own beside the training's."""
    if device.type != "cuda":
        yield from map(finish, batches)
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    # What batches are made of, such as a data set held on the device, was put there on the training's stream.
    stream.wait_stream(torch.cuda.current_stream(device))
    ready: tuple[Made, torch.cuda.Event] | None = None
    for batch in batches:
        with torch.cuda.stream(stream):
            made = finish(batch)
        # Behind its work, so that whoever waits for it waits for this batch alone.
        ahead = (made, stream.record_event())
        if ready is not None:
            yield _hand_over(*ready, images_of, device)
        ready = ahead
    if ready is not None:
        yield _hand_over(*ready, images_of, device)


def _hand_over(batch: Made, event: torch.cuda.Event, images_of: Callable[[Made], Tensor], device: torch.device) -> Made:
    """Let the training's stream wait for the batch; its memory is not used again before that stream is done with it."""
    current = torch.cuda.current_stream(device)
    current.wait_event(event)
    images_of(batch).record_stream(current)
    return batch


def pin_images(images: Tensor, device: torch.device) -> Tensor:
    """Return the images in memory that a GPU copies from by itself; as they are for any other device."""
    return images.pin_memory() if device.type == "cuda" else images
