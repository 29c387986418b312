"""Archives changed as somebody might: takes one, gives another with members changed, added or left out."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from engine.archive.members import ABOUT, SUMS
from engine.home.files import encode_json
from engine.home.seals import seal


def read_all(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def write_all(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def forge(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Make all checksums right again, as one who wants to deceive would."""
    rest = {name: data for name, data in members.items() if name not in (ABOUT, SUMS)}
    sums = "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(rest.items())).encode()
    about = {**json.loads(members[ABOUT]), "checksums": sha256(sums).hexdigest()}
    return {**rest, SUMS: sums, ABOUT: encode_json(seal(about)).encode()}


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
