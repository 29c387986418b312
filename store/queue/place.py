"""Where a home's queue is: takes the path of its queue.db and XP_QUEUE, gives a file or a schema on a server.

A queue on a server has a small file in the place of queue.db that says so, and which schema of the database is this
home's. The address is XP_QUEUE's alone: it may hold a password. So no home is ever read from the wrong place: a command
that lacks the address, or has one that the home does not go by, is refused.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import DatabaseError

VARIABLE = "XP_QUEUE"
SCHEMES = ("postgresql+psycopg", "postgresql")
EXAMPLE = "postgresql+psycopg://USER:PASSWORD@HOST:5432/DATABASE"
MARK = b"{"  # how the file begins that stands for a queue on a server; one of SQLite begins with its name
MOST_BYTES = 500  # of such a file; a database has 512 and more
SCHEMA = re.compile(r"xp_[0-9a-f]{12}")
MOVE = "xp rebuild --queue moves it there; or unset XP_QUEUE"


class QueueRefused(DatabaseError):
    """The queue is not where it is looked for, or its address cannot be used: what, where and the fix."""

    def __init__(self, what: str, where: str, fix: str) -> None:
        super().__init__(None, None, ValueError(what))
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\nfix: {self.fix}"


@dataclass(frozen=True)
class Server:
    """A queue on a server: `url` is its address, with the password if it has one; `schema` is this home's part."""

    url: str = field(repr=False)
    schema: str

    @property
    def shown(self) -> str:
        return hide_password(self.url)


def find_server(path: Path, environment: Mapping[str, str] = os.environ, *, makes: bool = False) -> Server | None:
    """Return the server of the queue whose file would be `path`, None where it is that file.

    Where there is neither yet, XP_QUEUE decides; with `makes` that is written down. Raises QueueRefused where the two
    do not agree, or the address is none.
    """
    url, schema = environment.get(VARIABLE, ""), read_schema(path)
    if schema is None and (not url or _is_file(path)):
        if url:
            raise QueueRefused(f"{VARIABLE} names a server, and the queue of this home is a file", str(path), MOVE)
        return None
    if not url:
        fix = f"set {VARIABLE} to its address ({EXAMPLE}); without the server, xp rebuild --queue makes it anew here"
        raise QueueRefused(f"the queue of this home is on a server, and {VARIABLE} is not set", str(path), fix)
    check_address(url)
    if schema is None and makes:
        schema = write_schema(path)
    return None if schema is None else Server(url, schema)


START_SERVER = f"start the server that {VARIABLE} names, or see that it can be reached; nothing submitted is lost"


def is_on_server(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether queues are on a server here."""
    return bool(environment.get(VARIABLE))


def check_address(url: str) -> None:
    """Raise QueueRefused for an address that names no database on a PostgreSQL server."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in SCHEMES and len(parts.path) > 1 and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole:
        fix = f"write it as {EXAMPLE}, or unset it: the queue is a file in the home then"
        raise QueueRefused(f"{hide_password(url)!r} is no address of a PostgreSQL database", VARIABLE, fix)


def hide_password(url: str) -> str:
    return re.sub(r"(?<=://)([^/@]*)@", lambda found: f"{found[1].partition(':')[0]}@", url)


def read_schema(path: Path) -> str | None:
    """Return the schema that the file names, None where it names none: it is absent, or a database itself.

    A database is not opened: the system takes all locks on a file from a process that closes it once, those of SQLite's
    own connections too, and another process would then remove the -wal under them.
    """
    try:
        if not 0 < path.stat().st_size <= MOST_BYTES:
            return None
        with open(path, "rb") as handle:
            told = handle.read(MOST_BYTES)
    except OSError:
        return None
    if not told.startswith(MARK):
        return None
    with suppress(ValueError):
        schema = json.loads(told).get("schema")
        if isinstance(schema, str) and SCHEMA.fullmatch(schema):
            return schema
    raise QueueRefused("the file is damaged: it names no schema", str(path), "xp rebuild --queue makes it anew")


def write_schema(path: Path) -> str:
    """Write down that the queue is on a server, in a schema that no other home has; return it.

    Of two that do so at once, the first one's counts.
    """
    schema = f"xp_{uuid.uuid4().hex[:12]}"
    beside = path.with_name(f".{path.name}.{schema}")
    beside.write_text(json.dumps({"queue": "postgresql", "schema": schema}) + "\n")
    try:
        os.link(beside, path)
    except FileExistsError:
        return read_schema(path) or schema
    finally:
        beside.unlink()
    return schema


def _is_file(path: Path) -> bool:
    """Whether there is a queue of SQLite; an empty file is none yet."""
    return path.exists() and path.stat().st_size > 0
