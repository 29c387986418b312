"""Arrays arrive as they were, all in one piece of memory."""

from __future__ import annotations

import numpy as np
import torch

from engine.core.data.kernels.parcel import Parcel

HOST = torch.device("cpu")


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
