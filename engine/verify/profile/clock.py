"""The clock of a profile: listens to the loop's marks and the loader's spans, gives the times of steps and their parts.

Every other step is timed, the others are plain: of them only the end is noted. On a GPU marks record events on the
training's stream, which wait for nothing; they are read when all is done.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from engine.core.train.loop import Stopped
from engine.core.train.marks import Marks
from engine.inputs.machine import idle_seconds
from engine.verify.profile.timings import PARTS, RARE, Beside, StepTime


@dataclass(frozen=True)
class Instant:
    """A moment of the host, and where the device was in its work then."""

    host: float
    event: torch.cuda.Event | None = None

    def seconds(self, since: Instant) -> float:
        """Return the time between two moments, on the device where there is one."""
        if self.event is None or since.event is None:
            return self.host - since.host
        return float(since.event.elapsed_time(self.event)) / 1000.0


@dataclass
class Notes:
    """A step as it was noted: the moments of its marks; `cpu` seconds of the process when it began and ended."""

    begin: Instant
    cpu: float
    is_timed: bool
    marks: list[tuple[str, Instant]] = field(default_factory=list)
    end: Instant | None = None
    cpu_end: float = 0.0


@dataclass
class Account:
    """The loader's work beside the steps, by part."""

    thread: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    busy: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = field(default_factory=list)


class StepClock(Marks):
    """Times steps after the first `warm_up`, until it has enough: then its `end_step` raises Stopped.

    Enough are `steps` timed and as many plain ones; if that is None, as many as go into `seconds`, `least` of each.
    """

    def __init__(self, device: torch.device, warm_up: int, steps: int | None, seconds: float, least: int) -> None:
        self.device, self.warm_up, self.steps, self.seconds, self.least = device, warm_up, steps, seconds, least
        self.notes: list[Notes] = []
        self.ends: list[float] = []
        self.epochs = 0
        self.done = 0
        self.account = Account()
        self.stream = torch.cuda.current_stream(device) if device.type == "cuda" else None
        self._now: Notes | None = None
        self._began: float | None = None
        self._idle: float | None = None
        self.idle_cores: float | None = None
        self._main = threading.get_ident()
        self._open: list[str] = []
        self._thread = threading.local()
        self._lock = threading.Lock()

    # What the loop tells ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        if self._now is not None:
            self._note_end(self._now)
        self.epochs += self.done >= self.warm_up
        self._now = self._new_step()

    def mark(self, part: str) -> None:
        now = self._now
        if now is not None and (now.is_timed or part == RARE or self._is_saving(part)):
            now.marks.append((part, self._instant()))

    def _is_saving(self, part: str) -> bool:
        """A save tells where it begins by `log`: without it a plain step could not leave the checkpoint out."""
        return part == "log"

    def end_step(self) -> None:
        now = self._now
        if now is None:
            return
        now.end, now.cpu_end = self._instant(), time.process_time()
        if self.done >= self.warm_up:
            self.notes.append(now)
        self.done += 1
        if self.done == self.warm_up:
            self._began, self._idle, self.account = time.perf_counter(), idle_seconds(), Account()
        if self._is_enough():
            self._note_idle()
            raise Stopped
        self._now = self._new_step(now.end)

    def _is_enough(self) -> bool:
        """Return whether there are as many steps as were asked for, or as there is time for."""
        if self._began is None:
            return False
        timed = sum(note.is_timed for note in self.notes)
        pairs = min(timed, len(self.notes) - timed)
        if self.steps is not None:
            return pairs >= self.steps
        return pairs >= MOST or (pairs >= self.least and time.perf_counter() - self._began > self.seconds)

    def _note_idle(self) -> None:
        now = idle_seconds()
        if now is not None and self._idle is not None and self._began is not None:
            self.idle_cores = (now - self._idle) / (time.perf_counter() - self._began)

    def _new_step(self, begin: Instant | None = None) -> Notes:
        return Notes(begin or self._instant(), time.process_time(), is_timed=self.done % 2 == 0)

    def _note_end(self, now: Notes) -> None:
        """Keep how long the end of an epoch took until its checkpoint: lines of the journal, a wait for the device."""
        logs = [at for part, at in now.marks if part == "log"]
        if logs and self.done > self.warm_up:
            self.ends.append(logs[0].host - now.begin.host)

    def _instant(self) -> Instant:
        host = time.perf_counter()
        if self.stream is None:
            return Instant(host)
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch's
        event.record(self.stream)
        return Instant(host, event)

    # What the loader tells ----------------------------------------------------------------------------------------

    @contextmanager
    def span(self, part: str) -> Iterator[None]:
        """Time a piece of the loader's work: a part of the step where the training's thread does it, else beside it."""
        is_main = threading.get_ident() == self._main
        with self._main_span(part) if is_main else self._beside_span(part), self._device_span(part):
            yield

    @contextmanager
    def _main_span(self, part: str) -> Iterator[None]:
        self.mark(self._open[-1] if self._open else "load")
        self._open.append(part)
        try:
            yield
        finally:
            self.mark(self._open.pop())

    @contextmanager
    def _beside_span(self, part: str) -> Iterator[None]:
        """Of nested pieces each has the time that is its own."""
        outer = getattr(self._thread, "inner", None)
        self._thread.inner = [0.0, 0.0]
        busy, used = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            busy, used = time.perf_counter() - busy, time.thread_time() - used
            inner = self._thread.inner
            with self._lock:
                self.account.busy[part] += busy - inner[0]
                self.account.thread[part] += used - inner[1]
            self._thread.inner = None if outer is None else [outer[0] + busy, outer[1] + used]

    @contextmanager
    def _device_span(self, part: str) -> Iterator[None]:
        """On a GPU batches are made on a stream of their own, whose time is beside the step."""
        stream = torch.cuda.current_stream(self.device) if self.stream is not None else None
        if stream is None or stream == self.stream:
            yield
            return
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record(stream)
        yield
        end.record(stream)
        self.account.events.append((part, begin, end))

    # What came of it ----------------------------------------------------------------------------------------------

    def read(self) -> tuple[list[StepTime], Beside]:
        """Return the steps and what was beside them, when the device has done all of it."""
        if self.stream is not None:
            torch.cuda.synchronize(self.device)
        device: defaultdict[str, float] = defaultdict(float)
        for part, begin, end in self.account.events:
            device[part] += float(begin.elapsed_time(end)) / 1000.0
        beside = Beside(thread=self.account.thread, busy=self.account.busy, device=device)
        return [self._read_step(note) for note in self.notes], beside

    def _read_step(self, note: Notes) -> StepTime:
        assert note.end is not None
        parts, saved = _split(note, on_host=False)
        host, host_saved = _split(note, on_host=True)
        is_gpu = note.end.event is not None
        return StepTime(
            wall=note.end.seconds(note.begin) - saved,
            cpu=note.cpu_end - note.cpu,
            parts=parts if note.is_timed else None,
            host=host if note.is_timed and is_gpu else None,
            host_wall=note.end.host - note.begin.host - host_saved,
        )


def _split(note: Notes, *, on_host: bool) -> tuple[dict[str, float], float]:
    """Return the seconds of each part between a step's marks, and those of checkpoints, which are no part of it."""
    found = dict.fromkeys(PARTS, 0.0)
    saved, before = 0.0, note.begin
    for part, at in note.marks:
        took = at.host - before.host if on_host else at.seconds(before)
        before = at
        if part == RARE:
            saved += took
        else:
            found[part] += took
    return found, saved


MOST = 50  # timed steps: more do not change the median
