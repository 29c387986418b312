"""What the host draws for the kernels: every operation is known to them."""

from __future__ import annotations

import torch

from engine.core.data.augment import OPERATIONS, Draws
from engine.core.data.kernels.orders import CHANGES, Change, order_changes, order_mix
from engine.core.data.kernels.parcel import Parcel
from engine.core.data.mixing import PairDraw
from engine.spec import Augment

HOST = torch.device("cpu")
KEYS = [str(number) for number in range(40)]


def test_the_kernels_know_every_operation() -> None:
    assert set(CHANGES) == set(OPERATIONS)
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
