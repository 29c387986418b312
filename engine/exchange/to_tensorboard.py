"""To TensorBoard: takes runs, writes a folder with one event file for each. Needs no TensorBoard.

Fields by number as in tensorboard_files.py. TensorBoard keeps a scalar as a float32. Settings and tags are the
hyperparameters of its HPARAMS tab.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from engine.exchange.foreign import Series, marked_tags
from engine.exchange.leaving import LeavingRun, text_of
from engine.exchange.places import arm_name
from engine.exchange.wire import double, frame_event, packed, single, varint

VERSION = "brain.Event:2"
HPARAMS, SESSION = "hparams", "_hparams_/session_start_info"


def write_tensorboard(runs: Iterable[LeavingRun], name: str, beside: Path, final: Path) -> list[Path]:
    """Write `beside`/<experiment>/<arm>/[<cell>/]seed_<n>/, later below `final`; return the one folder."""
    folder = beside / name
    for run in runs:
        cell = () if run.cell == "default" else (arm_name(run.cell),)
        own = folder.joinpath(arm_name(run.arm), *cell, f"seed_{run.seed}")
        own.mkdir(parents=True)
        with open(own / f"events.out.tfevents.{int(run.started)}.xp.{run.run}", "wb") as out:
            out.writelines(frame_event(event) for event in _events(run))
    return [folder]


def _events(run: LeavingRun) -> Iterator[bytes]:
    yield double(1, run.started) + packed(3, VERSION)
    yield _event(run.started, 0, _hparams_value(run))
    for name, series in run.series.items():
        yield from _scalars(name, series, run.started)


def _event(time: float, step: int, value: bytes) -> bytes:
    return double(1, time) + varint(2, step) + packed(5, packed(1, value))


def _scalars(name: str, series: Series, otherwise: float) -> Iterator[bytes]:
    tag = packed(1, name)
    for step, time, value in zip(series.steps, series.times, series.values, strict=True):
        yield _event(otherwise if time is None else time, step, tag + single(2, value))


def _hparams_value(run: LeavingRun) -> bytes:
    """Return the value that begins a session of the hparams plugin: settings and tags by name."""
    told: dict[str, Any] = {**run.params, **marked_tags(run.tags)}
    entries = b"".join(packed(1, packed(1, key) + packed(2, _plain_value(value))) for key, value in told.items())
    session = entries + packed(4, run.arm) + double(5, run.started)
    metadata = packed(1, packed(1, HPARAMS) + packed(2, varint(1, 0) + packed(3, session)))
    return packed(1, SESSION) + packed(9, metadata)


def _plain_value(value: Any) -> bytes:
    """Return a google.protobuf.Value: 2 a number, 3 a text, 4 whether."""
    if isinstance(value, bool):
        return varint(4, int(value))
    return double(2, float(value)) if isinstance(value, int | float) else packed(3, text_of(value))
