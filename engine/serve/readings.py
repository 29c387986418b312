"""An experiment as its report says it: takes a site and a name, gives the report's chapter, kept while it holds.

Of a thousand runs a page takes seconds, and a study that runs publishes every few seconds. So it is made in a thread,
and one of many runs in a process of its own, once for each published file at most; meanwhile, and for a while after it
(REST times as long as it took), the last one is shown, which says of which moment it is.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillMaking
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from engine.analysis.snapshot import Snapshot
from engine.errors import QueryError
from engine.home.paths import Home
from engine.serve.apart import LARGE
from engine.serve.deltas import Mark
from engine.serve.site import Site, mark_of
from store.results import open_snapshot

if TYPE_CHECKING:  # it draws: what loads seconds of packages is loaded when somebody asks for it
    from engine.report.document import Chapter
    from engine.report.page import Page

T = TypeVar("T")
REST = 4.0  # times as long as a page took until it is made anew: a fifth of a core at most
PATIENCE = 0.8  # seconds that an answer waits for a page that is being made
SOON = 0.3  # seconds until a page that is being made is asked for again


@dataclass(frozen=True)
class Reading:
    """A page with its charts and maps, the published file it is of, when it was made (unix seconds), in how long."""

    chapter: Chapter
    mark: Mark | None
    at: float
    seconds: float

    @property
    def page(self) -> Page:
        return self.chapter.page


@dataclass(frozen=True)
class Look:
    """What there is to show now: the newest reading, and in how many seconds to look again (None: it is up to date)."""

    reading: Reading | None
    again: float | None


def look_now(site: Site, name: str) -> Look:
    """Return what is there already, without waiting and without having anything made."""
    reading: Reading | None = site.kept.find(("reading", name))
    is_new = reading is not None and reading.mark == site.results_mark()
    return Look(reading, None if is_new else SOON)


def look(site: Site, name: str, patience: float = PATIENCE) -> Look:
    """Return the newest reading, and have a newer one made where it is time for that.

    Raises QueryError for an experiment that is not in the results.
    """
    found, mark = look_now(site, name), site.results_mark()
    if mark is None or found.again is None:
        return Look(found.reading, None)
    if found.reading is not None and (rest := _rest_of(found.reading)) > 0:
        return Look(found.reading, rest)
    is_made = await_briefly(site.kept.begin(("making", mark, name), lambda: _make(site, name, mark)), patience)
    return look_now(site, name) if is_made else Look(found.reading, SOON)


def read_whole(site: Site, name: str) -> Reading:
    """Return the newest reading, waiting for it as long as it takes. Raises QueryError as above."""
    mark = site.results_mark()
    site.kept.get(("making", mark, name), lambda: _make(site, name, mark))
    reading: Reading | None = site.kept.find(("reading", name))
    return reading or read_whole(site, name)  # too many others were read meanwhile


def await_briefly(future: Future[T], patience: float) -> T | None:
    """Return what a thread made, None where it is still at it. Raises what it raised."""
    try:
        return future.result(timeout=patience)
    except StillMaking:
        return None


def _rest_of(reading: Reading) -> float:
    return reading.at + REST * reading.seconds - time.time()


def _make(site: Site, name: str, mark: Mark | None) -> bool:
    """Put a page where `look_now` finds it: of what is kept by published file, only that it was made."""
    begun = time.monotonic()
    with site.snapshot() as snapshot:
        is_large = count_runs(known(snapshot), name) >= LARGE
        chapter = None if is_large else _make_chapter(site.home, known(snapshot), name)
    # Another file may have been published since: what was read there says of which it is.
    chapter, mark = site.apart.run(read_apart, site.home, name) if chapter is None else (chapter, mark)
    site.kept.put(("reading", name), Reading(chapter, mark, time.time(), time.monotonic() - begun))
    return True


def read_apart(home: Home, name: str) -> tuple[Chapter, Mark | None]:
    """Return the chapter of an experiment and the published file it is of; for a process of its own."""
    mark = mark_of(home)
    with open_snapshot(home, seconds=None) as db:
        return _make_chapter(home, Snapshot(home, db), name), mark


def _make_chapter(home: Home, snapshot: Snapshot, name: str) -> Chapter:
    from engine.report import make_chapter
    from engine.report.reading import read_page

    # Pages draw the curves themselves, from the points of the jobs.
    return make_chapter(home, read_page(snapshot, name, with_curves=False))


def count_runs(snapshot: Snapshot, name: str) -> int:
    """Return how many runs an experiment has, 0 for one that is not in the results."""
    found = snapshot.db.execute("select count(*) from runs where experiment = $name", {"name": name}).fetchall()
    return int(found[0][0])


def begin_newest(site: Site) -> None:
    """Have the newest page of those that are made apart made before somebody asks for one, without waiting for it.

    The process that makes it starts, and brings what it needs, in as long as a page takes.
    """
    with site.snapshot() as snapshot:
        found = snapshot.ask("serve_large", least=LARGE) if snapshot is not None else []
    for row in found:
        look(site, row["experiment"], patience=0)


def known(snapshot: Snapshot | None) -> Snapshot:
    """Return the snapshot. Raises QueryError where nothing was published yet."""
    if snapshot is None:
        raise QueryError("there are no results yet", fix="they are here when the first job is done")
    return snapshot
