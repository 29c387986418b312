"""In which order networks are timed, and what is made of it: with benches that only say what they were asked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.core.measure import Burst, Load
from engine.run.rounds import TURN_SECONDS, Timings, geometric_mean, percentiles, speed_up, time_rounds

LOAD, OTHER = Load(4, 1), Load(8, 2)


@dataclass
class Track:
    """What was done in which order; each bench is numbered as it is opened."""

    done: list[tuple[Any, ...]] = field(default_factory=list)
    opened: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)


class FakeBench:
    def __init__(self, track: Track, name: str) -> None:
        self.track, self.name, self.number = track, name, track.opened
        track.opened += 1

    def ask(self, method: str, *words: Any) -> Any:
        self.track.done.append((self.name, method, *words))
        if method == "warm_up":
            return None
        times = self.track.seconds.get(self.name)
        return Burst([times.pop(0)] if times else [1.0], {"cuda_peak_allocated": self.number})


@contextmanager
def open_fake(track: Track, name: str) -> Iterator[FakeBench]:
    yield FakeBench(track, name)
    track.done.append((name, "close"))


def timed(track: Track, names: tuple[str, ...], loads: list[Load], rounds: int, seconds: float = 1.0) -> Any:
    openers = [partial(open_fake, track, name) for name in names]
    begun: list[int] = []
    found = time_rounds(openers, loads, rounds, seconds, begun.append)
    assert begun == list(range(rounds))
    return found


def test_networks_take_turns_there_and_back() -> None:
    track = Track()
    timed(track, ("own", "base"), [LOAD], 2)
    turns = [name for name, method, *_ in track.done if method == "time"]
    assert turns == ["own", "base", "base", "own", "base", "own", "own", "base"]
    own, base = ([at for at, name in enumerate(turns[:4]) if name == one] for one in ("own", "base"))
    assert sum(own) == sum(base), "what drifts evenly meets both alike"


def test_every_round_has_new_processes_that_warm_up_before_any_is_timed() -> None:
    track = Track()
    timed(track, ("own", "base"), [LOAD, OTHER], 3)
    assert track.opened == 6
    first = [entry for entry in track.done[: track.done.index(("own", "close"))] if entry[1] != "close"]
    assert [method for _, method, *_ in first[:6]] == ["warm_up"] * 2 + ["time"] * 4
    assert {name for name, method, load, *_ in first if (method, load) == ("warm_up", OTHER)} == {"own", "base"}


def test_seconds_are_spent_over_all_rounds_together() -> None:
    """Half a second each round; calls of 0.1 s for the one and 0.3 s for the other, one to a turn."""
    track = Track(seconds={"own": [0.1] * 99, "base": [0.3] * 99})
    own, base = timed(track, ("own", "base"), [LOAD], 4, seconds=2.0)[LOAD]
    assert [len(times) for times in own.rounds] == [len(times) for times in base.rounds] == [6] * 4
    asked = {words[-1] for name, method, *words in track.done if method == "time"}
    assert asked == {TURN_SECONDS}


def test_a_turn_is_no_longer_than_the_seconds_that_are_asked() -> None:
    track = Track()
    timed(track, ("own", "base"), [LOAD], 2, seconds=0.04)
    assert {words[-1] for name, method, *words in track.done if method == "time"} == {0.01}


def test_a_network_alone_is_timed_twice_a_round() -> None:
    track = Track()
    found = timed(track, ("own",), [LOAD], 2)
    assert [len(times) for times in found[LOAD][0].rounds] == [2, 2]


def test_a_rounds_value_is_its_median_and_the_figure_their_geometric_mean() -> None:
    track = Track(seconds={"own": [0.1, 0.3, 0.4, 0.4], "base": [0.2] * 4})
    own, base = timed(track, ("own", "base"), [LOAD], 2, seconds=0.2)[LOAD]
    assert own.medians() == pytest.approx([0.2, 0.4])
    assert own.rates(4) == pytest.approx([20.0, 10.0])
    figure = own.figure(lambda seconds: 4 / seconds)
    assert figure.value == pytest.approx(math.sqrt(200.0))
    assert (figure.n, figure.p5, figure.p95) == (2, *percentiles([40.0, 4 / 0.3, 10.0, 10.0]))
    wait = base.figure(lambda seconds: 1e3 * seconds)
    assert (wait.value, wait.p5, wait.p95) == pytest.approx((200.0, 200.0, 200.0))
    assert own.peaks == {"cuda_peak_allocated": 2}, "the highest of all rounds"


def test_the_speed_up_is_the_ratio_of_the_two_figures() -> None:
    own, base = [10.0, 12.0, 9.0], [20.0, 18.0, 21.0]
    found = speed_up(own, base)
    assert found.value == pytest.approx(stats.gmean(own) / stats.gmean(base))
    assert found.value == pytest.approx(1 / speed_up(base, own).value)
    assert found.n == 3
    assert found.p95 == pytest.approx(percentiles([0.5, 2 / 3, 3 / 7])[1])


def test_a_slow_spell_of_the_machine_cancels_in_the_ratio() -> None:
    """The second round is three times as slow for both."""
    track = Track(seconds={"own": [0.2, 0.2, 0.6, 0.6], "base": [0.1, 0.1, 0.3, 0.3]})
    own, base = timed(track, ("own", "base"), [LOAD], 2, seconds=0.2)[LOAD]
    ratios = [one / other for one, other in zip(own.rates(4), base.rates(4), strict=True)]
    assert ratios == pytest.approx([0.5, 0.5])


def test_means_and_percentiles_are_the_known_ones() -> None:
    values = [1.0, 2.0, 8.0, 3.0]
    assert geometric_mean(values) == pytest.approx(stats.gmean(values))
    assert percentiles([float(value) for value in range(101)]) == (5.0, 95.0)
    assert percentiles([3.0]) == (3.0, 3.0)
    assert statistics.median(values) == 2.5
    assert Timings().rounds == []


def test_a_tail_is_told_where_there_are_calls_enough() -> None:
    found = Timings([[float(value) for value in range(1, 52)], [float(value) for value in range(52, 102)]])
    tail = found.tail(0.99)
    assert tail is not None
    assert tail.value == pytest.approx(np.quantile(np.arange(1.0, 102.0), 0.99))
    assert [tail.p5, tail.p95, tail.n] == pytest.approx([50.5, 100.51, 2])
    few = Timings([[1.0] * 99])
    assert few.tail(0.99) is None
    assert few.tail(0.95) is not None
    assert Timings([[1.0] * 19]).tail(0.95) is None


def test_a_spread_is_that_of_the_middle_half() -> None:
    assert Timings([[1.0, 1.0], [1.0, 1.0, 9.0]]).spread == 0.0
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    assert Timings([values[:2], [], values[2:]]).spread == pytest.approx((high - low) / middle)
    assert Timings([[3.0]]).spread == 0.0
