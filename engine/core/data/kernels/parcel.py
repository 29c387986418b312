"""Arrays for a device: takes them one by one, gives them there as views of one piece of memory, brought in one copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ALIGNED = 16  # bytes: the widest access of a device


@dataclass(frozen=True)
class Place:
    """Where an array lies in the memory of a parcel."""

    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype


class Parcel:
    """Arrays in the order of `add`; pinned for a GPU, so that the copy runs beside what it is doing."""

    def __init__(self) -> None:
        self._arrays: list[NDArray[Any]] = []
        self._places: list[Place] = []
        self._size = 0

    def add(self, array: NDArray[Any]) -> int:
        """Take an array in; return the number by which it is found on the device."""
        whole = np.ascontiguousarray(array)
        self._arrays.append(whole)
        self._places.append(Place(self._size, whole.shape, torch.from_numpy(whole).dtype))
        self._size += -(-whole.nbytes // ALIGNED) * ALIGNED
        return len(self._places) - 1

    def pack(self, device: torch.device) -> Packed:
        """Return everything in one piece of the host's memory."""
        memory = torch.empty(self._size, dtype=torch.uint8, pin_memory=device.type == "cuda")
        for array, place in zip(self._arrays, self._places, strict=True):
            memory.numpy()[place.start : place.start + array.nbytes] = array.reshape(-1).view(np.uint8)
        return Packed(memory, self._places)


@dataclass(frozen=True)
class Packed:
    """A parcel that is ready to go."""

    memory: Tensor
    places: list[Place]

    def send(self, device: torch.device) -> list[Tensor]:
        """Return the arrays on the device, by one copy for which the host does not wait."""
        memory = self.memory.to(device, non_blocking=True)
        return [_open(memory, place) for place in self.places]


def _open(memory: Tensor, place: Place) -> Tensor:
    size = int(np.prod(place.shape, dtype=np.int64)) * place.dtype.itemsize
    return memory[place.start : place.start + size].view(place.dtype).view(place.shape)
