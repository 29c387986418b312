"""Reports: takes a home, gives the experiments whose report can be opened, frozen numbers with what moved, and papers.

Frozen numbers and papers are files where xp serve was started: *.frozen.json, specs/paper*.yaml and paper*.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.analysis.freeze import ENDING, list_changes
from engine.errors import QueryError, closest_hint
from engine.home.files import read_object
from engine.serve.view import Asked, View

MOST = 200  # files of a kind, and changes of one
PAPERS = ("specs/paper*.yaml", "specs/paper*.yml", "paper*.yaml", "paper*.yml")


@dataclass(frozen=True)
class Report:
    """An experiment that has a report, and how many of its runs are done."""

    name: str
    title: str
    done: int
    runs: int


@dataclass(frozen=True)
class Frozen:
    """A file of frozen numbers: of which experiment, how many, and what is another number now."""

    file: str
    experiment: str
    count: int
    changes: Sequence[str]
    more: int
    trouble: str = ""


@dataclass(frozen=True)
class Reports:
    """The page. `frozen` is None where it was not asked for: comparing them takes a while."""

    reports: Sequence[Report]
    papers: Sequence[str]
    frozen: Sequence[Frozen] | None


def show_reports(asked: Asked) -> View:
    """Return the page, or its part of frozen numbers."""
    with asked.site.snapshot() as snapshot:
        rows = snapshot.ask("serve_reports") if snapshot else []
    reports = [Report(row["experiment"], row["title"] or row["experiment"], row["done"], row["runs"]) for row in rows]
    frozen = find_frozen(asked) if asked.word("part") == "frozen" else None
    return View("reports", "Reports", Reports(reports, [path.stem for path in list_papers()], frozen))


def list_papers() -> list[Path]:
    """Return the files of papers here, by name."""
    found = {path.stem: path for pattern in reversed(PAPERS) for path in sorted(Path().glob(pattern))[:MOST]}
    return [found[name] for name in sorted(found)]


def find_paper(name: str) -> Path | None:
    """Return the file of a paper that `list_papers` lists, and of no other name."""
    return next((path for path in list_papers() if path.stem == name), None)


def find_frozen(asked: Asked) -> list[Frozen]:
    """Return the frozen numbers that lie here, each compared with the results as they are now."""
    return [_compare(asked, path) for path in sorted(Path().glob(f"*{ENDING}"))[:MOST]]


def _compare(asked: Asked, path: Path) -> Frozen:
    about = read_object(path) or {}
    name, cells = str(about.get("experiment", "")), about.get("cells", [])
    count = len(cells) if isinstance(cells, list) else 0
    try:
        with asked.site.snapshot() as snapshot:
            if snapshot is None:
                raise QueryError("there are no results yet", fix=closest_hint(name, [name]))
            changes = [str(one) for one in list_changes(snapshot, name, path)]
    except QueryError as error:
        return Frozen(path.name, name, count, (), 0, f"{error.what}; {error.fix}")
    return Frozen(path.name, name, count, changes[:MOST], max(0, len(changes) - MOST))
