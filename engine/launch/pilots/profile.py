"""What a site wants to be asked for: takes a table of an xp.toml, gives the shape of a pilot for what waits.

    [slurm]
    partition = "gpu"            # also account, qos, constraint, reservation
    gres = "gpu:a100:1"          # what a pilot with a GPU asks for; "" where the site has none
    time = "8h"                  # of a pilot; left out: the longest `resources.time` that waits
    directives = ["--exclusive"] # whatever else sbatch takes

    [ray]
    address = "http://head:8265" # of the cluster's dashboard
    resources = {big = 1}        # what a pilot asks for beside cores, memory and GPUs
    python = "/opt/bin/python"   # on the nodes; left out: the one that xp runs in here

In both: most = 32, pilots at once; setup = ["module load cuda"], lines of shell before a pilot starts.

It stands in the home, or beside it: `HOME/xp.toml`, else `xp.toml` in the folder that holds the home.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import HomeError, closest_hint
from engine.home.files import read_small
from engine.home.paths import Home
from engine.launch import Want
from engine.launch.fork_link import module_words

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


class Site(BaseModel):
    """The words that every engine has; each has a default that suits a site without rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: Annotated[int, Field(ge=1, le=4096)] | None = None
    memory: Annotated[str, Field(pattern=r"^\d{1,9}[KMGT]$")] | None = None
    most: Annotated[int, Field(ge=1, le=100_000)] = 16
    idle: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    grace: Annotated[float, Field(ge=1, le=3600)] = 30.0
    ask_seconds: Annotated[float, Field(ge=0.1, le=86_400)] = 10.0
    list_seconds: Annotated[float, Field(ge=0.5, le=86_400)] = 20.0
    setup: tuple[Word, ...] = ()

    def clip(self, want: Want) -> Want:
        """Return what is asked for in place of what a spec asks for, where the site's words say so."""
        memory = read_size(self.memory) if self.memory else want.memory
        return Want(want.gpu, self.cpus or want.cpus, memory, want.seconds)

    def shape_pilots(self, wants: Sequence[Want]) -> Shape:
        """Return the shape in which each of some wants of one kind fits."""
        clipped = [self.clip(want) for want in wants]
        return Shape(
            max(math.ceil(want.gpu) for want in clipped),
            max(want.cpus for want in clipped),
            max(want.memory for want in clipped),
            max(want.seconds for want in clipped),
        )

    def pilot_words(self, shape: Shape, preload: str, jobs: int) -> list[str]:
        """Return the command of a pilot, but for its folder, which comes last."""
        return module_words(
            "engine.launch.pilots.pilot",
            *("--preload", preload, "--idle", str(self.idle), "--grace", str(self.grace)),
            *("--jobs", str(jobs), "--has-gpu", str(int(shape.has_gpu))),
        )


class SlurmProfile(Site):
    """The words of [slurm]."""

    partition: Word = ""
    cpu_partition: Word = Field("", description="for pilots without a GPU; else as `partition`")
    account: Word = ""
    qos: Word = ""
    constraint: Word = ""
    reservation: Word = ""
    gres: Word | None = Field(None, description='for a pilot with a GPU; left out: "gpu:1" where the site has GPUs')
    time: Annotated[str, Field(pattern=r"^\d{1,9}[smhd]$")] | None = None
    directives: tuple[Word, ...] = ()

    def clip(self, want: Want) -> Want:
        return replace(super().clip(want), seconds=read_time(self.time) if self.time else want.seconds)


class RayProfile(Site):
    """The words of [ray]."""

    address: Annotated[str, Field(max_length=1000, pattern=r"^(https?://\S+)?$")] = ""
    resources: dict[Word, Annotated[float, Field(gt=0, le=1e6)]] = Field(default_factory=dict)
    gpus: bool | None = Field(None, description="whether to ask for GPUs; left out: where a node has one now")
    python: Word = Field("", description="on the nodes, with xp installed; left out: the one that xp runs in here")


S = TypeVar("S", bound=Site)


def read_profile(home: Home, table: str, kind: type[S]) -> S:
    """Return the site's words; those of nobody where there is no file. Raises HomeError for a file that is wrong."""
    path = find_profile(home)
    if path is None:
        return kind()
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HomeError(f"cannot read: {error}", where=str(path), fix=f"write it as TOML, as in: [{table}]") from error
    try:
        return kind.model_validate(told.get(table, {}))
    except ValidationError as error:
        raise _explain(path, table, kind, error) from error


def _explain(path: Path, table: str, kind: type[Site], error: ValidationError) -> HomeError:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in (table, *first["loc"]))
    if first["type"] == "extra_forbidden":
        fix = closest_hint(str(first["loc"][0]), kind.model_fields)
        return HomeError(f"there is no word {name}", where=str(path), fix=fix)
    fix = f"see the guide to {table.capitalize()} for what it may be"
    return HomeError(f"{name}: {first['msg']}", where=str(path), fix=fix)


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
