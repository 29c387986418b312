"""Which mutants are tried: takes a room's files, how many and a seed, gives that many, spread over files by their size.

The order of a file's mutants hangs on the seed and on what each is, not on where it stands: after a small change of the
source most of them are chosen again. Mutants of equivalent.txt are passed over and counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.python import is_sound, needed_keywords, python_mutants
from tests.mutants.sql import sql_mutants
from tests.mutants.texts import Mutant, one_line

EQUIVALENT = "tests/mutants/equivalent.txt"
Key = tuple[str, str, str, str, int]


@dataclass(frozen=True)
class Choice:
    """The mutants to judge, those passed over as equivalent, and entries of the list that match nothing any more."""

    mutants: list[Mutant]
    left_out: list[Mutant]
    stale: list[Key]


def choose_mutants(root: Path, files: list[str], most: int, seed: int) -> Choice:
    equivalent = read_equivalents(root)
    texts = {file: (root / file).read_text() for file in files}
    every = mutants_of(root, texts)
    shares = share_out({file: len(texts[file]) if every[file] else 0 for file in files}, most)
    chosen: list[Mutant] = []
    left_out: list[Mutant] = []
    for file in files:
        taken, passed = _take(every[file], texts[file], shares[file], seed, equivalent)
        chosen += taken
        left_out += passed
    known = {mutant.key for mutants in every.values() for mutant in mutants}
    return Choice(chosen, left_out, sorted(key for key in equivalent if key[0] in texts and key not in known))


def mutants_of(root: Path, texts: dict[str, str]) -> dict[str, list[Mutant]]:
    """Return every mutant of each file."""
    sources = [file.read_text() for top in ("engine", "store") for file in sorted((root / top).rglob("*.py"))]
    needed = needed_keywords(sources)
    return {
        file: sql_mutants(file, text) if file.endswith(".sql") else python_mutants(file, text, needed)
        for file, text in texts.items()
    }


def share_out(sizes: dict[str, int], most: int) -> dict[str, int]:
    """Return how many of `most` each file gets by its size: the largest remainders first, ties by name."""
    whole = sum(sizes.values()) or 1
    exact = {file: most * size / whole for file, size in sizes.items()}
    shares = {file: int(share) for file, share in exact.items()}
    rest = sorted(sizes, key=lambda file: (shares[file] - exact[file], file))
    for file in rest[: most - sum(shares.values())]:
        shares[file] += 1 if sizes[file] else 0
    return shares


def _take(
    mutants: list[Mutant], source: str, count: int, seed: int, equivalent: set[Key]
) -> tuple[list[Mutant], list[Mutant]]:
    """Take in the order of the seed, a line's second mutant only when every line has had its first."""
    taken: list[Mutant] = []
    passed: list[Mutant] = []
    for mutant in _in_rounds(sorted(mutants, key=lambda mutant: _rank(mutant, seed))):
        if len(taken) == count:
            break
        if mutant.key in equivalent:
            passed.append(mutant)
        elif mutant.path.endswith(".sql") or is_sound(source, mutant):
            taken.append(mutant)
    return sorted(taken, key=lambda mutant: mutant.start), passed


def _in_rounds(mutants: list[Mutant]) -> list[Mutant]:
    seen: Counter[int] = Counter()
    rounds: list[tuple[int, Mutant]] = []
    for mutant in mutants:
        rounds.append((seen[mutant.line], mutant))
        seen[mutant.line] += 1
    return [mutant for _, mutant in sorted(rounds, key=lambda pair: pair[0])]


def _rank(mutant: Mutant, seed: int) -> str:
    return hashlib.sha256(repr((seed, mutant.key)).encode()).hexdigest()


def read_equivalents(root: Path) -> set[Key]:
    """Read lines of path, function, old line, new line, reason, tabs between; `#2` after the function: the second."""
    found: set[Key] = set()
    file = root / EQUIVALENT
    for number, line in enumerate(file.read_text().splitlines() if file.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != 5 or not all(part.strip() for part in (parts[0], *parts[2:])):
            raise ValueError(f"{EQUIVALENT}:{number} needs path, function, old line, new line and reason, tabs between")
        scope, _, nth = parts[1].partition("#")
        found.add((parts[0], scope, one_line(parts[2]), one_line(parts[3]), int(nth or 1)))
    return found
