"""What was found against the GPUs of a machine: takes a home, keeps a mark for each GPU, gives and clears them.

A GPU that is shut out gets no job until somebody asks for another try, with `xp retry SLOT`: a scheduler that is
started anew finds the marks. One under suspicion is cleared by the next job that ends well there. The scheduler writes
marks, an order removes them; each is a file of its own (slots/HOST/), so that neither ever overwrites the other's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from engine.home.files import read_object, write_json
from engine.home.paths import Home
from engine.launch.process import host_name
from engine.schedule.placing import Doubts

Look = tuple[int, frozenset[tuple[str, int, int]]]  # the folder's time; name, inode and time of each mark
NEVER: Look = (0, frozenset())


@dataclass(frozen=True)
class SlotMark:
    """What one attempt found against a GPU: by what it failed, and whether the GPU is shut out for it."""

    slot: str
    reason: str
    job: str
    attempt: int
    is_shut: bool
    at: float  # unix seconds

    def __str__(self) -> str:
        told = f"slot {self.slot} is shut out: {self.reason} ({self.job}, attempt {self.attempt})"
        return f"{told}; no job goes there until `xp retry {self.slot}`"


class SlotMarks:
    """The marks of this machine's GPUs in one home."""

    def __init__(self, home: Home) -> None:
        self.folder = home.slot_marks(host_name())
        self.seen = NEVER

    def list_all(self) -> list[SlotMark]:
        """Return every mark that can be read, by slot; none where nothing was ever found."""
        found = map(_read_mark, sorted(self.folder.glob("*.json")))
        return [mark for mark in found if mark is not None]

    def list_shut(self) -> list[SlotMark]:
        return [mark for mark in self.list_all() if mark.is_shut]

    def doubts(self) -> Doubts:
        """Return the same as the policy takes it."""
        marks = self.list_all()
        suspects = {mark.slot: mark.job for mark in marks if not mark.is_shut}
        return Doubts(frozenset(mark.slot for mark in marks if mark.is_shut), suspects)

    def put(self, slot: str, reason: str, job: str, attempt: int, *, is_shut: bool) -> SlotMark:
        """Write down what an attempt found. Raises OSError when the disk takes no file."""
        mark = SlotMark(slot, reason, job, attempt, is_shut, time.time())
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._file(slot), asdict(mark))
        return mark

    def clear(self, slots: Iterable[str]) -> None:
        for slot in slots:
            self._file(slot).unlink(missing_ok=True)

    def has_changed(self) -> bool:
        """Return whether a mark came or went since this was last asked."""
        try:
            # By the marks too: two changes within a tick of the clock may leave the folder with one time. By the time
            # too: what came and went between two looks left the same marks.
            marks = frozenset((one.name, one.inode(), one.stat().st_mtime_ns) for one in os.scandir(self.folder))
            now = (self.folder.stat().st_mtime_ns, marks)
        except FileNotFoundError:  # no mark was ever put, or one went while this looked
            now = NEVER
        before, self.seen = self.seen, now
        return now != before

    def _file(self, slot: str) -> Path:
        # MIG-7/1/0 is a slot and no path.
        return self.folder / f"{quote(slot, safe='')}.json"


def _read_mark(path: Path) -> SlotMark | None:
    told = read_object(path) or {}
    try:
        return SlotMark(**told)
    except TypeError:
        return None
