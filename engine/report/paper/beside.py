"""Each printed figure beside ours: takes the paper's rows and the record, gives one table a section.

Ours stands beside a figure only where the same thing was run, under the paper's conditions (image size, classes,
epochs, batch) too. Else the table says that no run corresponds, and its notes what such a run would be and how the
nearest one differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.analysis.snapshot import Row
from engine.report import number_text
from engine.report.paper.evidence import Evidence, Record
from engine.report.paper.sentences import say
from engine.report.published import (
    COLUMNS,
    UNMATCHED,
    Place,
    find_pair,
    our_cells,
    printed_cells,
    unclear_marks,
    unclear_notes,
    wanted_pair,
)  # fmt: skip
from engine.report.tables import Cell, Table

SECTION_KEY = ("phase", "section")


@dataclass(frozen=True)
class Beside:
    """The tables of all printed figures, how many there are, and how many of them have a run beside them."""

    tables: Sequence[Table]
    count: int
    found: int


@dataclass(frozen=True)
class Match:
    """A run of the printed network, and what of the paper's conditions it was not run under."""

    evidence: Evidence
    pair: tuple[Place, Place]
    apart: Sequence[str]


def set_beside(record: Record) -> Beside:
    """Return every printed figure with ours where one corresponds."""
    sections: dict[tuple[object, ...], list[Row]] = {}
    for row in record.published:
        sections.setdefault(tuple(row[key] for key in SECTION_KEY), []).append(row)
    matches = {id(row): _best(row, record) for row in record.published}
    tables = [
        _section_table(f"Published figures, phase {phase}: {name}", rows, matches)
        for (phase, name), rows in sections.items()
    ]
    found = sum(match is not None and not match.apart for match in matches.values())
    return Beside(tables, len(record.published), found)


def _best(row: Row, record: Record) -> Match | None:
    """Return the match that lacks least of the paper's conditions, the first of equal ones."""
    if row["against"] is None:
        return None
    found = [
        Match(evidence, pair, list(_apart(row, evidence, pair[0], record)))
        for evidence in record.found.values()
        if (pair := find_pair(row, evidence.sheet)) is not None
    ]
    return min(found, key=lambda match: len(match.apart), default=None)


def _apart(row: Row, evidence: Evidence, place: Place, record: Record) -> Iterator[str]:
    """Yield what a run is instead of what the paper's was, `64 px` for one."""
    asked, tree = record.conditions, evidence.sheet.settings[place]
    if asked.image_size is not None and tree.get("data.image_size") != asked.image_size:
        yield f"{tree.get('data.image_size')} px"
    if asked.classes is not None and evidence.classes != asked.classes:
        yield f"{evidence.classes or 'unknown'} classes"
    spent = evidence.sheet.mean(*place, "epochs_spent")
    if asked.epochs is not None and spent is not None and round(spent) != asked.epochs:
        yield f"{spent:g} epochs"
    if row["batch_size"] and tree.get("train.batch_size") != row["batch_size"]:
        yield f"batch {tree.get('train.batch_size')}"


def _section_table(title: str, rows: Sequence[Row], matches: dict[int, Match | None]) -> Table:
    marks = unclear_marks(rows)
    body = [[*printed_cells(row, marks[at]), *_cells(row, matches[id(row)])] for at, row in enumerate(rows)]
    open_rows = [row for row in rows if (match := matches[id(row)]) is None or match.apart]
    notes = [*unclear_notes(rows), *dict.fromkeys(note for row in open_rows for note in _note(row, matches[id(row)]))]
    return Table(title, COLUMNS, body, notes)


def _cells(row: Row, match: Match | None) -> list[Cell]:
    if match is None or match.apart:
        return [Cell(UNMATCHED), Cell(number_text.NONE), Cell(number_text.NONE)]
    return our_cells(row, match.evidence.sheet, match.pair)


def _note(row: Row, match: Match | None) -> Iterator[str]:
    """Yield what a run that corresponds would be, and the nearest that there is."""
    if row["against"] is None:
        return
    first, second = wanted_pair(row)
    near = ""
    if match is not None:
        place = f"{match.evidence.name}/{match.pair[0][0]}"
        near = f"; {say('nearest', place=place, apart=', '.join(match.apart))}"
    yield say("would_be", first=first, second=second).removesuffix(".") + f"{near}."
