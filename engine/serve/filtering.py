"""What is typed over a table of runs: takes a text, gives its terms, and whether a run has them all.

A word is found in the names and the state of a run, `name=value` and `name>0.8` ask for a setting, a metric or a field;
a minus before either says not. Quotes keep spaces together; `80%` is 0.8.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Cell = str | float | None
TERM = re.compile(r'(-?)(?:([^\s=<>!"]+)(!=|>=|<=|=|>|<))?("[^"]*"?|\S+)')
LONGEST, MOST = 2000, 40  # letters of a filter; terms of it
NOTHING = ("", "none", "null", "\N{EN DASH}")


@dataclass(frozen=True)
class Term:
    """A word, or a name with what its value should be; `is_not` for what a run should not have."""

    value: str
    name: str = ""
    sign: str = ""
    is_not: bool = False

    def fits(self, text: str, found: Cell) -> bool:
        """Whether a run has it: `text` are its names, lower case, `found` its value of `name`."""
        has = self.value in text if not self.name else _compare(found, self.sign, self.value)
        return has is not self.is_not


def parse_terms(text: str) -> tuple[Term, ...]:
    """Return the terms of a filter, lower case but for names."""
    found = TERM.finditer(text[:LONGEST])
    terms = [Term(one[4].strip('"').lower(), one[2] or "", one[3] or "", one[1] == "-") for one in found]
    return tuple(term for term in terms[:MOST] if term.value or term.name)


def _compare(found: Cell, sign: str, wanted: str) -> bool:
    if sign in ("=", "!="):
        return _is_alike(found, wanted) is (sign == "=")
    limit, value = to_number(wanted), to_number(found)
    return limit is not None and value is not None and SIGNS[sign](value, limit)


def _is_alike(found: Cell, wanted: str) -> bool:
    if found is None:
        return wanted in NOTHING
    one, other = to_number(found), to_number(wanted)
    if one is not None and other is not None:
        # As many digits as a reader sees: nobody types all of a mean.
        return math.isclose(one, other, rel_tol=1e-9)
    return str(found).lower() == wanted


def to_number(value: Cell) -> float | None:
    """Return a value as a number, `80%` as 0.8; None for what is none."""
    if value is None or isinstance(value, float):
        return value
    try:
        return float(value[:-1]) / 100 if value.endswith("%") else float(value)
    except ValueError:
        return None


def resolve_name(name: str, known: Mapping[str, object]) -> str | None:
    """Return what is meant by a name: itself, or the one that ends with it, as `lr` means `train.lr`."""
    if name in known:
        return name
    ends = [one for one in known if one.endswith(f".{name}")]
    return ends[0] if len(ends) == 1 else None


SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
