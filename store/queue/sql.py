"""SQL as SQLAlchemy takes it: takes a statement's text, gives its clause, which is made once for each text.

Statements are written for SQLite, in words that other databases have too wherever there are such; what PostgreSQL says
otherwise stands in postgres.py.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy import Connection, Table, TextClause
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

# Where several may claim at once, what another is about to take is passed over.
SKIP_TAKEN = "/* skip what is taken */"


@lru_cache(1024)
def text(statement: str) -> TextClause:
    """Return the clause of a statement with `:name` for its values: to find those takes longer than to run it."""
    return sqlalchemy.text(statement)


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert that can say what becomes of rows that are there already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
