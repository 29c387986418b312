"""What becomes of the GPUs: takes how attempts end on them, says which get no more jobs and why jobs wait for one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from engine.home.paths import Home
from engine.inputs.gpus import split_slots
from engine.launch.faults import Fault
from engine.schedule.placing import is_cpu, shuts_out
from engine.schedule.slot_marks import SlotMarks
from store.queue import RunningRow

log = logging.getLogger("xp.scheduler")


class GpuWatch:
    """The marks of this machine's GPUs as the scheduler acts on them; `doubts` is what the policy takes."""

    def __init__(self, home: Home, slots: Sequence[str]) -> None:
        self.slots, self.marks = slots, SlotMarks(home)
        self.doubts = self.marks.doubts()

    def has_news(self) -> bool:
        """Return whether somebody gave a GPU another try, or another scheduler shut one out."""
        if not self.marks.has_changed():
            return False
        self.doubts = self.marks.doubts()
        return True

    def judge(self, row: RunningRow, fault: Fault | None, is_done: bool) -> str:
        """Keep what an ending says of its GPU; return what that failed by where it is shut out, else "".

        Raises OSError when the disk takes no mark.
        """
        if is_cpu(row.slot):
            return ""
        slots = split_slots(row.slot)
        if fault is None:
            if is_done and (cleared := [slot for slot in slots if slot in self.doubts.suspects]):
                self.marks.clear(cleared)
            return ""
        if len(slots) > 1:
            # Which of them it was nobody tells: the next job that meets it on one alone does.
            for slot in slots:
                if slot not in self.doubts.shut:
                    self.marks.put(slot, fault.told, row.job, row.attempt, is_shut=False)
            self.doubts = self.marks.doubts()
            return ""
        # Once shut out it stays so: others may still have run there.
        if row.slot not in self.doubts.shut:
            self._mark(row, fault)
        return f"slot {row.slot} failed: {fault.told}" if row.slot in self.doubts.shut else ""

    def _mark(self, row: RunningRow, fault: Fault) -> None:
        is_shut = shuts_out(fault.is_sure, row.job, row.slot, self.slots, self.doubts)
        mark = self.marks.put(row.slot, fault.told, row.job, row.attempt, is_shut=is_shut)
        self.doubts = self.marks.doubts()
        if is_shut:
            log.error("%s", mark)
