"""Names of files in a query: takes a path, gives the text that DuckDB reads as that file and no other."""

from __future__ import annotations

import re
from pathlib import Path


def quote(path: Path) -> str:
    """Return a path for between single quotes."""
    return str(path).replace("'", "''")


def exact(path: Path) -> str:
    """Return a path for a reader of files: it takes patterns, so that `run[1]` would be read as the folder `run1`."""
    return quote(Path(re.sub(r"([*?\[])", r"[\1]", str(path))))
