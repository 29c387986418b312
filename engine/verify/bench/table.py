"""A comparison as it is read: takes its lines, gives text for a person, or plain values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from engine.core.measure import Load
from engine.inputs.machine import NOISY, MachineState
from engine.verify.bench.compare import Comparison, Line
from store.amounts import counted

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def comparison_lines(found: Comparison) -> Iterator[str]:
    """Yield a table for each load, then what the machine was like and what was noisy."""
    width = max(len(line.name) for line in found.lines)
    for load, lines in groupby(found.lines, key=lambda line: line.load):
        yield _title(load)
        heads = [*(f"{name} ms" for name in SHARES), "images/s"]
        yield (f"{'':<{width}}" + "".join(f"{head:>10}" for head in heads) + "  times as fast as the first")
        for line in lines:
            yield _row(line, width)
        yield ""
    yield from _notes(found)


def _title(load: Load) -> str:
    return f"{load.mode}, batch {load.batch_size}, {counted(load.threads, 'thread')}"


def _row(line: Line, width: int) -> str:
    if not line.timings.fits:
        return f"{line.name:<{width}}  does not fit into memory"
    times = "".join(f"{_number(line.milliseconds(share)):>10}" for share in SHARES.values())
    return f"{line.name:<{width}}{times}{line.rate:>10.4g}{_ratio_text(line)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _ratio_text(line: Line) -> str:
    if line.ratio is None:
        return ""
    low, high = line.ratio.edges
    return f"  {line.ratio.ratio:.3f} ({low:.3f} to {high:.3f})"


def _notes(found: Comparison) -> Iterator[str]:
    yield _machine_text(found.before, found.after)
    noisy = list(dict.fromkeys(line.name for line in found.lines if line.is_noisy))
    if noisy:
        most = max(line.timings.spread for line in found.lines)
        yield (
            f"noisy: the middle half of the calls of {_listed(noisy)} spreads over more than {NOISY:.0%} of the median "
            f"(at most {most:.0%}); the interval holds what differed between rounds"
        )
    yield "in brackets: the 95 % interval over the rounds"
    if any(line.timings.fits and line.milliseconds(SHARES["p99"]) is None for line in found.lines):
        yield "-: too few calls to tell (p99 takes a hundred): give more --seconds"


def _machine_text(before: MachineState, after: MachineState) -> str:
    governor = f", governor {before.governor}" if before.governor else ""
    load = f"{before.crowding:.2f} processes a core before, {after.crowding:.2f} after"
    return f"{before.cpu}, {before.cores} cores{governor}; {load}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return all of it as plain values; what is not known is None."""
    machine = {"before": asdict(found.before), "after": asdict(found.after)}
    return {"machine": machine, "networks": [_line_json(line) for line in found.lines]}


def _line_json(line: Line) -> dict[str, Any]:
    load, fits = line.load, line.timings.fits
    about = {"name": line.name, "runtime": load.mode, "batch_size": load.batch_size, "threads": load.threads}
    times = {f"ms_{name}": line.milliseconds(share) if fits else None for name, share in SHARES.items()}
    ratio = line.ratio
    low, high = ratio.edges if ratio else (None, None)
    told = {"ratio": ratio.ratio if ratio else None, "low": low, "high": high, "rounds": len(line.timings.medians())}
    noise = {"calls": len(line.timings.calls), "spread": line.timings.spread, "noisy": line.is_noisy}
    return {**about, "fits": fits, **times, "images_per_second": line.rate if fits else None, **told, **noise}
