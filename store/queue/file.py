"""A queue in a file of SQLite: takes its path, gives SQLAlchemy engines. The counterpart of postgres.py."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine

from store.queue.sql import text
from store.queue.tables import checkpoint_log, open_reader, open_writer, read_version


class FileQueue:
    """One home's queue.db, which one scheduler at a time works on."""

    is_shared = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, *, readonly: bool) -> Engine:
        return open_reader(self.path) if readonly else open_writer(self.path)

    def is_made(self, connection: Connection) -> bool:
        return self.schema_version(connection) > 0

    def schema_version(self, connection: Connection) -> int:
        return int(connection.execute(text("PRAGMA user_version")).scalar_one())

    def note_change(self, connection: Connection) -> None:
        """SQLite counts changes itself."""

    def read_version(self, engine: Engine) -> int:
        return read_version(engine)

    def shrink(self, engine: Engine) -> None:
        checkpoint_log(engine)

    def find_faults(self, connection: Connection) -> list[str]:
        """Return SQLite's own complaints."""
        said = [str(line) for line in connection.execute(text("PRAGMA integrity_check")).scalars()]
        return [line for line in said if line != "ok"]

    def take_over(self, connection: Connection, boot_id: str, expires: float) -> None:
        """All leases are those of the one scheduler there is."""

    def works_elsewhere(self, connection: Connection, boot_id: str) -> bool:
        return False
