"""All runs: takes an address with a filter, an order, columns and a grouping, gives one page of the table of them.

experiment=NAME   only its runs             col=NAME     a column, as often as wanted
q=TEXT            a filter (filtering.py)   group=NAME   one row for each value of a column
sort=NAME         by a column; -NAME down   page=2       of ROWS rows, or rows=200
a=RUN or a=ARM    what is chosen to be compared
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from engine.errors import closest_hint
from engine.serve.filtering import Cell, Term, parse_terms, resolve_name, to_number
from engine.serve.grouping import Group, make_groups, summarise
from engine.serve.paging import Paging, make_paging
from engine.serve.run_rows import Column, RunLine, RunTable
from engine.serve.view import Asked, View

T = TypeVar("T")
ROWS = 50
SIZES = (ROWS, 200, 1000)  # rows that a page may have
LAST = (True, 0.0, "")
WORD, NUMBER = "word", "number"
MOST_COLUMNS, MOST_CHOSEN = 12, 40
FIRST = ("test_top1", "val_top1", "params", "infer_images_per_second")
SHOWN = ("cell", "seed", "state")  # fields beside the name of a run, where runs are not grouped
MOST_SETTINGS = 4  # columns of settings that nobody asked for


@dataclass(frozen=True)
class Head:
    """The head of a column: its heading, the address that sorts by it, and how it is sorted now."""

    name: str
    heading: str
    address: str
    sorted: str  # ascending, descending or none
    kind: str  # word or number, by which it is aligned


@dataclass(frozen=True)
class Row:
    """A row: what it is called, where its name leads, what a tick of it means, and its cells by heading."""

    name: str
    address: str
    pick: str
    is_picked: bool
    cells: tuple[tuple[str, str, str], ...]  # heading, text, word or number
    state: str = ""


@dataclass(frozen=True)
class RunsPage:
    """What the page shows; addresses are relative to the root."""

    query: str
    experiment: str
    experiments: tuple[str, ...]
    group: str
    sort: str
    shown: tuple[str, ...]
    groupable: tuple[str, ...]
    choices: Mapping[str, tuple[Column, ...]]
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    paging: Paging  # of the rows, be they runs or groups
    total: int
    matching: int
    states: tuple[tuple[str, int, str], ...]  # state, how many, the address that shows them alone
    problems: tuple[str, ...]
    chosen: tuple[str, ...]
    sizes: tuple[tuple[int, bool, str], ...]  # rows of a page, whether it has as many, the address where it has
    plain: str


def show_runs(asked: Asked) -> View:
    """Return the page of the table that was asked for."""
    with asked.site.snapshot() as snapshot:
        table = RunTable(asked.home, snapshot, asked.word("experiment"))
        return View("runs", "Runs", _Choice(asked, table).page())


class _Choice:
    """One request over the table: reads each column that it needs once."""

    def __init__(self, asked: Asked, table: RunTable) -> None:
        self.asked, self.table = asked, table
        self.problems: list[str] = []
        self._values: dict[str, Callable[[RunLine], Cell]] = {}
        self.group = self._known(asked.word("group"))
        self.columns = self._columns()
        asked_for = asked.number("rows", ROWS, 0, SIZES[-1])
        self.size = asked_for if asked_for in SIZES else ROWS
        self.picked = frozenset(asked.all("a")[:MOST_CHOSEN])

    def page(self) -> RunsPage:
        terms = parse_terms(self.asked.word("q"))
        lines = self._filtered(terms)
        rows, count = self._group_rows(lines) if self.group else self._run_rows(lines)
        paging = self._paging(count)
        return RunsPage(
            query=self.asked.word("q"), experiment=self.asked.word("experiment"),
            experiments=self.table.experiments,
            group=self.group, sort=self.asked.word("sort"), shown=tuple(column.name for column in self.columns),
            groupable=("arm", "cell", "experiment", "seed", *self._varied()), choices=self._choices(),
            heads=tuple(self._heads()), rows=tuple(rows), paging=paging,
            total=len(self.table.lines), matching=len(lines), states=tuple(self._states(lines)),
            problems=tuple(self.problems), chosen=tuple(sorted(self.picked)),
            sizes=tuple((size, size == self.size, self.address(rows=size, page=None)) for size in SIZES)
            if count > ROWS else (),
            plain=self.address(q=None, sort=None, group=None, page=None, rows=None, col=None, a=None),
        )  # fmt: skip

    def address(self, **changes: Any) -> str:
        """The address of this view with some words changed; None takes one away."""
        words = {name: values for name, values in self.asked.words.items() if name not in ("part", *changes)}
        words |= {name: (str(value),) for name, value in changes.items() if value is not None}
        return f"runs?{urlencode(words, doseq=True)}"

    # -- what was asked for ---------------------------------------------------------------------------------------

    def _known(self, name: str) -> str:
        """Return the column that is meant, or nothing and say so."""
        found = resolve_name(name, self.table.columns) if name else None
        if name and found is None:
            self.problems.append(f"there is no column {name!r}: {closest_hint(name, list(self.table.columns))}")
        return found or ""

    def _columns(self) -> list[Column]:
        asked = [found for name in self.asked.all("col")[:MOST_COLUMNS] if (found := self._known(name))]
        names = list(dict.fromkeys(asked)) or [*self._first_settings(), *self._first_figures()]
        return [self.table.columns[name] for name in names]

    def _varied(self) -> list[str]:
        """Settings with more than one value, those with the fewest first: they tell groups apart."""
        varied = [(count, name) for name, count in self.table.settings.items() if count > 1]
        return [name for _, name in sorted(varied)]

    def _first_settings(self) -> list[str]:
        """Of one experiment what differs in it; among several the names of arms and cells say it shorter."""
        return self._varied()[:MOST_SETTINGS] if self.table.experiment else []

    def _first_figures(self) -> list[str]:
        return [name for name in FIRST if name in self.table.filled]

    def value(self, name: str) -> Callable[[RunLine], Cell]:
        if name not in self._values:
            self._values[name] = self.table.values(name)
        return self._values[name]

    def _filtered(self, terms: Sequence[Term]) -> list[RunLine]:
        lines = self.table.lines
        for term in terms:
            name = self._known(term.name)
            if term.name and not name:
                continue
            value = self.value(name) if name else lambda line: None
            lines = [line for line in lines if term.fits(line.text, value(line))]
        return lines

    def _states(self, lines: Sequence[RunLine]) -> Iterator[tuple[str, int, str]]:
        for state, count in sorted(Counter(line.state for line in lines).items()):
            query = f"{self.asked.word('q')} state={state}".strip()
            yield state, count, self.address(q=query, page=None)

    # -- rows -----------------------------------------------------------------------------------------------------

    def _paging(self, count: int) -> Paging:
        return make_paging(self.asked, count, self.size)

    def _cut(self, count: int) -> slice:
        paging = self._paging(count)
        return slice(paging.start, paging.end)

    def _sorting(self) -> tuple[str, bool]:
        text = self.asked.word("sort")
        return text.removeprefix("-"), text.startswith("-")

    def _run_rows(self, lines: list[RunLine]) -> tuple[list[Row], int]:
        name, is_down = self._sorting()
        if found := self._known(name):
            lines = _sorted(lines, self.value(found), is_down=is_down)
        return [self._run_row(line) for line in lines[self._cut(len(lines))]], len(lines)

    def _run_row(self, line: RunLine) -> Row:
        fields = [*(() if self.asked.word("experiment") else ("experiment",)), *SHOWN]
        columns = [*(self.table.columns[name] for name in fields), *self.columns]
        cells = tuple((one.heading, _field_text(one, self.value(one.name)(line)), _kind(one)) for one in columns)
        return Row(
            f"{line.arm}, seed {line.seed}", f"run/{line.run}", line.run, line.run in self.picked, cells, line.state
        )

    def _group_rows(self, lines: list[RunLine]) -> tuple[list[Row], int]:
        groups = make_groups(lines, self.value(self.group))
        name, is_down = self._sorting()
        if found := self._known(name):
            column, value = self.table.columns[found], self.value(found)
            keys = {id(group): summarise(group, column, value).value for group in groups}
            keys |= {id(group): group.key for group in groups if found == self.group}
            groups = _sorted(groups, lambda group: keys[id(group)], is_down=is_down)
        return [self._group_row(group) for group in groups[self._cut(len(groups))]], len(groups)

    def _group_row(self, group: Group) -> Row:
        column = self.table.columns[self.group]
        text = _field_text(column, group.key)
        states = ", ".join(f"{count} {state}" for state, count in sorted(group.states.items()))
        cells = [("runs", str(len(group.lines)), NUMBER), ("arms", str(group.arms), NUMBER), ("states", states, WORD)]
        cells += [(one.heading, summarise(group, one, self.value(one.name)).text, _kind(one)) for one in self.columns]
        query = f'{self.asked.word("q")} {self.group}="{text if group.key is not None else "none"}"'.strip()
        address = self.address(q=query, group=None, page=None)
        return Row(text, address, group.arm, group.arm in self.picked and bool(group.arm), tuple(cells))

    def _heads(self) -> Iterator[Head]:
        if self.group:
            yield self._head(self.group, self.table.columns[self.group].heading)
            yield from (Head("", heading, "", "none", NUMBER) for heading in ("runs", "arms"))
            yield Head("", "states", "", "none", WORD)
        else:
            yield self._head("arm", "run")
            fields = [*(() if self.asked.word("experiment") else ("experiment",)), *SHOWN]
            yield from (self._head(name, name) for name in fields)
        yield from (self._head(column.name, column.heading) for column in self.columns)

    def _head(self, name: str, heading: str) -> Head:
        now, is_down = self._sorting()
        is_sorted = bool(now) and resolve_name(now, self.table.columns) == name
        following = {"ascending": f"-{name}", "descending": None, "none": name}
        way = ("descending" if is_down else "ascending") if is_sorted else "none"
        # Of figures the largest are wanted first.
        if self.table.columns[name].is_number:
            following = {"none": f"-{name}", "descending": name, "ascending": None}
        return Head(name, heading, self.address(sort=following[way], page=None), way, _kind(self.table.columns[name]))

    def _choices(self) -> Mapping[str, tuple[Column, ...]]:
        """Columns to choose from: settings that differ, figures that a run of the table has, and what was logged."""
        columns = self.table.columns
        settings = [columns[name] for name in self._varied()]
        figures = [one for one in columns.values() if one.kind == "figure" and one.name in self.table.filled]
        logged = [one for one in columns.values() if one.kind == "logged"]
        others = [one for one in columns.values() if one.kind == "setting" and one not in settings]
        return {"settings that differ": tuple(settings), "figures": tuple(figures), "logged by step": tuple(logged),
                "other settings": tuple(others)}  # fmt: skip


def _kind(column: Column) -> str:
    return NUMBER if column.is_number or column.name == "seed" else WORD


def _field_text(column: Column, value: Cell) -> str:
    if column.name == "seed" and isinstance(value, float):
        return f"{value:.0f}"
    return column.write(value)


def _sorted(items: Sequence[T], value: Callable[[T], Cell], *, is_down: bool) -> list[T]:
    """Sort by number where there is one, then by text; what has no finite value comes last, up or down."""
    keyed = [(_sort_key(value(item)), item) for item in items]
    there = [one for one in keyed if one[0] is not None]
    there.sort(key=lambda one: one[0] or LAST, reverse=is_down)
    return [item for _, item in there] + [item for key, item in keyed if key is None]


def _sort_key(value: Cell) -> tuple[bool, float, str] | None:
    number = to_number(value)
    if value is None or (number is not None and not math.isfinite(number)):
        return None
    return number is None, number or 0.0, str(value)
