"""Where a number of an experiment's page comes from: takes its arm, cell and column, gives SQL, runs and commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.serve.readings import read_whole
from engine.serve.tables import BASELINE
from engine.serve.view import Asked, Trouble, View

RUNS, SQL = "runs", "SQL"


@dataclass(frozen=True)
class Traced:
    """A number and its facts: those that are texts, its SQL, and the runs behind it."""

    experiment: str
    arm: str
    cell: str
    column: str
    text: str
    facts: Sequence[tuple[str, str]]
    sql: str
    runs: Sequence[str]
    rest: str  # what stands behind the runs that are named


def show_origin(asked: Asked) -> View:
    """Return the number's origin. Raises QueryError for an unknown experiment."""
    name, arm, cell, column = (asked.path["experiment"], *(asked.word(word) for word in ("arm", "cell", "column")))
    for table in read_whole(asked.site, name).page.results:
        for row in table.rows if table.title == cell and column in table.columns else ():
            found = row[list(table.columns).index(column)]
            if row[0].text.removesuffix(BASELINE) == arm and found.origin is not None:
                return View("origin", f"{arm}: {column}", _trace(asked, found.text, found.origin.facts))
    about = Trouble("there is no such number", f"{name}/{arm}", "go back to the experiment and choose it there")
    return View("trouble", "Not here", about, 404)


def _trace(asked: Asked, text: str, facts: Mapping[str, str]) -> Traced:
    named, _, rest = facts.get(RUNS, "").partition(" and ")
    others = [(name, told) for name, told in facts.items() if name not in (RUNS, SQL)]
    runs = [run for run in named.split(", ") if run]
    arm, cell, column = (asked.word(word) for word in ("arm", "cell", "column"))
    more = f"and {rest}" if rest else ""
    return Traced(asked.path["experiment"], arm, cell, column, text, others, facts.get(SQL, ""), runs, more)
