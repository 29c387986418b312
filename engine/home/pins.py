"""What rests on an experiment's jobs elsewhere: takes a frozen table or an archive, keeps a mark; gives the marks back.

A file of frozen numbers and an archive lie wherever a person put them, so the home could not know of them: each leaves
`experiments/<name>/pins/<digest of its path>.json`. A pin counts as long as it lies there, wherever its file has gone:
it may have been moved. Removed by hand, it counts no more.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import HomeError
from engine.home.access import written_as_home
from engine.home.files import read_object, write_json
from engine.home.paths import Home
from engine.home.records import Id

PinKind = Literal["frozen numbers", "archive"]


class PinFile(BaseModel):
    """One thing that was made of an experiment: the runs that its numbers are of."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: PinKind
    path: str
    at: Annotated[float, Field(allow_inf_nan=False)]
    runs: tuple[Id, ...]


@dataclass(frozen=True)
class Pin:
    """A mark and the file that it lies in."""

    mark: Path
    about: PinFile

    def __str__(self) -> str:
        return f"{self.about.kind} in {self.about.path}"


def write_pin(home: Home, name: str, kind: PinKind, path: Path, runs: Iterable[str]) -> None:
    """Note that `path` was made of these runs. A home that cannot be written has nothing removed either."""
    place = path.absolute()
    digest = hashlib.sha256(f"{kind} {place}".encode(errors="surrogateescape")).hexdigest()[:12]
    shown = str(place).encode(errors="replace").decode()
    pin = PinFile(kind=kind, path=shown, at=time.time(), runs=tuple(sorted(set(runs))))
    with suppress(OSError), written_as_home(home.root):
        home.pins(name).mkdir(exist_ok=True)
        write_json(home.pins(name) / f"{digest}.json", pin.model_dump(mode="json"))


def read_pins(home: Home, name: str) -> list[Pin]:
    """Return the pins of an experiment. Raises HomeError for one that is damaged: what it holds is not known."""
    folder = home.pins(name)
    found = sorted(folder.glob("[!.]*.json")) if folder.is_dir() else []
    return [Pin(path, _parse(path, read_object(path))) for path in found]


def _parse(path: Path, told: Mapping[str, object] | None) -> PinFile:
    try:
        return PinFile.model_validate(told)
    except ValidationError as error:
        fix = "restore it from a copy; or remove it, if nothing rests on the experiment's numbers any more"
        raise HomeError("this mark of frozen numbers or an archive is damaged", where=str(path), fix=fix) from error
