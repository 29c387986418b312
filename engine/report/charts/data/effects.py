"""The numbers of the effect plot: takes a sheet, gives each arm's change against the baseline with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from engine.analysis.power import ALPHA
from engine.report.charts.effects import Effect, Effects
from engine.report.sentences import say
from engine.report.sheet import Sheet

OVER = {"seeds": "seeds", "seeds and images": "seeds and test images", "images": "test images alone"}


def effect_chart(sheet: Sheet) -> Effects | None:
    """Return the changes that the tables show, None where there is none."""
    found = [(point, _effects(sheet, point)) for point in sheet.points]
    points = [(point, held) for point, held in found if held]
    if not points:
        return None
    title, across = "Change of test accuracy", f"points against {sheet.baseline}"
    return Effects("effects", title, across, points, _notes(sheet, points))


def _effects(sheet: Sheet, point: str) -> list[Effect]:
    return [one for one in (_effect(sheet, arm, at, point) for at, arm in enumerate(sheet.arms)) if one is not None]


def _effect(sheet: Sheet, arm: str, at: int, point: str) -> Effect | None:
    change = sheet.change(arm, point)
    if change is None:
        return None
    edges = None if change.low is None or change.high is None else (100 * change.low, 100 * change.high)
    common = sheet.common_seeds(arm, point)
    is_told, letter = sheet.changes.is_told(arm, point), sheet.changes.letter(arm, point)
    return Effect(arm, at, 100 * change.mean, edges, common, is_told, letter)


def _notes(sheet: Sheet, points: Sequence[tuple[str, Sequence[Effect]]]) -> list[str]:
    held = [(one, point) for point, row in points for one in row]
    over = {change.over for one, point in held if one.edges and (change := sheet.change(one.arm, point)) is not None}
    told = " or ".join(OVER[name] for name in OVER if name in over)
    notes = [say("effect_dots", baseline=sheet.baseline)]
    notes += [say("effect_edges", over=told)] if told else []
    notes += [say("effect_bare")] if any(one.edges is None for one, _ in held) else []
    notes += (
        [say("effect_filled", alpha=ALPHA)]
        if any(one.is_told for one, _ in held)
        else [say("effect_none_told", alpha=ALPHA)]
    )
    notes += [say("effect_letters")] if any(one.note for one, _ in held) else []
    return notes
