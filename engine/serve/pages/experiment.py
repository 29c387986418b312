"""An experiment: takes its name, gives how far it is, its arms by cells, what they mean and what is missing.

The queue is asked at once; what the report knows comes in a part of its own (readings.py), so that the first paint
waits for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import closest_hint
from engine.inspect.status import ExperimentView, JobView, find_trouble, read_status
from engine.serve.drawings import Picture, list_pictures
from engine.serve.lacks import Lacks, ask_lacks
from engine.serve.pages.curves import Choice, choose
from engine.serve.pages.home import Line, describe
from engine.serve.pages.pictures import map_key
from engine.serve.readings import SOON, Look, Reading, look, look_now
from engine.serve.searches import Searched, read_search
from engine.serve.tables import Order, Overview, Shown, lay_out, survey
from engine.serve.view import Asked, Trouble, View

if TYPE_CHECKING:
    from engine.report.page import Page
    from engine.report.pictures import MapImage

FEW_CELLS = 4  # tables that are shown one below the other
SURVEYED = 100  # cells of an overview
MOST_LISTED = 12  # jobs that are told one by one
MOST_CELLS = 1_000_000
PICTURED = ("charts", "compression", "search", "maps")


@dataclass(frozen=True)
class Head:
    """How an experiment stands in the queue: None of `line` where only its results are here."""

    line: Line | None
    priority: int
    running: Sequence[JobView]
    failures: Sequence[JobView]
    more_failures: int
    waiting: Sequence[JobView]
    orders: Sequence[str]
    trouble: str


@dataclass(frozen=True)
class MapRow:
    """One image that arms explained: what it shows, and each arm's map, None where it has none."""

    title: str
    maps: Sequence[tuple[str, MapImage | None, str]]  # arm, map, its key


@dataclass(frozen=True)
class Body:
    """What the report says, laid out as was asked."""

    page: Page
    at: float
    tables: Sequence[Shown]
    order: Order
    overview: Overview | None
    cells: Sequence[str]
    cell: str
    pictures: Mapping[str, Sequence[Picture]]
    maps: Sequence[MapRow]
    arms: Sequence[str]


@dataclass(frozen=True)
class Experiment:
    """The page. `body` is None while it is being read, and `again` says in how many seconds to look."""

    name: str
    title: str
    head: Head
    body: Body | None
    again: float | None
    has_results: bool
    choice: Choice
    lacks: Lacks | None
    searched: Searched | None
    part: str


def show_experiment(asked: Asked) -> View:
    """Return the page, or what one of its parts needs."""
    name, part = asked.path["experiment"], asked.word("part")
    view = next(iter(read_status(asked.home, name)), None)
    with asked.site.snapshot() as snapshot:
        known = [row["experiment"] for row in snapshot.ask("claims_experiments")] if snapshot else []
        choice = choose(snapshot, name, asked.word("metric"), asked.word("curve_cell"))
        searched = read_search(asked, snapshot, name) if part in ("", "search") else None
    if view is None and name not in known:
        return _unknown(asked, name, known)
    found = _look(asked, name, part) if name in known else Look(None, None)
    body = _body(asked, found.reading) if found.reading is not None and part in ("", "results") else None
    lacks = ask_lacks(asked.site, view) if part == "lacks" and view is not None else None
    title = view.title if view is not None else body.page.title if body else name
    head = _head(asked, view)
    return View(
        "experiment",
        name,
        Experiment(name, title, head, body, found.again, name in known, choice, lacks, searched, part),
    )


def _look(asked: Asked, name: str, part: str) -> Look:
    """Only the part that shows results has them made: the page itself shows what is there."""
    if part == "results":
        return look(asked.site, name)
    return look_now(asked.site, name) if not part else Look(None, SOON)


def _unknown(asked: Asked, name: str, known: Sequence[str]) -> View:
    names = sorted({*known, *(view.experiment for view in read_status(asked.home))})
    fix = closest_hint(name, names) if names else "submit one: xp submit SPEC"
    return View("trouble", "Not here", Trouble(f"there is no experiment {name!r} here", "", fix), 404)


def _head(asked: Asked, view: ExperimentView | None) -> Head:
    if view is None or not (view.jobs or view.is_searching):
        return Head(None, 0, (), (), 0, (), (), "")
    failures = view.failures
    return Head(
        describe(view), view.priority, view.running[:MOST_LISTED], failures[:MOST_LISTED],
        max(0, view.jobs.get("failed", 0) + view.jobs.get("cancelled", 0) - MOST_LISTED),
        view.waiting[:MOST_LISTED], _orders_for(view), find_trouble(asked.home, [view]),
    )  # fmt: skip


def _orders_for(view: ExperimentView) -> list[str]:
    """Return the orders that would change something now."""
    has = {state for state, count in view.jobs.items() if count}
    found = ["pause", "cancel"] if has & {"queued", "running", "blocked"} else ["cancel"] if "paused" in has else []
    found += ["resume"] if "paused" in has else []
    return found + (["retry"] if has & {"failed", "cancelled"} else [])


def _body(asked: Asked, reading: Reading) -> Body:
    page, order = reading.page, Order(asked.word("sort"), asked.word("way") == "down")
    cells = [table.title for table in page.results]
    chosen = asked.word("cell") if asked.word("cell") in cells else ""
    is_many = len(cells) > FEW_CELLS
    shown = [table for table in page.results if not is_many or table.title == (chosen or cells[0])]
    first = asked.number("from", 0, 0, max(0, len(cells) - 1))
    overview = survey(page.results, asked.word("of"), first, SURVEYED) if len(cells) > 1 else None
    pictures = {kind: list_pictures(reading, kind) for kind in PICTURED}
    return Body(
        page, reading.at, [lay_out(table, order) for table in shown], order, overview, cells if is_many else (),
        (chosen or cells[0]) if is_many else "", pictures, _map_rows(reading), reading.chapter.arms,
    )  # fmt: skip


def _map_rows(reading: Reading) -> list[MapRow]:
    arms = reading.chapter.arms
    rows = []
    for row in reading.chapter.maps.values():
        by_arm = {one.arm: one for one in row}
        maps = [(arm, by_arm.get(arm), map_key(by_arm[arm].path) if arm in by_arm else "") for arm in arms]
        rows.append(MapRow(row[0].title, maps))
    return rows
