"""Faults: tells what becomes of a job whose memory runs out, of one that breaks the device, of the next one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.gpu_parts.findings import Place, Teller, Verdict
from benchmarks.gpu_parts.jobs import Bench, first_jobs, photo_spec
from benchmarks.gpu_parts.photos import write_photos
from engine.home.paths import JobFolder
from engine.launch.exits import Exit
from engine.launch.faults import read_fault

BATCH, LARGE, SMALL_SIDE = 256, 224, 64  # at 224 pixels 256 images want 2.8 GB
# Bytes that are left to a training which wants more; what CUDA and its libraries take of a card in each process.
ROOM, CONTEXT = 1200 << 20, 600 << 20
STUB_ROOM = {"XP_STUB_MEMORY_MB": "1700"}  # a context takes 512 of it
STUB_FAULT = {"XP_STUB_ILLEGAL_AFTER": "2000"}
BREAKING = "benchmarks.gpu_parts.breaking"
TRIES = 8


def run(place: Place, teller: Teller) -> None:
    photos = write_photos(place.folder / "photos", 320 if place.device == "cuda" else 160, 4, tall=100, wide=130)
    with teller.case("out of memory"):
        if place.device == "cuda":
            run_out(place, teller, photo_words("oom", photos, BATCH, LARGE))
        else:
            teller.tell("out of memory", "halves its batch", "not measured", note="no GPU")
    with teller.case("the device breaks"):
        break_and_go_on(place, teller, photo_words("broken", photos, 32, SMALL_SIDE))


def photo_words(name: str, photos: Path, batch: int, side: int) -> dict[str, Any]:
    return photo_spec(
        name, photos, data={"image_size": side, "short_side": 100, "cache": "raw"},
        train={"epochs": 1, "batch_size": batch, "on_oom": "split", "save_minutes": 0.0001},
    )  # fmt: skip


def run_out(place: Place, teller: Teller, words: dict[str, Any]) -> None:
    """A training in what little room is left: it ends by itself, and its next attempt takes half as many at once."""
    with hold_memory(place):
        bench = Bench.open(place, "oom")
        pack, trained = first_jobs(bench.lay_out(words))
        bench.run(pack)
        ends = [bench.run(trained)]
        while ends[-1] == Exit.OUT_OF_MEMORY and len(ends) < TRIES:
            ends.append(bench.run(trained, ooms=len(ends)))
    told = f"attempts ended with {ends}"
    is_halved = len(ends) > 1 and ends == [Exit.OUT_OF_MEMORY] * (len(ends) - 1) + [Exit.DONE]
    images = bench.told(trained, "fact").get("micro_batch", {}).get("images", 0) if ends[-1] == Exit.DONE else 0
    verdict: Verdict = "held" if is_halved else "failed"
    teller.tell("out of memory", "halves its batch until it fits", verdict, images, f"of {BATCH} images", note=told)


@contextmanager
def hold_memory(place: Place) -> Iterator[None]:
    """Hold all of the card's memory but a little, as a neighbour would; a stub's is each process's own."""
    if place.is_stub:
        with patch.dict(os.environ, STUB_ROOM):
            yield
        return
    held = [torch.empty(max(0, torch.cuda.mem_get_info(0)[0] - ROOM - CONTEXT), dtype=torch.uint8, device="cuda")]
    try:
        yield
    finally:
        held.clear()
        torch.cuda.empty_cache()


def break_and_go_on(place: Place, teller: Teller, words: dict[str, Any]) -> None:
    """A job breaks the device in its third step; its next attempt goes on from its checkpoint and ends well."""
    bench = Bench.open(place, "broken")
    pack, trained = first_jobs(bench.lay_out(words))
    bench.run(pack)
    with patch.dict(os.environ, STUB_FAULT if place.is_stub else {}):
        status = Bench.open(place, "broken", "" if place.is_stub else BREAKING).run(trained)
    fault = read_fault(attempt_log(bench.home.job(trained.key)))
    case, is_known = "the device breaks", fault is not None or place.device == "cpu"
    teller.tell(case, "the job ends", "held" if status != Exit.DONE else "failed", status, "exit status")
    told = fault.told if fault else "a CPU's abort, which names nothing" if is_known else bench.last_words(trained)
    teller.tell(case, "and says of what", "held" if is_known else "failed", note=told)
    again = bench.run(trained)
    teller.tell(
        case, "the next attempt there is done", "held" if again == Exit.DONE else "failed", again, "exit status"
    )


def attempt_log(job: JobFolder) -> str:
    log = job.attempts()[-1].log
    return log.read_text() if log.exists() else ""
