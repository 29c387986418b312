"""How many times as fast one network is as another: takes the rounds of measure jobs, gives a ratio with its interval.

In a measure job the network and the baseline's are timed in turn, in new processes each round, so that the log ratios
of the rounds are a sample whose spread is the error of the ratio. Two networks that were each measured beside the same
baseline are compared through it; what the baseline did in one job says nothing in the other. An arm whose networks
differ from seed to seed (pruned ones) counts by its jobs: their spread holds that of the rounds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.analysis.sentences import say
from engine.analysis.snapshot import Row, Snapshot
from store.metrics import Metric

ONE_NETWORK, NO_COMMON = say("one_network"), say("no_common")
NO_ROUNDS = ""  # measured by an xp that kept none, which the caller has words for
TELL_MORE = {"rounds": say("more_rounds"), "networks": say("more_networks")}


@dataclass(frozen=True)
class RoundsOf:
    """Which rounds a metric is of: how the network is called (None: as reports show it), and at which batch."""

    apart: str | None = None
    at_smallest: bool = False


@dataclass(frozen=True)
class SpeedRatio:
    """First over second in a metric: `log` is the log of the ratio, `error` its standard error with `df` of freedom.

    `n` is how many independent ratios it rests on, of the side that has fewer; `of` says what they are.
    """

    log: float
    error: float
    df: float
    n: int
    of: str

    @property
    def ratio(self) -> float:
        return math.exp(self.log)

    @property
    def edges(self) -> tuple[float, float]:
        """The 95 % t interval on the log scale: its edges are above 0."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.df, 0.975)) * self.error
        return math.exp(self.log - half), math.exp(self.log + half)

    def p_at(self, ratio: float = 1.0) -> float:
        """Return the two-sided p that the true ratio is `ratio`; 0 for one that no two speeds can have."""
        from scipy.special import stdtr

        away = abs(self.log - math.log(ratio)) if ratio > 0 else math.inf
        if self.error == 0:
            return 1.0 if away == 0 else 0.0
        return float(2 * stdtr(self.df, -away / self.error))


@dataclass(frozen=True)
class _Side:
    """An arm against the common network, on the log scale: itself has neither error nor freedom to lose."""

    log: float = 0.0
    error: float = 0.0
    df: float = math.inf
    n: int | None = None
    of: str = "rounds"


@dataclass(frozen=True)
class _Measured:
    """A measure job: its own network (None where it is pruned), the one beside it, and the log ratio of each round."""

    network: Any
    against: Any
    logs: tuple[float, ...]


def compare_speeds(snapshot: Snapshot, first: Sequence[str], second: Sequence[str], metric: Metric) -> SpeedRatio | str:
    """Return the ratio of two arms, which these jobs measured, in `metric`; else why there is none, or NO_ROUNDS."""
    if len({*first, *second}) == 1:
        return ONE_NETWORK
    if metric.name not in ROUNDS:
        return NO_ROUNDS
    of = ROUNDS[metric.name]
    names = sorted({*first, *second})
    rows = snapshot.ask("compare_rounds", jobs=names, smallest=of.at_smallest, apart=of.apart)
    jobs = _read_jobs(rows)
    if not jobs.keys() >= {*first, *second}:
        return NO_ROUNDS
    arms = [[jobs[job] for job in sorted(set(names))] for names in (first, second)]
    common = next((one.against for one in jobs.values() if one.against is not None), None)
    if common is None or any(one.against != common and not _is_it(one, common) for one in jobs.values()):
        return NO_COMMON
    return _ratio_of(*(_side_of(arm, common) for arm in arms), sign=-1.0 if metric.better == "lower" else 1.0)


def _read_jobs(rows: Sequence[Row]) -> dict[str, _Measured]:
    by_job: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_job.setdefault(row["job"], []).append(row)
    return {job: _read_job(found) for job, found in by_job.items()}


def _read_job(rows: Sequence[Mapping[str, Any]]) -> _Measured:
    network, against = (json.loads(rows[0][name] or "null") for name in ("network", "against"))
    return _Measured(network, against, tuple(math.log(row["own"] / row["base"]) for row in rows if row["base"]))


def _is_it(one: _Measured, network: Any) -> bool:
    return one.against is None and one.network == network


def _side_of(jobs: Sequence[_Measured], common: Any) -> _Side:
    """Return an arm's log ratio to the common network: over rounds of its one job, else over its jobs."""
    if len(jobs) > 1:
        return _mean_of([float(np.mean(one.logs)) if one.logs else 0.0 for one in jobs], "networks")
    return _Side() if _is_it(jobs[0], common) else _mean_of(jobs[0].logs, "rounds")


def ratio_of_rounds(logs: Sequence[float]) -> SpeedRatio:
    """Return the ratio of two networks from the log ratios of the rounds in which they took turns; two at least."""
    side = _mean_of(logs, "rounds")
    return SpeedRatio(side.log, side.error, side.df, len(logs), side.of)


def _mean_of(logs: Sequence[float], of: str) -> _Side:
    n = len(logs)
    return _Side(float(np.mean(logs)), float(np.std(logs, ddof=1)) / math.sqrt(n), n - 1.0, n, of)


def _ratio_of(one: _Side, two: _Side, *, sign: float) -> SpeedRatio:
    """Take the difference of two independent means; Welch's degrees of freedom."""
    parts = [side.error**2 for side in (one, two)]
    spent = sum(part**2 / side.df for part, side in zip(parts, (one, two), strict=True))
    counted = [side for side in (one, two) if side.n is not None]
    fewest = min(counted, key=lambda side: side.n or 0)
    df = sum(parts) ** 2 / spent if spent > 0 else fewest.df
    return SpeedRatio(sign * (one.log - two.log), math.sqrt(sum(parts)), df, fewest.n or 0, fewest.of)


ROUNDS: Mapping[str, RoundsOf] = {
    "infer_images_per_second": RoundsOf(),
    "infer_speedup": RoundsOf(),
    "infer_latency": RoundsOf(at_smallest=True),
    "infer_images_per_second_eager": RoundsOf("eager"),
    "infer_latency_eager": RoundsOf("eager", at_smallest=True),
    "infer_images_per_second_compiled": RoundsOf("compiled"),
    "infer_latency_compiled": RoundsOf("compiled", at_smallest=True),
    "infer_images_per_second_onnxruntime": RoundsOf("onnxruntime"),
    "infer_speedup_onnxruntime": RoundsOf("onnxruntime"),
    "infer_latency_onnxruntime": RoundsOf("onnxruntime", at_smallest=True),
}
"""A metric that is not here has no rounds side by side, such as energy: two jobs say one number each."""
