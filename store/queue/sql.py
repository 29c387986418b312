"""SQL as SQLAlchemy takes it: takes a statement's text, gives its clause, which is made once for each text.

Statements are written for SQLite, in words that other databases have too wherever there are such; what PostgreSQL says
otherwise stands in postgres.py.
"""

from __future__ import annotations

from functools import lru_cache

import sqlalchemy
from sqlalchemy import TextClause


@lru_cache(1024)
def text(statement: str) -> TextClause:
    """Return the clause of a statement with `:name` for its values: to find those takes longer than to run it."""
    return sqlalchemy.text(statement)
