"""What a reader may ask: takes the text of a query, refuses what is no query, and says errors in one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

SHOWN_WORDS = ("select", "with", "from", "show", "describe", "summarize", "explain")
FIRST_WORDS = (*SHOWN_WORDS, "desc", "values", "table", "pivot", "unpivot")
# MULTI is what DuckDB makes of a PIVOT.
KINDS = frozenset({"SELECT", "EXPLAIN", "MULTI"})
# How DuckDB says that it opens no file.
NO_FILES = ("operations are disabled", "external extensions", "external access", "disabled by configuration")


class StoreError(ValueError):
    """A query or a results file that cannot be used as asked; the message is one line, `fix` what to do if known.

    `line` and `column` are the place in the query that is meant, from 1; 0 where that is not known.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix, self.line, self.column = fix, 0, 0


def check_query(sql: str, kinds: Sequence[str]) -> None:
    """Raise StoreError unless `sql` is one statement that only reads; `kinds` are the parser's statement types."""
    words = re.findall(r"[a-z_]+", _strip_comments(sql).lower())
    if not kinds or not words:
        raise StoreError("the query is empty")
    if len(kinds) > 1:
        raise StoreError(f"one statement at a time: this has {len(kinds)}")
    # EXPLAIN ANALYZE runs what it explains.
    while words and words[0] in ("explain", "analyze"):
        words = words[1:]
    first = words[0] if words else "explain"
    # The word for what a person writes, the parser's kind for what it really is.
    if first not in FIRST_WORDS or kinds[0] not in KINDS:
        raise StoreError(f"results are read-only: {first!r} is refused; start with one of {', '.join(SHOWN_WORDS)}")


# Those in which a slip is most likely; any other error is told as DuckDB tells it.
KEYWORDS = ("select", "from", "where", "group", "order", "having", "limit", "join", "using", "with", "distinct",
            "union", "between", "describe", "summarize", "explain", "filter", "partition", "qualify")  # fmt: skip


def _strip_comments(sql: str) -> str:
    return re.sub(r"/\*.*?\*/|--[^\n]*", " ", sql, flags=re.DOTALL)


def explain_error(message: str, names: Mapping[str, Sequence[str]], sql: str = "") -> str:
    """Return DuckDB's message as one line, with the nearest names where a table or a column is unknown.

    `names` are the relations and their columns; columns are sought in those that `sql` names.
    """
    # What DuckDB appends is an excerpt of the query, which the reader has just typed.
    line = " ".join(message.split("\n\n")[0].split("LINE ")[0].split())
    table = re.search(r"Table with name \"?([^\s\"!]+)\"? does not exist", line)
    if table:
        return f"there is no table {table[1]!r}; {_nearest(table[1], names, 'tables')}"
    column = re.search(r"(?:Referenced column|column named|Values list .* have a column named) \"?([^\s\"]+)\"?", line)
    if column:
        return f"there is no column {column[1]!r}{_column_hint(column[1], names, sql)}"
    word = re.search(r'syntax error at or near "(\w+)"', line)
    near = difflib.get_close_matches(word[1].lower(), KEYWORDS, n=1, cutoff=0.7) if word else []
    if word and near and near[0] != word[1].lower():
        return f"{line[:400]}; nearest: {near[0]}"
    if any(word in line for word in NO_FILES):
        return "results are read-only: a query may not read or write files or load extensions"
    return line[:400]


def find_place(message: str, sql: str) -> tuple[int, int]:
    """Return the line and the column of `sql` that DuckDB's message points at, from 1; 0 for what it does not tell.

    It quotes a part of the line, which it may cut on either side, and puts signs below what it means.
    """
    found = re.search(r"^(LINE (\d+): )(.*)\n( *)\^", message, re.MULTILINE)
    if not found:
        return 0, 0
    line, quoted, at = int(found[2]), found[3], len(found[4]) - len(found[1])
    lines = sql.split("\n")
    if not 0 < line <= len(lines) or at < 0:
        return line, 0
    dots = 3 if quoted.startswith("...") else 0
    start = lines[line - 1].find(quoted[dots:].removesuffix("..."))
    return line, start + at - dots + 1 if start >= 0 else 0


def _column_hint(word: str, names: Mapping[str, Sequence[str]], sql: str) -> str:
    """Say what is like it among the columns of the query's relations, or where else such a column is."""
    words = set(re.findall(r"\w+", sql.lower()))
    asked = [table for table in names if table.lower() in words] or list(names)
    known = {column for table in asked for column in names[table]}
    owners = [table for table in sorted(names) if word in names[table]]
    if owners and word not in known:
        return f" in {', '.join(asked)}: it is one of {', '.join(owners)}; text is written in single quotes: '{word}'"
    text = f"; text is written in single quotes: '{word}'" if f'"{word}"' in sql else ""
    return f"{text}; {_nearest(word, known, 'columns')}"


def _nearest(word: str, known: Mapping[str, Sequence[str]] | set[str], what: str) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=3, cutoff=0.6)
    if near:
        return "nearest: " + ", ".join(near)
    return f"{what}: " + ", ".join(sorted(known)[:30])
