"""The numbers of the chart of distillation: takes rows of students, gives agreement and accuracy of each taught arm."""

from __future__ import annotations

from collections.abc import Sequence

from engine.analysis.snapshot import Row
from engine.report.charts.likeness import Alike, Likenesses
from engine.report.sentences import say
from engine.report.sheet import Sheet

PART, NAME, RIGHT = "test", "agreement", "test_top1"


def likeness_chart(rows: Sequence[Row], sheet: Sheet) -> Likenesses | None:
    """Return the arms whose agreement with their teacher on the test images is known; None for fewer than two."""
    held = {(row["arm"], row["cell"]): row for row in rows if row["part"] == PART and row["name"] == NAME}
    found = [(point, [one for at, arm in enumerate(sheet.arms) if (one := _alike(held, sheet, arm, at, point))])
             for point in sheet.points]  # fmt: skip
    points = [(point, row) for point, row in found if len(row) > 1]
    if not points:
        return None
    notes = [say("likeness_note")]
    notes += [say("likeness_ranges")] if any(one.agreement_range for _, row in points for one in row) else []
    teachers = {sheet.settings.get((one.arm, point), {}).get("teacher.arch") for point, row in points for one in row}
    notes += [say("likeness_teachers")] if len(teachers) > 1 else []
    return Likenesses("agreement", "Agreement and accuracy", points, notes)


def _alike(held: dict[tuple[str, str], Row], sheet: Sheet, arm: str, at: int, point: str) -> Alike | None:
    row, right = held.get((arm, point)), sheet.mean(arm, point, RIGHT)
    if row is None or right is None:
        return None
    said = None if row["n"] < 2 else (100 * row["least"], 100 * row["most"])
    seeds = list(sheet.seeds(arm, point, RIGHT).values())
    spread = (100 * min(seeds), 100 * max(seeds)) if len(seeds) > 1 else None
    return Alike(arm, at, 100 * row["mean"], said, 100 * right, spread)
