"""What a site wants to be asked for: takes [slurm] of an xp.toml, gives the shape of a pilot for what waits.

    [slurm]
    partition = "gpu"            # also account, qos, constraint, reservation
    gres = "gpu:a100:1"          # what a pilot with a GPU asks for; "" where the site has none
    time = "8h"                  # of a pilot; left out: the longest `resources.time` that waits
    most = 32                    # pilots at once
    setup = ["module load cuda"] # lines of shell before a pilot starts
    directives = ["--exclusive"] # whatever else sbatch takes

It stands in the home, or beside it: `HOME/xp.toml`, else `xp.toml` in the folder that holds the home.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import HomeError, closest_hint
from engine.home.files import read_small
from engine.home.paths import Home
from engine.launch import Want

FILE = "xp.toml"
Word = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f]*$")]
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Shape:
    """What one pilot asks for: `memory` in bytes, `seconds` of wall time."""

    gpus: int
    cpus: int
    memory: int
    seconds: int

    @property
    def has_gpu(self) -> bool:
        return self.gpus > 0

    def covers(self, other: Shape) -> bool:
        """Return whether what fits into the other fits into this one; a pilot with a GPU leaves CPU jobs to others."""
        fits_gpus = self.has_gpu == other.has_gpu and self.gpus >= other.gpus
        return fits_gpus and self.cpus >= other.cpus and self.memory >= other.memory

    def __str__(self) -> str:
        kind = {0: "no GPU", 1: "one GPU"}.get(self.gpus, f"{self.gpus} GPUs")
        return f"{kind}, {self.cpus} cores, {self.memory >> 20} MiB, {self.seconds // 60} min"


class SlurmProfile(BaseModel):
    """The words of [slurm]; each has a default that suits a site without rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partition: Word = ""
    cpu_partition: Word = Field("", description="for pilots without a GPU; else as `partition`")
    account: Word = ""
    qos: Word = ""
    constraint: Word = ""
    reservation: Word = ""
    gres: Word | None = Field(None, description='for a pilot with a GPU; left out: "gpu:1" where the site has GPUs')
    cpus: Annotated[int, Field(ge=1, le=4096)] | None = None
    memory: Annotated[str, Field(pattern=r"^\d{1,9}[KMGT]$")] | None = None
    time: Annotated[str, Field(pattern=r"^\d{1,9}[smhd]$")] | None = None
    most: Annotated[int, Field(ge=1, le=100_000)] = 16
    idle: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    grace: Annotated[float, Field(ge=1, le=3600)] = 30.0
    ask_seconds: Annotated[float, Field(ge=0.1, le=86_400)] = 10.0
    list_seconds: Annotated[float, Field(ge=0.5, le=86_400)] = 20.0
    setup: tuple[Word, ...] = ()
    directives: tuple[Word, ...] = ()

    def clip(self, want: Want) -> Want:
        """Return what is asked for in place of what a spec asks for, where the site's words say so."""
        return Want(
            want.gpu,
            self.cpus or want.cpus,
            read_size(self.memory) if self.memory else want.memory,
            read_time(self.time) if self.time else want.seconds,
        )

    def shape_pilots(self, wants: Sequence[Want]) -> Shape:
        """Return the shape in which each of some wants of one kind fits."""
        clipped = [self.clip(want) for want in wants]
        return Shape(
            max(math.ceil(want.gpu) for want in clipped),
            max(want.cpus for want in clipped),
            max(want.memory for want in clipped),
            max(want.seconds for want in clipped),
        )


def read_profile(home: Home) -> SlurmProfile:
    """Return the site's words; those of nobody where there is no file. Raises HomeError for a file that is wrong."""
    path = find_profile(home)
    if path is None:
        return SlurmProfile()
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HomeError(f"cannot read: {error}", where=str(path), fix="write it as TOML, as in: [slurm]") from error
    words = told.get("slurm", {})
    try:
        return SlurmProfile.model_validate(words)
    except ValidationError as error:
        raise _explain(path, error) from error


def _explain(path: Path, error: ValidationError) -> HomeError:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in ("slurm", *first["loc"]))
    if first["type"] == "extra_forbidden":
        fix = closest_hint(str(first["loc"][0]), SlurmProfile.model_fields)
        return HomeError(f"there is no word {name}", where=str(path), fix=fix)
    return HomeError(f"{name}: {first['msg']}", where=str(path), fix="see the guide to Slurm for what it may be")


def read_shape(path: Path) -> Shape | None:
    """Return the shape that was written down of a pilot; None where there is none, or it is damaged."""
    told = read_small(path) or {}
    try:
        gpus = int(told["gpus"]) if "gpus" in told else int(bool(told["has_gpu"]))
        return Shape(gpus, int(told["cpus"]), int(told["memory"]), int(told["seconds"]))
    except (KeyError, TypeError, ValueError):
        return None


def find_profile(home: Home) -> Path | None:
    """Return the xp.toml that holds for a home, None where there is none."""
    return next((path for path in (home.root / FILE, home.root.parent / FILE) if path.is_file()), None)


def read_size(text: str) -> int:
    """Return the bytes of `16G`."""
    return int(text[:-1]) * UNITS[text[-1]]


def read_time(text: str) -> int:
    """Return the seconds of `4h`."""
    return int(text[:-1]) * SECONDS[text[-1]]
