"""Rounds of a measurement: takes benches, gives seconds a call by network and round, and the figures that they make.

In each round every network has a new process, and they take turns: own, baseline, baseline, own, and the other way
round in the next round. So what the machine does besides meets both alike, and what differs from process to process
is in the spread between rounds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from engine.core.measure import Burst, Load

TURN_SECONDS = 0.02  # at least one call
MOST_OOMS = 2  # rounds in which memory may run out under a load: others may have held it in the first


class Bench(Protocol):
    """A network somewhere: `ask("warm_up", load)`, `ask("time", load, seconds)` -> Burst."""

    def ask(self, method: str, *words: Any) -> Any: ...


@dataclass(frozen=True)
class Figure:
    """A measured value: the geometric mean of `n` rounds, and the 5th and 95th percentile of single calls in all."""

    value: float
    p5: float
    p95: float
    n: int


@dataclass
class Timings:
    """One network under one load: seconds of each call by round, and the highest peaks of CUDA memory.

    A round in which memory ran out is empty; `ooms` counts them.
    """

    rounds: list[list[float]] = field(default_factory=list)
    peaks: dict[str, int] = field(default_factory=dict)
    ooms: int = 0

    @property
    def fits(self) -> bool:
        return any(self.rounds)

    @property
    def is_given_up(self) -> bool:
        return self.ooms >= MOST_OOMS

    def run_out(self) -> None:
        """Take in a round in which memory ran out."""
        self.rounds.append([])
        self.ooms += 1

    def add(self, bursts: Sequence[Burst]) -> None:
        """Take in the bursts of one round."""
        self.rounds.append([value for burst in bursts for value in burst.times])
        for burst in bursts:
            for name, peak in burst.peaks.items():
                self.peaks[name] = max(peak, self.peaks.get(name, 0))

    def medians(self) -> list[float]:
        """Return the median seconds of a call in each round."""
        return [statistics.median(times) for times in self.rounds if times]

    def rates(self, batch_size: int) -> list[float]:
        """Return images/s of each round."""
        return [batch_size / seconds for seconds in self.medians()]

    @property
    def calls(self) -> list[float]:
        """Seconds of the calls of all rounds."""
        return [value for times in self.rounds for value in times]

    @property
    def spread(self) -> float:
        """Interquartile range of the calls over their median; above NOISY the figures are of a restless machine."""
        if len(self.calls) < 2:
            return 0.0
        low, middle, high = statistics.quantiles(self.calls, n=4, method="inclusive")
        return (high - low) / middle

    def tail(self, share: float) -> Figure | None:
        """Return the seconds that this share of all calls keeps below, with the lowest and highest of the rounds.

        None where there are too few calls to tell: fewer than a hundred for 0.99.
        """
        if len(self.calls) < round(1 / (1 - share)):
            return None
        by_round = [quantile(times, share) for times in self.rounds if times]
        return Figure(quantile(self.calls, share), min(by_round), max(by_round), len(by_round))

    def figure(self, of_seconds: Callable[[float], float]) -> Figure:
        """Return the figure that `of_seconds` makes of the seconds of a call."""
        low, high = percentiles([of_seconds(value) for value in self.calls])
        medians = [of_seconds(value) for value in self.medians()]
        return Figure(geometric_mean(medians), low, high, len(medians))


Opener = Callable[[], AbstractContextManager[Bench]]
"""Makes a new bench of a network, in a process of its own."""


def time_rounds(
    openers: Sequence[Opener],
    loads: Sequence[Load],
    rounds: int,
    seconds: float,
    watch: Callable[[int], None],
    after: Callable[[Bench, Load], None] | None = None,
) -> dict[Load, list[Timings]]:
    """Time every network under every load in `rounds` rounds, for `seconds` in all of them together.

    Returns the timings of each network by load; `watch` is called with the number of each round before it begins,
    `after` with the first network's bench when its turns under a load are over. A load for which a network has too
    little memory is left out for that network, and tried once more in the next round.
    """
    timings = {load: [Timings() for _ in openers] for load in loads}
    for number in range(rounds):
        watch(number)
        with ExitStack() as opened:
            benches = [opened.enter_context(opener()) for opener in openers]
            for load in loads:
                _time_load(benches, timings[load], load, seconds / rounds, number)
                if after is not None and timings[load][0].rounds[-1:] not in ([], [[]]):
                    after(benches[0], load)
    return timings


def _time_load(benches: Sequence[Bench], kept: Sequence[Timings], load: Load, seconds: float, number: int) -> None:
    asked = [place for place, timings in enumerate(kept) if not timings.is_given_up]
    fitting = [place for place in asked if _fits(benches[place], load)]
    found = time_turns([benches[place] for place in fitting], load, seconds, number)
    for place, bursts in zip(fitting, found, strict=True):
        kept[place].add(bursts)
    for place in set(range(len(kept))) - set(fitting):
        kept[place].run_out()


def _fits(bench: Bench, load: Load) -> bool:
    """Warm up; return whether there was memory for it."""
    try:
        bench.ask("warm_up", load)
    except MemoryError as error:
        print(f"batch size {load.batch_size} ({load.mode}) does not fit: {error}", flush=True)
        return False
    return True


def time_turns(benches: Sequence[Bench], load: Load, seconds: float, number: int) -> list[list[Burst]]:
    """Let the benches, which are warm, take turns, there and back, until each has had `seconds`.

    Turns are short, so that a slow moment of the machine meets both; another end begins in each round.
    """
    there = list(range(len(benches)))[:: 1 if number % 2 == 0 else -1]
    bursts: list[list[Burst]] = [[] for _ in benches]
    while benches and (not all(bursts) or min(map(_spent, bursts)) < seconds):
        for place in (*there, *reversed(there)):
            bursts[place].append(benches[place].ask("time", load, min(TURN_SECONDS, seconds / 2)))
    return bursts


def _spent(bursts: Sequence[Burst]) -> float:
    return sum(burst.seconds for burst in bursts)


def common_rounds(own: Timings, base: Timings | None) -> tuple[Timings, Timings | None]:
    """Return both without the rounds in which either ran out of memory; `base` None where it has too few left."""
    if base is None:
        return own, None
    pairs = [pair for pair in zip(own.rounds, base.rounds, strict=True) if all(pair)]
    if len(pairs) < 2 and (own.ooms or base.ooms):
        return own, None
    return replace(own, rounds=[one for one, _ in pairs]), replace(base, rounds=[two for _, two in pairs])


def speed_up(own: Sequence[float], base: Sequence[float]) -> Figure:
    """Return how many times the base's rates the own ones are, from rounds that were measured side by side."""
    ratios = [one / other for one, other in zip(own, base, strict=True)]
    return Figure(geometric_mean(ratios), *percentiles(ratios), len(ratios))


def geometric_mean(values: Sequence[float]) -> float:
    """Return the mean on the log scale, on which a ratio and its inverse are equally far from 1."""
    return math.exp(statistics.fmean(map(math.log, values)))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the others keeps below, between two of them where it falls there."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the 5th and the 95th; one value is both."""
    if len(values) == 1:
        return values[0], values[0]
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return cuts[0], cuts[-1]
