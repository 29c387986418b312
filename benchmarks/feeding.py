"""What feeding a GPU asks of it and of the host: launches, copies, what a batch's draws cost, targets made ahead.

    python benchmarks/feeding.py [--quick] [--json]

Without a GPU: launches and copies are counted on the tests' runtime (tests/gpu_stub), where kernels run nothing. `ours`
are the Triton kernels, `peer` the plain operators that do the same where there is no Triton; `ratio` is peer over ours.
Targets: a teacher that answers elsewhere, as a GPU does, in the time that its images take to be rendered; `ours` with a
thread that renders ahead, `peer` without.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks import Row
from engine.core.data.augment import Draws
from engine.core.data.mixing import draw_pairs
from engine.core.data.pack import Pack, open_pack, write_pack
from engine.core.data.resample import Cut
from engine.core.data.sources import list_images
from engine.core.data.views import draw_crop, whole_box
from engine.core.distill.make import Maker
from engine.core.distill.targets import Origin
from engine.inputs.looks import Look
from engine.spec import Augment, Data
from tests.gpu_stub.build import why_not
from tests.gpu_stub.children import H100, call_on
from tests.gpu_stub.jobs import EVERYTHING, count_feeding

BATCH, SIDE, SIZE = 256, (341, 256), 224
HOST = torch.device("cpu")
CASE = "a batch of 256 with every augmentation"


def measure_asks() -> Iterator[Row]:
    """Count what a card is asked for a batch, by the kernels and by plain operators."""
    if why_not():
        print(f"launches are not counted: {why_not()}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        ours = call_on(H100, count_feeding, root=one, batch=BATCH, words=EVERYTHING, kernels=True)
        peer = call_on(H100, count_feeding, root=other, batch=BATCH, words=EVERYTHING, kernels=False)
    for name, unit in (("launches", "launches"), ("uploads", "copies")):
        yield Row(CASE, name, ours[name], peer[name], peer[name] / ours[name], unit, 1)


def measure_draws(repeats: int) -> Iterator[Row]:
    """Time what is left to the host of a batch whose images the device holds: to draw all numbers."""
    if find_spec("triton") is None:
        print("draws are not timed: no Triton here", file=sys.stderr)
        return
    augment, times = Augment.model_validate(EVERYTHING), []
    for view in range(repeats + 1):
        began = time.process_time()
        draw_batch(view, augment)
        times.append(1000 * (time.process_time() - began))
    yield Row(CASE, "drawn on the host", median(times[1:]), None, None, "CPU-ms", repeats)


def draw_batch(view: int, augment: Augment) -> None:
    from engine.core.data.kernels.batch import Wishes, order_batch

    wide, tall = SIDE
    keys = [f"{number:064x}" for number in range(BATCH)]
    crops = [draw_crop(key, view, 0, augment, wide / tall) for key in keys]
    boxes = [whole_box(crop, tall, wide) for crop in crops]
    lines = [(0, wide, left, top, right - left, bottom - top) for left, right, top, bottom in boxes]
    cut = Cut(lines, [crop.flip for crop in crops], list(range(BATCH)), [], None, SIZE, "bicubic")
    pairs = draw_pairs(keys, 0, view, augment, SIZE) if augment.mixup else None
    order_batch(cut, Wishes(keys, Draws(0, view), augment, pairs), SIZE, HOST)


def measure_targets(repeats: int, images: int) -> Row:
    """Time a view's targets with and without a thread that renders ahead, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        pack = make_pack(Path(folder), images)
        spent: dict[int, list[float]] = {1: [], 0: []}
        time_view(pack, 0, 0.0)
        pause = time_view(pack, 0, 0.0) / (images / 64)
        for _ in range(repeats):
            for workers, found in spent.items():
                found.append(images / time_view(pack, workers, pause))
    ours, peer = median(spent[1]), median(spent[0])
    return Row("targets, the teacher elsewhere", "rendered ahead", ours, peer, ours / peer, "images/s", repeats)


def time_view(pack: Pack, workers: int, pause: float) -> float:
    """Return the seconds of a view's targets, of a teacher that takes `pause` seconds for 64 images."""
    data = Data.model_validate({"source": "digits", "augment": {"rand_augment": "rand-m9-mstd0.5-inc1"}})
    origin = Origin(pack, np.arange(len(pack)), data, 1, {})

    def answer(images: Tensor) -> Tensor:
        time.sleep(pause)
        return images.new_zeros((len(images), 10))

    maker = Maker(origin, answer, Look(SIZE, 0.875, "bicubic"), 10, workers=workers)
    began = time.perf_counter()
    for images in maker.render_batches(0, origin.rows):
        answer(images)
    return time.perf_counter() - began


def make_pack(folder: Path, count: int) -> Pack:
    noise = np.random.default_rng(0)
    for number in range(count):
        (folder / "images" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(noise.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        coarse.resize(SIDE, Image.Resampling.BICUBIC).save(folder / "images" / "ab"[number % 2] / f"{number}.bmp")
    data = Data.model_validate({"source": "folder", "root": str(folder / "images")})
    (folder / "pack").mkdir()
    write_pack(list_images(data), folder / "pack", 256, lambda done, count: None)
    return open_pack(folder / "pack")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="rows as JSON on stdout")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    repeats = 3 if asked.quick else 7
    rows = [*measure_asks(), *measure_draws(repeats), measure_targets(repeats, 128 if asked.quick else 256)]
    print(json.dumps([vars(row) for row in rows]) if asked.json else "\n".join(map(str, rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
