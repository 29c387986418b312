"""Arms that cross factors, as squares: takes grids and effects, gives one square and one table of effects a point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from engine.analysis.claims import p_text
from engine.analysis.crossed import LEAST_SEEDS
from engine.analysis.factorial import Effect, Factorial
from engine.analysis.grids import Grid
from engine.report import number_text
from engine.report.sentences import say
from engine.report.sheet import Sheet, half_of
from engine.report.tables import Cell, Table


@dataclass(frozen=True)
class FactorSection:
    """What the factors of an experiment do: its squares, and below them the effects."""

    squares: list[Table]
    effects: list[Table]


def factor_section(sheet: Sheet, factorials: Sequence[Factorial]) -> FactorSection | None:
    """Return the section, None where no arms form a grid that has figures."""
    measured = [one for one in factorials if one.effects]
    if not measured:
        return None
    squares = [table for one in measured for table in _squares(sheet, one)]
    return FactorSection(squares, [_effect_table(sheet, one) for one in measured])


def _squares(sheet: Sheet, one: Factorial) -> Iterator[Table]:
    """Yield a square of the first factor by the second for each combination of the others' levels."""
    rows, columns, *others = one.grid.factors
    for rest in product(*(range(len(factor.levels)) for factor in others)):
        named = [f"{factor.name} {factor.levels[level]}" for factor, level in zip(others, rest, strict=True)]
        body = [
            [Cell(name), *(_square_cell(sheet, one, (at, column, *rest)) for column in range(len(columns.levels)))]
            for at, name in enumerate(rows.levels)
        ]
        title = ", ".join([*_where(sheet, one.cell), *named])
        yield Table(title, [f"{rows.name} \\ {columns.name}", *columns.levels], body, [say("square_note")])


def _square_cell(sheet: Sheet, one: Factorial, levels: tuple[int, ...]) -> Cell:
    arm = one.grid.arms[levels]
    row = sheet.cells.get((arm, one.cell, "test_top1"))
    text = number_text.NONE if row is None else number_text.accuracy(row["mean"], half_of(row), row["n"])
    return Cell(text, f"{arm}: " + ", ".join(run["run"] for run in sheet.runs[arm, one.cell]))


def _where(sheet: Sheet, cell: str) -> list[str]:
    return [] if len(sheet.points) == 1 or cell == "default" else [cell]


def _effect_table(sheet: Sheet, one: Factorial) -> Table:
    columns = ["effect", "points", "95 % interval", "n", "p"]
    body = [_effect_row(one.grid, effect) for effect in one.effects]
    return Table(", ".join(_where(sheet, one.cell)), columns, body, _effect_notes(one.effects))


def _effect_notes(effects: Sequence[Effect]) -> list[str]:
    """Return what must be known to read the table: only what is true of its intervals."""
    edged = {effect.interval.over for effect in effects if effect.interval.low is not None}
    notes = [say("effects_note")]
    notes += [say("effects_both")] if "seeds and images" in edged else []
    notes += [say("effects_seeds")] if "seeds" in edged else []
    notes += [say("effects_images", least=LEAST_SEEDS)] if "images" in edged else []
    notes += [say("effects_holm")] if any(effect.adjusted_p is not None for effect in effects) else []
    told = [say("effect_note", effect=effect_name(effect), note=effect.note) for effect in effects if effect.note]
    return [" ".join([*notes, say("effects_meaning")]), *told]


def _effect_row(grid: Grid, effect: Effect) -> list[Cell]:
    interval, arms = effect.interval, ", ".join(effect.weights)
    edges = "" if interval.low is None or interval.high is None else _edges(interval.low, interval.high)
    p = number_text.NONE if effect.adjusted_p is None else p_text(effect.adjusted_p).removeprefix("p ")
    return [
        Cell(effect_name(effect), f"of {arms}"),
        Cell(f"{100 * interval.mean:+.1f}", f"of {arms}"),
        Cell(edges or number_text.NONE),
        Cell(str(interval.n)),
        Cell(p),
    ]


def _edges(low: float, high: float) -> str:
    return f"[{100 * low:+.1f}, {100 * high:+.1f}]"


def effect_name(effect: Effect) -> str:
    """Return `attention: longformer - window` of a main effect, `attention longformer x teacher clip` of two."""
    if not effect.is_interaction:
        ((factor, level, reference),) = effect.levels
        return f"{factor}: {level} - {reference}"
    return " x ".join(f"{factor} {level}" for factor, level, _ in effect.levels)
