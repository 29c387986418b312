"""The times that a device has shown: takes a file of the cache, gives pieces and whole networks with their seconds.

One file a device, its times by the setting they were taken in: torch's version, batch size, threads, precision. It only
saves time: one that is damaged is begun anew, and of two that write at once the later is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.home.files import read_object, write_json

Seconds = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class Whole(BaseModel):
    """A network that was timed whole: its seconds, and the sum of those of its pieces."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seconds: Seconds
    summed: Seconds


class Times(BaseModel):
    """What was timed in one setting: seconds by piece, networks by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    pieces: dict[str, Seconds] = {}
    wholes: dict[str, Whole] = {}

    def joined(self, other: Times) -> Times:
        """Return both; the other's where both have one."""
        return Times(pieces={**self.pieces, **other.pieces}, wholes={**self.wholes, **other.wholes})


def setting_name(batch_size: int, threads: int, precision: str) -> str:
    """Name what decides the time of a piece beside the piece and the device."""
    return f"torch {torch.__version__}, batch {batch_size}, threads {threads}, {precision}"


def read_times(path: Path, setting: str) -> Times:
    """Return the times of a setting; none where nothing was timed or the file is damaged."""
    return _read(path).get(setting, Times())


def add_times(path: Path, setting: str, found: Times) -> Times:
    """Add what was found to the file; return all that is now known of the setting."""
    held = _read(path)
    joined = held.get(setting, Times()).joined(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {name: times.model_dump() for name, times in {**held, setting: joined}.items()})
    return joined


def _read(path: Path) -> Mapping[str, Times]:
    told = read_object(path) if path.exists() else None
    try:
        return {name: Times.model_validate(value) for name, value in (told or {}).items()}
    except ValidationError:
        return {}
