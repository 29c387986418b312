"""Running jobs' points as journals grow: takes a job's folder and how far it was published, gives what came since.

One `LiveJob` serves all who watch a job: its journals are read once, from where the published results end, and what was
read is kept thinned, so that its memory does not grow with the journal. Nor does it take more of a processor than RATE:
of a job that logs faster, stretches spread over what is new are read, the newest lines among them, and the next
publication brings the rest. Which attempts count, and up to which line, is
what collect finds once it has read the same files: the committed attempt, else the newest that wrote a line, and those
that it went on from, each cut where the next one began.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.collect.files import size_of
from engine.errors import HomeError
from engine.home.paths import AttemptFolder, JobFolder
from engine.serve.thinning import PER_PART, thin
from store.journal import read_bytes
from store.points import MetricLines, Points, find_source, read_metrics

BLOCK = 1 << 20  # bytes that are parsed at once, which is quicker than more
# Bytes a second: 1,000 lines, some ten times what a training logs: their parsing takes about 1 % of a processor. And
# bytes of a look: so much however soon it comes after the last one, and never more.
RATE, LEAST, MOST = 1 << 17, 1 << 15, 16 << 20
STRETCHES = 16  # that are read of what is too much
KEPT = 512  # parts of the axis that a series is kept in
AT_ONCE, FEWER, MANY = 64, 16, 4096  # the same for the points of one block, and of one with that many lines
SHIFT = 40  # of an attempt in the place of a point: its line number lies below
ALL = (1 << 62) - 1
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Read:
    """How far an attempt's journal was published: bytes, the last line with a metric, and what it went on from."""

    bytes: int = 0
    is_compacted: bool = False
    seq: int = 0
    source: int | None = None
    upto: int | None = None


@dataclass(frozen=True)
class Link:
    """An attempt that counts, up to its line `upto`."""

    attempt: int
    upto: int = ALL


