"""Mutants of SQL: takes a query or schema, gives small faults in its operators, filters, orders and constants."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tests.mutants.texts import Edit, Mutant, mutant_of, number_mutants, one_line

TOKEN = re.compile(
    r"""(?P<skip>--[^\n]*|"[^"]*"|\$\w+)|(?P<text>'(?:[^']|'')*')|(?P<number>\b\d+(?:\.\d+)?\b)
    |(?P<words>\b(?:is\s+not\s+null|is\s+null|left\s+join|union\s+all|not\s+in)\b|\b(?:min|max)(?=\())|(?P<word>\w+)
    |(?P<sign><>|!=|<=|>=|::|->>|->|\|\||[<>=+*/-])""",
    re.VERBOSE | re.IGNORECASE,
)
SIGNS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "=": "<>", "<>": "=", "!=": "=", "+": "-", "-": "+", "/": "*"}
WORDS = {
    "and": "or",
    "or": "and",
    "asc": "desc",
    "desc": "asc",
    "where": "where not",
    "distinct": "",
    "min": "max",
    "max": "min",
    "is null": "is not null",
    "is not null": "is null",
    "left join": "join",
    "union all": "union",
    "not in": "in",
    "true": "false",
    "false": "true",
}
NAMED = re.compile(r"\bcreate\s+(?:or\s+replace\s+)?(?:table|view|macro)\s+([\w.]+)", re.IGNORECASE)
TABLE = re.compile(r"\bcreate\s+table\s+[\w.]+\s*\(", re.IGNORECASE)


def sql_mutants(path: str, source: str) -> list[Mutant]:
    """Return the mutants of one file in the order of its text, those of plain table definitions left out."""
    raw = source.encode()
    found: list[Mutant] = []
    for match, new in _changes(source):
        start, end = (len(source[:at].encode()) for at in match.span())
        found.append(mutant_of(path, raw, _scope_at(source, match.start()), "sql", Edit(start, end, new)))
    return number_mutants(found)


def _changes(source: str) -> Iterator[tuple[re.Match[str], str]]:
    in_between = False
    for match in TOKEN.finditer(source):
        kind, word = match.lastgroup or "", one_line(match.group().lower())
        is_joined = in_between and word == "and"  # the `and` of `between a and b`
        in_between = word == "between" or (in_between and not is_joined)
        if kind == "skip" or is_joined or _is_in_table(source, match.start()):
            continue
        new = CHANGES[kind](word if kind.startswith("word") else match.group())
        if new is not None:
            yield match, new


def _is_in_table(source: str, at: int) -> bool:
    start = source.rfind(";", 0, at) + 1
    return TABLE.search(source, start, at) is not None


def _scope_at(source: str, at: int) -> str:
    names = NAMED.findall(source, 0, at)
    return str(names[-1]) if names else ""


def _next_number(text: str) -> str:
    return str(float(text) * 2 or 1.0) if "." in text else str(int(text) + 1)


CHANGES: dict[str, Callable[[str], str | None]] = {
    "text": lambda text: f"{text[:-1]}_'",
    "number": _next_number,
    "sign": SIGNS.get,
    "words": WORDS.get,
    "word": WORDS.get,
}
