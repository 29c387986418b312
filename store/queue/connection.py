"""class OpenQueue: takes the path of queue.db, gives transactions on it, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine

from store.queue import status
from store.queue.file import FileQueue
from store.queue.place import QueueRefused, find_server, is_on_server, read_schema
from store.queue.postgres import PostgresQueue
from store.queue.tables import SCHEMA_VERSION


class OpenQueue:
    """The queue of one home, open: in a file or on a server."""

    def __init__(self, path: Path | str, *, readonly: bool = False) -> None:
        self.path = Path(path)
        self.readonly = readonly
        server = find_server(self.path, makes=not readonly)
        self._kind: FileQueue | PostgresQueue = FileQueue(self.path) if server is None else PostgresQueue(server)
        # Where nothing is yet, whoever only reads makes nothing.
        is_there = server is not None or not readonly or (self.path.exists() and not is_on_server())
        self._engine: Engine | None = self._kind.open(readonly=readonly) if is_there else None

    @classmethod
    def open_readonly(cls, path: Path | str) -> Self:
        """Open for reading: works beside a writer, takes no write lock, and is empty when there is no file yet."""
        return cls(path, readonly=True)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_shared(self) -> bool:
        """Whether schedulers of several hosts may work on it at once."""
        return self._kind.is_shared

    @contextmanager
    def _change(self, *, only_claims: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction for writing; those that `only_claims` need not wait for each other."""
        if self._engine is None or self.readonly:
            raise RuntimeError("this queue was opened for reading")
        with self._engine.connect().execution_options(only_claims=only_claims) as connection, connection.begin():
            yield connection
            self._kind.note_change(connection)

    @contextmanager
    def _read(self) -> Iterator[Connection | None]:
        """Give a connection, or None where there is no queue yet (or its maker has not written the tables)."""
        if self._engine is None:
            yield None
            return
        # A plain BEGIN: a look must not take the write lock.
        with self._engine.connect().execution_options(only_reads=True) as connection:
            is_made = not self.readonly or self._kind.is_made(connection)
            yield connection if is_made else None
            # An open read would keep the -wal from being folded into the file.
            connection.rollback()

    def data_version(self) -> int:
        """Return a number that changes when another process has changed the queue."""
        # Compared within one connection only, which the writer's pool keeps for its thread.
        return 0 if self._engine is None else self._kind.read_version(self._engine)

    def shrink_log(self) -> None:
        """Hand back the room of what is gone: move everything from the -wal file into the file itself."""
        if self._engine is not None:
            self._kind.shrink(self._engine)

    def check_integrity(self) -> list[str]:
        """Return what is wrong, as the database and our own rules see it; empty when all is well."""
        with self._read() as connection:
            if connection is None:
                return []
            version = self._kind.schema_version(connection)
            if version > SCHEMA_VERSION:
                return [f"it has schema {version}, of a newer xp: this one knows {SCHEMA_VERSION}"]
            return [*self._kind.find_faults(connection), *status.list_faults(connection)]

    def works_elsewhere(self, boot_id: str) -> bool:
        """Return whether a scheduler of another host has renewed a lease of this queue lately."""
        with self._read() as connection:
            return connection is not None and self._kind.works_elsewhere(connection, boot_id)

    def take_place(self, path: Path) -> bool:
        """Become the queue of `path` where both are on a server; return whether that was so. The rows it had go."""
        kind = self._kind
        try:
            schema = read_schema(path)
        except QueueRefused:  # a file that is damaged is replaced itself
            return False
        if schema is None or isinstance(kind, FileQueue) or self._engine is None:
            return False
        with self._engine.begin() as connection:
            kind.take_place(connection, schema)
        return True
