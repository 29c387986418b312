"""New points by cursor: takes a site and what a browser watches, gives curves to draw and points to add to them.

A cursor says up to where a browser has each job's points, as a text that it sends back; without one, or with one that
no longer fits (another attempt counts, too much was added), a job's curves come anew: what is published, thinned by
DuckDB, and what its journals hold beyond that. A poll costs what is new.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.analysis.snapshot import Snapshot
from engine.home.paths import Home
from engine.serve.live import Link, LiveJob, Read
from engine.serve.thinning import PER_PART, thin
from store.points import Points

Axis = Literal["step", "epoch", "at"]
Mark = tuple[int, int, int]  # what tells one publication from the next
JOBS, NAMES = 256, 64  # of one question
HELD_JOBS, HELD_CURVES = 256, 64  # that a server keeps in memory


class Published(Protocol):
    """A home and its newest results: a Site."""

    home: Home

    def results_mark(self) -> Mark | None: ...

    def snapshot(self) -> AbstractContextManager[Snapshot | None]: ...


@dataclass(frozen=True)
class Series:
    """Points of one metric of a job: x in steps, epochs or unix seconds, y its values, each (points,).

    `is_anew`: they are the whole curve; else they come after those that were sent.
    """

    job: str
    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    is_anew: bool


@dataclass(frozen=True)
class Delta:
    """What there is to draw, and the cursor for the next question."""

    series: tuple[Series, ...]
    cursor: str


@dataclass(frozen=True)
class Watched:
    """What a browser watches: jobs, metrics (none: all), the axis, and the pixels that a curve has."""

    jobs: tuple[str, ...]
    names: tuple[str, ...] = ()
    axis: Axis = "step"
    width: int = 600


@dataclass(frozen=True)
class Place:
    """Where a browser is with a job: which chain of attempts, the last point, and how many were added.

    `sampled`: the publication since which points were left out, as the job logged too fast; else empty.
    """

    chain: str
    last: int
    added: int = 0
    sampled: str = ""


Range = tuple[int, int]  # the first and the last row of a job's values
NOWHERE: Range = (0, -1)
FEW_JOBS = 3  # that are looked for one by one before it is found out where all jobs are


@dataclass
class _Ranges:
    """Where the values of jobs lie in one published file, as far as that is known."""

    known: object  # what tells the file from others
    of: dict[str, Range] = field(default_factory=dict)
    is_whole: bool = False  # a job that is not in `of` has no values

    def find_all(self, snapshot: Snapshot) -> None:
        (row,) = snapshot.ask("serve_ranges")
        places = zip(row["firsts"] or (), row["lasts"] or (), strict=True)
        self.of, self.is_whole = dict(zip(row["jobs"] or (), places, strict=True)), True


@dataclass
class Deltas:
    """What a server knows of watched jobs, for all who watch. At most HELD_JOBS jobs and HELD_CURVES answers."""

    site: Published
    _jobs: OrderedDict[tuple[Mark | None, str], LiveJob] = field(default_factory=OrderedDict)
    _curves: OrderedDict[tuple[Any, ...], dict[str, Points]] = field(default_factory=OrderedDict)
    _ranges: _Ranges = field(default_factory=lambda: _Ranges(None))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, watched: Watched, cursor: str = "") -> Delta:
        """Return what is new for who has what `cursor` says. Raises StoreError for damaged results."""
        places, mark = read_cursor(cursor, watched), self.site.results_mark()
        series: list[Series] = []
        now: dict[str, Place] = {}
        for job, live in self._find_jobs(watched.jobs, mark).items():
            with live.lock:
                live.look()
                found, now[job] = self._ask_job(job, live, watched, places.get(job), mark)
            series += found
        return Delta(tuple(series), write_cursor(now, watched))

    def warm_up(self) -> None:
        """Find where the values of all jobs lie: of what the first curves of many jobs take that is the most."""
        with self.site.snapshot() as snapshot:
            if snapshot is not None:
                self._ranges_of(snapshot).find_all(snapshot)

    def _ask_job(
        self, job: str, live: LiveJob, watched: Watched, place: Place | None, mark: Mark | None
    ) -> tuple[list[Series], Place]:
        """Return what is new of a job, or its whole curves, and where the browser is then."""
        sampled = str(mark) if live.is_sampled else ""
        if place is None or not _fits(place, live, watched.width) or place.sampled not in ("", str(mark)):
            return self._anew(job, live, watched, mark), Place(live.chain, live.last_place(), 0, sampled)
        found = self._next(job, live, watched, place.last)
        added = place.added + max((len(one.x) for one in found), default=0)
        return found, Place(live.chain, live.last_place(), added, sampled or place.sampled)

    def _find_jobs(self, jobs: Sequence[str], mark: Mark | None) -> dict[str, LiveJob]:
        """Return the jobs, each with what is published of it read once for each publication."""
        with self._lock:
            _forget_others(self._jobs, mark)
            missing = [job for job in jobs if (mark, job) not in self._jobs]
            reads = self._read_published(missing) if missing else {}
            for job in missing:
                self._jobs[mark, job] = LiveJob(self.site.home.job(job), reads.get(job, {}))
            for job in jobs:
                self._jobs.move_to_end((mark, job))
            found = {job: self._jobs[mark, job] for job in jobs}
            while len(self._jobs) > HELD_JOBS:
                self._jobs.popitem(last=False)
            return found

    def _read_published(self, jobs: Sequence[str]) -> dict[str, dict[int, Read]]:
        found: dict[str, dict[int, Read]] = {}
        with self.site.snapshot() as snapshot:
            if snapshot is None:
                return {}
            for row in snapshot.ask("serve_read", jobs=list(jobs)):
                seq, upto = self._find_lines(snapshot, row, len(jobs))
                read = Read(row["bytes"], row["compacted"], seq, row["source"], upto)
                found.setdefault(row["job"], {})[row["attempt"]] = read
        return found

    def _find_lines(self, snapshot: Snapshot, row: Mapping[str, Any], among: int) -> tuple[int, int | None]:
        """Return the last published line of an attempt, and up to which line the one that it went on from counts."""
        lasts = {}
        # Of what is finished nothing more can come.
        if not row["compacted"]:
            first, last = self._find_range(snapshot, row["job"], among)
            asked = {"job": row["job"], "step": row["step"] or 0, "first": first, "last": last}
            lasts = {one["attempt"]: one for one in snapshot.ask("serve_lasts", **asked)}
        seq = lasts[row["attempt"]]["seq"] if row["attempt"] in lasts else 0
        if row["source"] is None or row["upto"] is not None or row["source"] not in lasts:
            return seq, row["upto"]
        return seq, lasts[row["source"]]["before"]

    def _find_range(self, snapshot: Snapshot, job: str, among: int) -> Range:
        """Return the first and the last row that may be a job's, where it is one of `among` that are asked for."""
        ranges = self._ranges_of(snapshot)
        if job in ranges.of or ranges.is_whole:
            return ranges.of.get(job, NOWHERE)
        # To look for one job takes a quarter of what it takes to find where all jobs lie.
        if len(ranges.of) + among > FEW_JOBS:
            ranges.find_all(snapshot)
            return ranges.of.get(job, NOWHERE)
        (row,) = snapshot.ask("serve_range", job=job)
        ranges.of[job] = NOWHERE if row["first"] is None else (row["first"], row["last"])
        return ranges.of[job]

    def _ranges_of(self, snapshot: Snapshot) -> _Ranges:
        # What is known is kept with the file that is open: rows of another one lie elsewhere.
        if self._ranges.known is not snapshot.known:
            self._ranges = _Ranges(snapshot.known)
        return self._ranges

    def _next(self, job: str, live: LiveJob, watched: Watched, after: int) -> list[Series]:
        return [
            _series(job, name, points, watched, is_anew=False)
            for name in watched.names or live.names()
            if len(points := live.points(name, after))
        ]

    def _anew(self, job: str, live: LiveJob, watched: Watched, mark: Mark | None) -> list[Series]:
        known = self._published_curves(job, live.links, watched, mark)
        series = []
        for name in watched.names or sorted({*known, *live.names()}):
            parts = [known[name]] if name in known else []
            # What was published since the live points were begun with is among both.
            parts.append(live.points(name, int(parts[0].seq[-1]) if parts else 0))
            series.append(_series(job, name, Points.join(parts), watched, is_anew=True))
        return series

    def _published_curves(
        self, job: str, links: Sequence[Link], watched: Watched, mark: Mark | None
    ) -> dict[str, Points]:
        key = (mark, job, tuple(links), watched.names, watched.axis, watched.width)
        with self._lock:
            if key in self._curves:
                self._curves.move_to_end(key)
                return self._curves[key]
        found = self._ask_curves(job, links, watched) if mark and links else {}
        with self._lock:
            _forget_others(self._curves, mark)
            self._curves[key] = found
            while len(self._curves) > HELD_CURVES:
                self._curves.popitem(last=False)
        return found

    def _ask_curves(self, job: str, links: Sequence[Link], watched: Watched) -> dict[str, Points]:
        chain = {"attempts": [link.attempt for link in links], "uptos": [link.upto for link in links]}
        about = {"job": job, "names": list(watched.names), "axis": watched.axis, "width": watched.width}
        with self.site.snapshot() as snapshot:
            if snapshot is None:
                return {}
            first, last = self._find_range(snapshot, job, len(watched.jobs))
            found = snapshot.ask("serve_curves", **chain, **about, first=first, last=last)
        return {row["name"]: _points_of(row) for row in found}


