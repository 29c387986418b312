"""The curves of one job for a terminal: takes a home and a job, gives its series by epoch, live or published."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rich.text import Text

from engine.cli.braille import Point, Series, draw_chart
from engine.errors import QueryError
from engine.home.paths import Home
from engine.serve.live import LiveJob

LOSSES = (("train_loss", "cyan"), ("val_loss", "yellow"))
TOPS = (("val_top1", "green"),)
PARTS = 500  # points of a curve that are asked for: more than a terminal is wide


def read_curves(home: Home, job: str) -> dict[str, tuple[Point, ...]]:
    """Return the points of each metric, x counted in epochs from 1: of the journals, else of the results."""
    names = [name for name, _ in (*LOSSES, *TOPS)]
    live = LiveJob(home.job(job), {})
    live.look()
    found = {name: live.points(name, 0) for name in names if name in live.names()}
    if found:
        return {
            name: tuple(zip((points.epoch + 1.0).tolist(), points.value.tolist(), strict=True))
            for name, points in found.items()
        }
    return {name: points for name in names if (points := _published(home, job, name))}


def _published(home: Home, job: str, name: str) -> tuple[Point, ...]:
    """Return what the results hold of a job whose journals were packed away."""
    from engine.analysis.snapshot import one_snapshot

    with suppress(QueryError), one_snapshot(home) as snapshot:
        rows = snapshot.ask("serve_many_curves", jobs=[job], name=name, axis="epoch", parts=PARTS)
        return tuple((x + 1.0, y) for row in rows for x, y in zip(row["xs"] or (), row["values"] or (), strict=True))
    return ()


def draw_curves(points: dict[str, tuple[Point, ...]], width: int, height: int) -> list[Text]:
    """Return two drawings, losses above and accuracy below, or the losses alone where there is no room for both."""
    if height < 12:
        return draw_chart("loss", _series(points, LOSSES), width, height)
    top = height - height // 2
    return [
        *draw_chart("loss", _series(points, LOSSES), width, top),
        *draw_chart("accuracy", _series(points, TOPS), width, height - top),
    ]


def _series(points: dict[str, tuple[Point, ...]], names: Sequence[tuple[str, str]]) -> list[Series]:
    return [Series(name, style, points[name]) for name, style in names if name in points]
