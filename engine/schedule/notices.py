"""Who is to be told when an experiment ends: takes a command or an address, keeps it in the home until it was told.

`notices/<name>.json` waits; `notices/<name>.told.json` says how the last telling went. The scheduler tells
(worker/tell.py), at least once: killed in the midst of it, the next one tells again, with the same `id`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import HomeError, XpError, near_words
from engine.home.files import read_small, write_json
from engine.home.paths import Home, is_own_name
from engine.home.records import read_record

WHERE = "--notify"
SCHEMES = ("http", "https")
Kept = TypeVar("Kept", bound=BaseModel)
EXAMPLES = "--notify https://example.org/hook, or --notify 'notify-send xp'"


class Target(BaseModel):
    """What is called: the words of a command in a folder, or an address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    words: tuple[str, ...] = ()
    folder: str = ""

    def __str__(self) -> str:
        """Without the path of an address, which is a key to it as often as not."""
        return f"{urlsplit(self.url).scheme}://{urlsplit(self.url).hostname}" if self.url else shlex.join(self.words)


class Notice(BaseModel):
    """A telling that waits: of which submission, by the time of it (a name may be taken again)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    experiment: str
    number: int
    submitted_at: float
    target: Target
    asked_at: float


class Told(BaseModel):
    """How a telling went; `trouble` is empty where whoever was called took it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    target: str
    at: float
    trouble: str = ""


def read_target(text: str) -> Target:
    """Return what `--notify` means. Raises XpError for a program that is not there and an address that is none."""
    scheme, has_scheme, _ = text.partition("://")
    if has_scheme and scheme.isalnum():
        return Target(url=_check_url(text, scheme.lower()))
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise XpError(f"{text!r} is no command: {error}", where=WHERE, fix="close the quotes") from error
    if not words:
        raise XpError("it is said to nobody", where=WHERE, fix=f"name a command or an address: {EXAMPLES}")
    return Target(words=(_find_program(words[0]), *words[1:]), folder=os.getcwd())


def _check_url(text: str, scheme: str) -> str:
    if scheme not in SCHEMES:
        raise XpError(f"{scheme!r} is no way to tell anybody", where=WHERE, fix=f"use http or https: {EXAMPLES}")
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole or any(letter.isspace() for letter in text):
        raise XpError("this address names no host", where=WHERE, fix=f"write it whole: {EXAMPLES}")
    if parts.username is not None:
        fix = "take the name and password out of the address; a command, such as curl, can send them"
        raise XpError("an address with a password in it cannot be called", where=WHERE, fix=fix)
    return text


def _find_program(name: str) -> str:
    """Return a program's whole path: the scheduler may have another PATH and another folder."""
    found = shutil.which(os.path.expanduser(name))
    if found is not None:
        return os.path.abspath(found)
    if os.path.isfile(name):
        raise XpError(f"{name} is not executable", where=WHERE, fix=f"chmod +x {shlex.quote(name)}")
    near = near_words(name, tuple(sorted(_programs()))) if "/" not in name else []
    fix = f"did you mean {' or '.join(near)}?" if near else f"install it, or give its whole path: {EXAMPLES}"
    raise XpError(f"there is no command {name!r}", where=WHERE, fix=fix)


def _programs() -> Iterator[str]:
    for folder in os.get_exec_path():
        try:
            yield from os.listdir(folder)
        except OSError:
            continue


def ask_notice(home: Home, experiment: str, number: int, target: Target) -> None:
    """Keep who is to be told of a submission's end; whoever waited for this experiment before waits no more."""
    submitted_at = float(read_record(home.experiment(experiment) / f"{number}.json")["submitted_at"])
    notice = Notice(
        id=uuid.uuid4().hex, experiment=experiment, number=number, submitted_at=submitted_at, target=target,
        asked_at=time.time(),
    )  # fmt: skip
    home.notices_root.mkdir(mode=0o700, exist_ok=True)
    write_json(home.notice(experiment), notice.model_dump(mode="json"))


def waiting_notices(home: Home) -> list[Notice]:
    """Return the notices that wait, of submissions that are still here; the others are forgotten."""
    if not home.notices_root.is_dir():
        return []
    names = sorted(path.stem for path in home.notices_root.glob("*.json") if is_own_name(path.stem))
    found = (_read(home.notice(name), Notice) for name in names if "." not in name)
    return [notice for notice in found if notice is not None and _is_of(home, notice)]


def _is_of(home: Home, notice: Notice) -> bool:
    """Whether a notice's submission is here, and not another one under its name."""
    try:
        record = read_record(home.experiment(notice.experiment) / f"{notice.number}.json")
    except (HomeError, OSError):
        return False
    told = read_told(home, notice.experiment)
    return float(record["submitted_at"]) == notice.submitted_at and (told is None or told.id != notice.id)


def write_told(home: Home, notice: Notice, trouble: str) -> None:
    """Say how it went, then wait no more: killed in between, nobody is told again."""
    told = Told(id=notice.id, target=str(notice.target), at=time.time(), trouble=trouble)
    write_json(home.told_notice(notice.experiment), told.model_dump(mode="json"))
    # Another submit may have asked anew meanwhile.
    waiting = _read(home.notice(notice.experiment), Notice)
    if waiting is not None and waiting.id == notice.id:
        home.notice(notice.experiment).unlink(missing_ok=True)


def read_told(home: Home, experiment: str) -> Told | None:
    """Return how the last telling of an experiment went, None where there was none."""
    return _read(home.told_notice(experiment), Told)


def failed_tellings(home: Home, experiments: list[str]) -> list[str]:
    """Return a line for each experiment whose end somebody was to be told of, and was not."""
    told = {name: read_told(home, name) for name in experiments} if home.notices_root.is_dir() else {}
    return [
        f"{name}: nobody was told of its end ({one.target}): {one.trouble}"
        for name, one in told.items()
        if one is not None and one.trouble
    ]


def _read(path: Path, model: type[Kept]) -> Kept | None:
    """Return what a file says, None where it is absent or damaged: nothing rests on it."""
    try:
        return model.model_validate(read_small(path) or {})
    except ValidationError:
        return None
