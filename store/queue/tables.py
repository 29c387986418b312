"""The queue's schema and its connections: takes the path of the file, gives SQLAlchemy engines.

Writers begin with BEGIN IMMEDIATE, so that two never deadlock on an upgrade of their lock; readers open the file
read-only and take no lock that a writer waits for (WAL).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import weakref
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool, SingletonThreadPool

SCHEMA_VERSION = 2
QueueFault = DatabaseError  # a damaged or foreign file, a full disk, a lock that is not to be had
# What SQLite says of a file that is damaged, no database, or without a table that it should have (SQLITE_ERROR).
# ... and PostgreSQL where the schema, a table or a column is not there.
LOST = ("3F000", "42P01", "42703")
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
# Writers that met were seen to wait for 4 s; a lock held for longer than this is a fault.
BUSY_SECONDS = 30.0
CACHE_KIBIBYTES = 65536  # at most: pages come into it as they are read
MAPPED_BYTES = 1 << 30  # at most: what is mapped takes no memory of its own
META = MetaData()
# Compared byte by byte everywhere, as SQLite and Python do.
NAME = String().with_variant(String(collation="C"), "postgresql")


class NewerQueue(RuntimeError):
    """The queue has a schema of a newer version than this one."""


def is_damage(fault: DatabaseError) -> bool:
    """Whether making the queue anew would help: the disk, room and locks are not at fault."""
    if getattr(fault.orig, "sqlstate", None) in LOST:
        return True
    # An extended code holds its kind in the lowest byte.
    return (getattr(fault.orig, "sqlite_errorcode", 0) & 0xFF) in DAMAGE


experiments = Table(
    "experiments",
    META,
    Column("experiment", NAME, primary_key=True),
    Column("title", NAME, nullable=False),
    Column("submitted_at", Float, nullable=False),
    Column("priority", Integer, nullable=False),
)
runs = Table(
    "runs",
    META,
    Column("experiment", NAME, primary_key=True),
    Column("run", NAME, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("arm", NAME, nullable=False),
    Column("cell", NAME, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("cancelled", Boolean, nullable=False),
)
run_jobs = Table(
    "run_jobs",
    META,
    Column("experiment", NAME, primary_key=True),
    Column("run", NAME, primary_key=True),
    Column("job", NAME, primary_key=True),
    Column("role", NAME, nullable=False),
)
Index("run_jobs_by_job", run_jobs.c.job)
jobs = Table(
    "jobs",
    META,
    Column("job", NAME, primary_key=True),
    Column("kind", NAME, nullable=False),
    Column("details", NAME, nullable=False),
    Column("cost", Float, nullable=False),  # estimated seconds
    Column("chain", Float, nullable=False),  # ... and those of the longest chain of jobs that wait for it
    Column("state", NAME, nullable=False),
    Column("reason", NAME, nullable=False),
    Column("request", NAME, nullable=False),  # what a person wants of a running job: "", cancel, pause
    Column("attempts", Integer, nullable=False),  # number of the newest attempt
    Column("crashed", Integer, nullable=False),  # spent of each budget
    Column("lost", Integer, nullable=False),
    Column("ooms", Integer, nullable=False),
    Column("not_before", Float, nullable=False),  # unix seconds: back-off
    Column("started_at", Float),
    Column("ended_at", Float),
)
Index("jobs_by_state", jobs.c.state)
# Partial: few jobs have a back-off, and the next to end is asked for with every turn of the loop.
Index("jobs_waiting", jobs.c.not_before, sqlite_where=jobs.c.not_before > 0, postgresql_where=jobs.c.not_before > 0)
job_needs = Table(
    "job_needs",
    META,
    Column("job", NAME, primary_key=True),
    Column("needs", NAME, primary_key=True),
)
# Who needs a job is asked whenever one ends.
Index("job_needs_back", job_needs.c.needs)
wanted = Table(  # which experiments still want which job: their runs, less the cancelled ones
    "wanted",
    META,
    Column("experiment", NAME, primary_key=True),
    Column("job", NAME, primary_key=True),
)
Index("wanted_by_job", wanted.c.job)
ready = Table(  # the queued jobs of each experiment, longest chain first: what makes a claim an index look-up
    "ready",
    META,
    Column("experiment", NAME, primary_key=True),
    Column("rank", Float, primary_key=True),  # minus the chain
    Column("job", NAME, primary_key=True),
    # Without rowids the table is its own index: the first ready job is its first entry.
    sqlite_with_rowid=False,
)
Index("ready_by_job", ready.c.job)
attempts = Table(
    "attempts",
    META,
    Column("job", NAME, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("slot", NAME, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", NAME),
    Column("exit", Integer),
    Column("reason", NAME, nullable=False),
)
leases = Table(
    "leases",
    META,
    Column("job", NAME, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("slot", NAME, nullable=False),
    Column("boot_id", NAME, nullable=False),
    Column("expires", Float, nullable=False),  # monotonic seconds of that boot
)


def open_writer(path: Path) -> Engine:
    """Return an engine on `path`, which is made if it is absent. Raises NewerQueue for a newer schema."""
    # SQLite would keep it from a group that shares the folder; its -wal and -shm are as open as the file.
    if not path.exists():
        path.touch(mode=0o666)
    # One connection for each thread, kept: PRAGMA data_version compares within a connection.
    engine = create_engine("sqlite://", creator=lambda: _connect(path, "mode=rwc"), poolclass=SingletonThreadPool)
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin_writing)
    # Under the write lock: two that open a new file at once make one schema.
    with engine.begin() as connection:
        _make_schema(connection)
    return engine


def open_reader(path: Path) -> Engine:
    """Return an engine that can only read. On a file system that is read-only too it falls back to a plain file."""
    mode, copy = "mode=ro" if _may_share(path) else "immutable=1", None
    if mode == "immutable=1" and _log_of(path).exists():
        # What its writer left in the -wal counts, and a plain file would be read without it.
        path, mode = (copy := _copy_with_log(path)), "mode=ro"
    # A connection for each question: a file that `xp rebuild --queue` replaced is seen at the next one.
    engine = create_engine("sqlite://", creator=lambda: _connect(path, mode), poolclass=NullPool)
    event.listen(engine, "connect", _map_file)
    event.listen(engine, "begin", _begin_deferred)
    if copy is not None:
        weakref.finalize(engine, shutil.rmtree, copy.parent, ignore_errors=True)
    return engine


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _copy_with_log(path: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="xp-queue-"))
    for part in (path, _log_of(path)):
        shutil.copyfile(part, folder / part.name)
    return folder / path.name


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open the very file, whatever letters its path has: in a URL `?`, `#` and `%41` would name another one."""
    # The two slashes are an empty host: a path may begin with two of its own.
    uri = f"file://{quote(os.fsencode(path.absolute()))}?{mode}"
    # No isolation level: this library begins its transactions itself, and the driver adds none of its own.
    # One thread at a time uses it (the pool), and another one may close it.
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def checkpoint_log(engine: Engine) -> None:
    """Write the -wal file back into the database. Outside of any transaction, or SQLite refuses."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def read_version(engine: Engine) -> int:
    """Return a number that changes when another connection has changed the file; asked with every turn, past the pool's
    transactions."""
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA data_version")
        (version,) = cursor.fetchone() or (0,)
        cursor.close()
        return int(version)
    finally:
        connection.close()


def _may_share(path: Path) -> bool:
    """WAL readers need the -shm file; without it and without a folder to make it in, only `immutable` opens."""
    return path.with_name(path.name + "-shm").exists() or os.access(path.parent, os.W_OK)


def _map_file(connection: Any, _record: Any) -> None:
    """Ids are hashes, so that a look at all jobs jumps about in the file: through a map no page is copied for it."""
    connection.execute(f"PRAGMA mmap_size={MAPPED_BYTES}").close()


def _prepare_writer(connection: Any, _record: Any) -> None:
    """A writer does not map: its cache is wider than SQLite's own 2 MB for the same reason."""
    # NORMAL survives a kill; FULL survives a power cut too.
    settings = (f"cache_size=-{CACHE_KIBIBYTES}", "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1000")
    for pragma in settings:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_writing(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("only_reads")
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _make_schema(connection: Connection) -> None:
    version = connection.execute(text("PRAGMA user_version")).scalar_one()
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise NewerQueue(f"the queue has schema {version}; this program knows {SCHEMA_VERSION}")
    META.create_all(connection)
    # Version 1 knew no chains: until they are submitted again, its jobs go by their own cost.
    if version == 1:
        connection.execute(text("ALTER TABLE jobs ADD COLUMN chain FLOAT NOT NULL DEFAULT 0.0"))
        connection.execute(text("UPDATE jobs SET chain = cost"))
    connection.execute(text(f"PRAGMA user_version={SCHEMA_VERSION}"))