def _forget_others(held: OrderedDict[Any, Any], mark: Mark | None) -> None:
    """Drop what belongs to another publication: nobody asks for it again."""
    for key in [key for key in held if key[0] != mark]:
        del held[key]


def _points_of(row: Mapping[str, Any]) -> Points:
    return Points.of(row["places"], row["steps"], row["epochs"], row["times"], row["values"])


def _fits(place: Place, live: LiveJob, width: int) -> bool:
    """Whether points can be added to what a browser has: of the same attempts, nothing left out, not too many."""
    return place.chain == live.chain and place.last >= live.published and place.added <= 2 * PER_PART * width


def _series(job: str, name: str, points: Points, watched: Watched, *, is_anew: bool) -> Series:
    x = getattr(points, watched.axis).astype(np.float64)
    kept = thin(x, points.value, watched.width) if len(x) else slice(None)
    return Series(job, name, x[kept], points.value[kept], is_anew)


def write_cursor(places: Mapping[str, Place], watched: Watched) -> str:
    """Return the cursor as a text that can stand in an address; it fits this question alone."""
    told = {job: [place.chain, place.last, place.added, place.sampled] for job, place in places.items()}
    return base64.urlsafe_b64encode(json.dumps([_about(watched), told], separators=(",", ":")).encode()).decode()


def read_cursor(text: str, watched: Watched) -> dict[str, Place]:
    """Return where a browser is; nowhere where the cursor is none, or of another question."""
    try:
        about, told = json.loads(base64.urlsafe_b64decode(text))
        places = {
            str(job): Place(str(chain), int(last), int(added), str(sampled))
            for job, (chain, last, added, sampled) in told.items()
        }
    except (ValueError, TypeError, AttributeError):
        return {}
    return places if about == _about(watched) else {}


def _about(watched: Watched) -> list[Any]:
    return [watched.axis, watched.width, *sorted(watched.names)]
