"""What the host draws for the kernels: every operation is known to them, and arrays arrive as they were."""

from __future__ import annotations

import numpy as np
import torch

from engine.core.data.augment import OPERATIONS, Draws
from engine.core.data.kernels.orders import CHANGES, Change, order_changes, order_mix
from engine.core.data.kernels.parcel import Parcel
from engine.core.data.mixing import PairDraw
from engine.spec import Augment

HOST = torch.device("cpu")
KEYS = [str(number) for number in range(40)]


def test_the_kernels_know_every_operation() -> None:
    assert list(CHANGES) == list(OPERATIONS)
    pointwise = {Change.STRETCH, Change.EQUALIZE, Change.INVERT, Change.POSTERIZE, Change.SOLARIZE, Change.ADD}
    # What change.py asks of their numbers.
    assert max(pointwise | {Change.BLACK}) < Change.MEAN < min(Change.GREY, Change.SMOOTH, Change.WARP)


def test_nothing_is_ordered_where_nothing_is_drawn() -> None:
    order = order_changes(Parcel(), KEYS, Draws(0, 0), Augment(erasing=1e-9), 24)
    assert (order.layers, order.factors, order.boxes) == ([], None, None)


def test_a_box_says_where_its_noise_begins() -> None:
    parcel = Parcel()
    order = order_changes(parcel, KEYS, Draws(0, 0), Augment(erasing=0.5), 24)
    assert order.boxes is not None
    arrays = parcel.pack(HOST).send(HOST)
    boxes = arrays[order.boxes]
    sizes = 3 * boxes[:, 2] * boxes[:, 3]
    begun = boxes[sizes > 0, 4]
    assert torch.equal(begun, sizes[sizes > 0].cumsum(0) - sizes[sizes > 0])
    assert len(arrays[order.noise]) == sizes.sum()


def test_pairs_that_are_pasted_keep_their_own_share() -> None:
    parcel = Parcel()
    order = order_mix(parcel, [PairDraw(0.25, None), PairDraw(0.5, (1, 3, 2, 7))], 5)
    arrays = parcel.pack(HOST).send(HOST)
    assert arrays[order.shares].tolist() == [[0.25, 0.75]] * 2 + [[1, 0]] * 3
    assert arrays[order.boxes].tolist() == [[0] * 4] * 2 + [[1, 3, 2, 7]] * 2 + [[0] * 4]


def test_arrays_arrive_as_they_were_from_one_piece_of_memory() -> None:
    noise = np.random.default_rng(0)
    given = [
        noise.integers(0, 255, shape).astype(kind) for shape, kind in (((3, 5), "u1"), ((2, 1), "i8"), ((0,), "f4"))
    ]
    given.append(noise.random((7, 2)).astype("f4"))
    parcel = Parcel()
    numbers = [parcel.add(array) for array in given]
    arrays = parcel.pack(HOST).send(HOST)
    assert all(np.array_equal(arrays[number].numpy(), array) for number, array in zip(numbers, given, strict=True))
    assert len({array.untyped_storage().data_ptr() for array in arrays}) == 1