class LiveJob:
    """One job's points since the last publication. `look` before each question; safe among threads."""

    def __init__(self, folder: JobFolder, read: Mapping[int, Read]) -> None:
        self.folder, self.read = folder, read
        self.lock = threading.Lock()
        self.links: tuple[Link, ...] = ()
        self.is_sampled = False  # whether something was left out
        self._winner: int | None = None
        self._offset = 0  # of the head's journal
        self._looked = -math.inf  # when, on the monotonic clock
        self._series: dict[str, list[Points]] = {}

    @property
    def chain(self) -> str:
        """What counts, in short: another text, another curve."""
        return ",".join(f"{link.attempt}:{link.upto if link.upto != ALL else ''}" for link in self.links)

    @property
    def published(self) -> int:
        """The place of the last point that is among the published ones."""
        if not self.links:
            return 0
        head = self.links[-1].attempt
        return (head << SHIFT) + self.read.get(head, Read()).seq

    def look(self) -> None:
        """Read what is new; costs a look at a folder where nothing is."""
        head = self._find_head()
        if head is None:
            return
        if not self.links or self.links[-1].attempt != head.number:
            self._begin(head)
        self._go_on(head)

    def names(self) -> list[str]:
        return sorted(self._series)

    def points(self, name: str, after: int) -> Points:
        """Return the kept points of a metric past a place; `seq` of each is its place."""
        whole = self._joined(name)
        return whole.take(slice(int(np.searchsorted(whole.seq, after, side="right")), None))

    def last_place(self) -> int:
        """The place up to which everything was read."""
        ends = [int(parts[-1].seq[-1]) for parts in self._series.values() if parts and len(parts[-1])]
        return max([self.published, *ends])

    def _find_head(self) -> AttemptFolder | None:
        if self._winner is None and self.folder.result.exists():
            self._winner = _winner_of(self.folder)
        if self._winner is not None:
            return self.folder.attempt(self._winner)
        for attempt in reversed(self.folder.attempts()):
            if self._has_line(attempt):
                return attempt
        return None

    def _has_line(self, attempt: AttemptFolder) -> bool:
        # Once it has one it always has: the head is asked with each look.
        is_head = bool(self.links) and self.links[-1].attempt == attempt.number
        return is_head or self.read.get(attempt.number, Read()).bytes > 0 or bool(read_bytes(attempt.journal, 0, 1))

    def _begin(self, head: AttemptFolder) -> None:
        """Start with an attempt: find those that it went on from, and read what is not published of them."""
        self._series, links = {}, [Link(head.number)]
        while source := self._source_of(links[0].attempt):
            links.insert(0, source)
        self.links = tuple(links)
        for link in links[:-1]:
            for _, data in self._tail(link.attempt):
                self._add(read_metrics(data), link)
        self._offset = self._start_of(head.number)

    def _source_of(self, attempt: int) -> Link | None:
        """Return the attempt that one went on from, cut where it did; an earlier one, whatever a line says."""
        known = self.read.get(attempt, Read())
        if known.source is not None:
            return Link(known.source, ALL if known.upto is None else known.upto) if known.source < attempt else None
        told = next((found for _, data in self._tail(attempt) if (found := find_source(data))), None)
        if told is None or told[0] >= attempt:
            return None
        number, step, upto = told
        return Link(number, self._line_before(number, step) if upto is None else upto)

    def _line_before(self, attempt: int, step: int) -> int:
        """Return the line before the first that lies past a step, for an older release told no line."""
        for _, data in _blocks(self.folder.attempt(attempt), 0):
            lines = read_metrics(data)
            points = lines.points(np.arange(len(lines)))
            if len(past := points.seq[points.step > step]):
                return int(past.min()) - 1
        return ALL

    def _start_of(self, attempt: int) -> int:
        known = self.read.get(attempt, Read())
        # Of what has become a Parquet file, every line was published before.
        return NEVER if known.is_compacted or self.folder.attempt(attempt).compacted.exists() else known.bytes

    def _tail(self, attempt: int) -> Iterator[tuple[int, bytes]]:
        start = self._start_of(attempt)
        return iter(()) if start == NEVER else _blocks(self.folder.attempt(attempt), start)

    def _go_on(self, head: AttemptFolder) -> None:
        """Read the head's new lines; one that says what it went on from changes what counts."""
        size = 0 if self._offset == NEVER else size_of(head.journal) - self._offset
        if size <= 0:
            return
        for end, data in self._new_lines(head, size):
            if len(self.links) == 1 and find_source(data) and self._source_of(head.number):
                self._begin(head)
                # Once more from the start: a chain of two and more is not looked at again.
                self._go_on(head)
                return
            self._offset = end
            self._add(read_metrics(data), self.links[-1])

    def _new_lines(self, head: AttemptFolder, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield whole lines of what is new and the byte behind them: all, or stretches where it is too much."""
        now = time.monotonic()
        most, self._looked = min(MOST, max(LEAST, RATE * (now - self._looked))), now
        if size <= most:
            yield from ((start + len(data), data) for start, data in _blocks(head, self._offset))
            return
        self.is_sampled = True
        each, first = int(most) // STRETCHES, self._offset
        starts = [first + number * (size - each) // (STRETCHES - 1) for number in range(1, STRETCHES)]
        parts = [_stretch(head, start, each) for start in starts]
        yield starts[-1] + parts[-1][0], read_bytes(head.journal, first, each) + b"".join(data for _, data in parts)

    def _add(self, lines: MetricLines, link: Link) -> None:
        # Who logs so much is looked at several times a second: fewer points draw the same line.
        width = FEWER if self.is_sampled or len(lines) > MANY else AT_ONCE
        for name in lines.names:
            places = lines.of_name(name)
            points = lines.points(places[thin(np.arange(float(len(places))), lines.value[places], width)])
            points = points.take(points.seq <= link.upto)
            placed = replace(points, seq=points.seq + (link.attempt << SHIFT))
            self._series.setdefault(name, []).append(placed)
            if sum(map(len, self._series[name])) > 2 * PER_PART * KEPT:
                self._joined(name, KEPT)

    def _joined(self, name: str, width: int = ALL) -> Points:
        parts = self._series.get(name)
        if not parts:
            return NONE
        whole = Points.join(parts) if len(parts) > 1 else parts[0]
        if width != ALL:
            whole = whole.take(thin(whole.step.astype(np.float64), whole.value, width))
        self._series[name] = [whole]
        return whole


def _winner_of(folder: JobFolder) -> int | None:
    try:
        winner = folder.winner()
    except HomeError:  # damaged: xp doctor tells of it
        return None
    return None if winner is None else winner.number


def _blocks(attempt: AttemptFolder, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield the whole lines of a journal from a byte on, a block at a time, each with the byte that it begins at."""
    while data := read_bytes(attempt.journal, start, BLOCK):
        yield start, data
        start += len(data)
        if len(data) < BLOCK:  # the end, as it was then
            return


def _stretch(attempt: AttemptFolder, start: int, most: int) -> tuple[int, bytes]:
    """Return how many bytes further whole lines end, and those behind a byte that may lie in a line."""
    data = read_bytes(attempt.journal, start, most)
    return len(data), data[data.find(b"\n") + 1 :]


NONE = Points.of([], [], [], [], [])
