"""What a mutant is: takes a file's text and a place in it, gives the text with that place alone changed."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Mutant:
    """One small fault. `old` and `new` are what a person reads; `start`, `end` and `put` say what is written."""

    path: str
    line: int
    scope: str
    kind: str
    old: str
    new: str
    start: int
    end: int
    put: str
    nth: int = 1

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What finds this mutant again after lines have moved."""
        return self.path, self.scope, self.old, self.new, self.nth


@dataclass(frozen=True)
class Edit:
    """A change of a file's bytes from `start` to `end`."""

    start: int
    end: int
    put: str


def one_line(text: str) -> str:
    return " ".join(text.split())


def apply_mutant(source: str, mutant: Mutant) -> str:
    raw = source.encode()
    return (raw[: mutant.start] + mutant.put.encode() + raw[mutant.end :]).decode()


def diff_of(source: str, mutant: Mutant) -> str:
    """Return the changed lines only, each with its sign."""
    before, after = source.splitlines(), apply_mutant(source, mutant).splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
    return "\n".join(line for line in lines if not line.startswith("@@"))


def mutant_of(path: str, raw: bytes, scope: str, kind: str, edit: Edit) -> Mutant:
    """Return an edit as a mutant that shows the whole lines before and after, as a reader finds them."""
    start, after = raw.rfind(b"\n", 0, edit.start) + 1, raw.find(b"\n", edit.end)
    end = len(raw) if after < 0 else after
    old, put = raw[start:end], edit.put.encode()
    new = raw[start : edit.start] + put + raw[edit.end : end]
    line = raw.count(b"\n", 0, edit.start) + 1
    return Mutant(
        path, line, scope, kind, one_line(old.decode()), one_line(new.decode()), edit.start, edit.end, edit.put
    )


def number_mutants(mutants: Iterable[Mutant]) -> list[Mutant]:
    """Number those that read alike, so that each has a key of its own."""
    seen: Counter[tuple[str, str, str, str]] = Counter()
    numbered: list[Mutant] = []
    for mutant in mutants:
        seen[mutant.key[:4]] += 1
        numbered.append(replace(mutant, nth=seen[mutant.key[:4]]))
    return numbered


def textual_mutant(source: str, path: str, line: int, old: str, new: str) -> Mutant:
    """Return the mutant that a person wrote: `old` begins on that line. Raises ValueError where it does not."""
    lines = source.splitlines(keepends=True)
    before = "".join(lines[: line - 1])
    at = source.find(old, len(before)) if old else -1
    if not 0 < line <= len(lines) or not 0 <= at < len(before) + len(lines[line - 1]):
        raise ValueError(f"{path}:{line} does not hold {old!r}")
    start = len(source[:at].encode())
    return mutant_of(path, source.encode(), "", "given", Edit(start, start + len(old.encode()), new))
