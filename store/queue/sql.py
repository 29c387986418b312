"""SQL as SQLAlchemy takes it: takes a statement's text, gives its clause, which is made once for each text.

Statements are written for SQLite, in words that other databases have too wherever there are such; what PostgreSQL says
otherwise stands in postgres.py.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

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


@lru_cache(4096)
def read_details(text: str) -> dict[str, Any]:
    """Return a job's details, which nobody changes: thousands have the same few, so each text is read once."""
    return dict(json.loads(text))


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert that can say what becomes of rows that are there already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
