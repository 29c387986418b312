"""Do the intervals hold? Simulated trainings whose truth is known, judged by the functions that judge real ones.

`make simulate`: coverage of the interval of a difference, how often chance is called a difference (dagger and claims,
after Holm), and the power that `xp plan --power` promises against the share that is found. Columns: `ours` is what was
found, `peer` what was promised, `ratio` the first over the second.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from benchmarks import Row
from engine.analysis.claims import decide_side
from engine.analysis.compare import Comparison, with_holm
from engine.analysis.crossed import LEAST_SEEDS, crossed_interval
from engine.analysis.power import ALPHA, Design
from engine.analysis.statistics import Interval, holm, p_of
from engine.spec import Claim

Gains = NDArray[np.int8]
SEEDS, IMAGES, SPREADS = (2, 3, 5, 10), (357, 13_000), (0.0, 0.0025, 0.005, 0.01, 0.02)
HARD, OWN, LUCK = 1.0, 0.35, 0.6
"""Of the latent score by which a network is right where it is above 0: the standard deviations of how hard an image is,
of how it suits one arm, and of one training's luck with it."""
WIDE = float(np.sqrt(HARD**2 + OWN**2 + LUCK**2))
USUAL, OTHERS = 0.77, (0.3, 0.98)
"""Accuracies: that of most rows, and those that show whether it matters."""


@dataclass(frozen=True)
class World:
    """Two arms: `sd` is the spread of a paired difference that a training's luck makes on all images at once, `gap` the
    true difference, `base` the second arm's accuracy; all as fractions."""

    seeds: int
    images: int
    sd: float
    gap: float = 0.0
    base: float = USUAL

    def __str__(self) -> str:
        about = "" if self.base == USUAL else f", accuracy {100 * self.base:g} %"
        return f"{self.seeds} seeds, {self.images} images, paired seed sd {100 * self.sd:g} points{about}"

    @property
    def own_luck(self) -> float:
        """The standard deviation of one training's score on all images at once: by the slope of accuracy at its mean,
        and half of a difference's variance."""
        slope = float(np.exp(-0.5 * ndtri(self.base) ** 2)) / np.sqrt(2 * np.pi) / WIDE
        return float(self.sd / np.sqrt(2) / slope)

    @property
    def width(self) -> float:
        return float(np.hypot(WIDE, self.own_luck))

    @property
    def eases(self) -> tuple[float, float]:
        """Mean scores that have the accuracies base + gap and base."""
        return self.width * float(ndtri(self.base + self.gap)), self.width * float(ndtri(self.base))


def draw_gains(draw: np.random.Generator, world: World) -> Gains:
    """Return gains (seeds, images): 1 where the first arm alone is right, -1 where the second alone is."""
    return draw_networks(draw, world)[0]


def draw_networks(draw: np.random.Generator, world: World) -> tuple[Gains, float]:
    """Return the gains, and the difference of these very networks over all images that there could be.

    A network is its arm's ease and its own luck `whole`; of any image its score is normal with variance WIDE^2, so that
    its accuracy is known exactly.
    """
    hard = draw.standard_normal((1, world.images), np.float32) * HARD
    right, accuracies = [], []
    for ease in world.eases:
        own = draw.standard_normal((1, world.images), np.float32) * OWN
        whole = ease + draw.standard_normal((world.seeds, 1)) * world.own_luck
        luck = draw.standard_normal((world.seeds, world.images), np.float32)
        right.append(luck > (-whole / LUCK).astype(np.float32) - (hard + own) / LUCK)
        accuracies.append(float(ndtr(whole / WIDE).mean()))
    gains: Gains = right[0].view(np.int8) - right[1].view(np.int8)
    return gains, accuracies[0] - accuracies[1]


def judge(gains: Gains) -> Interval:
    return crossed_interval(gains.astype(np.float64))


def compared(gains: Gains) -> Comparison:
    """Return what a comparison says of these gains."""
    difference = judge(gains)
    return Comparison("test_top1", "c", ("b", "a"), (0.77, 0.77), ((), ()), difference, p_of(difference), None, None,
                      None, (), ())  # fmt: skip


def coverage(draw: np.random.Generator, world: World, rounds: int) -> Row:
    """Of two seeds the interval is of the images, for these networks: the truth is their own difference, not 0."""
    alone = world.seeds < LEAST_SEEDS
    inside = 0
    for _ in range(rounds):
        gains, of_networks = draw_networks(draw, world)
        inside += _holds(judge(gains), of_networks if alone else world.gap)
    over = "images alone" if alone else "seeds and images"
    return _row(str(world), f"coverage of the 95 % interval over {over}", inside / rounds, 0.95, rounds)


def _holds(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def false_daggers(draw: np.random.Generator, world: World, rounds: int, arms: int = 4) -> Row:
    """How often a table of arms without a difference has a dagger at all."""
    found = 0
    for _ in range(rounds):
        table = with_holm([compared(draw_gains(draw, world)) for _ in range(arms)])
        found += any(one.adjusted_p is not None and one.adjusted_p < ALPHA for one in table)
    return _row(str(world), f"a false dagger among {arms} arms", found / rounds, ALPHA, rounds)


def false_claims(draw: np.random.Generator, world: World, rounds: int, claims: int = 4) -> Row:
    """How often any of some claims of `greater` is decided where there is no difference."""
    found, claim = 0, claim_of()
    for _ in range(rounds):
        table = [compared(draw_gains(draw, world)) for _ in range(claims)]
        adjusted = holm([1.0 if one.p is None else one.p for one in table])
        found += any(decide_side(claim, one, p) != 0 for one, p in zip(table, adjusted, strict=True))
    return _row(str(world), f"a false verdict among {claims} claims", found / rounds, ALPHA, rounds)


def claim_of() -> Claim:
    about = {"id": "one", "text": "A sentence.", "metric": "test_top1", "arm": "b", "against": "a"}
    return Claim.model_validate({**about, "expect": "greater"})


def power_found(draw: np.random.Generator, world: World, rounds: int, tests: int) -> Row:
    """The power that a design of this spread promises for a difference, against how often a table finds it.

    The other tests of the table are of arms without a difference; p is after Holm over all of them.
    """
    real = with_detectable_gap(world, tests)
    found = sum(_is_found(draw, real, world, tests) for _ in range(rounds))
    figure = f"power for {100 * real.gap:.1f} points"
    return _row(f"{world}, {tests} tests", figure, found / rounds, 0.8, rounds)


def _is_found(draw: np.random.Generator, real: World, null: World, tests: int) -> bool:
    ps = [p_of(judge(draw_gains(draw, one))) for one in (real, *[null] * (tests - 1))]
    return holm([1.0 if p is None else p for p in ps])[0] < ALPHA


def with_detectable_gap(world: World, tests: int, power: float = 0.8) -> World:
    """Return the world with the difference that its design promises to find.

    Arms that differ by much have another spread than equal ones, as accuracies near 100 % have: what `xp plan` measures
    is the spread of the arms themselves, so the design is taken at the difference.
    """
    for _ in range(8):
        world = replace(world, gap=design_of_truth(world, tests).detectable(power))
    return world


def design_of_truth(world: World, tests: int) -> Design:
    """Return the design with the spreads that gains of this world have, from their covariances."""
    accuracies = (world.base + world.gap, world.base)
    of_hard, of_arm, of_luck = (part / world.width**2 for part in (HARD**2, HARD**2 + OWN**2, world.own_luck**2))
    between = 2 * covariance(*accuracies, of_hard)
    of_images = sum(covariance(one, one, of_arm) for one in accuracies) - between
    of_seeds = sum(covariance(one, one, of_luck) for one in accuracies)
    rest = sum(one * (1 - one) for one in accuracies) - between - of_images - of_seeds
    one_seed = of_seeds + rest / world.images
    return Design(world.seeds, one_seed**0.5, (of_images / world.images) ** 0.5, tests, rest / world.images / one_seed)


def covariance(one: float, two: float, shared: float) -> float:
    """Return that of two answers which are right with these chances, whose scores correlate by `shared`, 0 or more:
    given what they share, the answers are independent (Gauss-Hermite quadrature over it)."""
    places, weights = np.polynomial.hermite_e.hermegauss(80)
    given = [ndtr((ndtri(chance) + np.sqrt(shared) * places) / np.sqrt(1 - shared)) for chance in (one, two)]
    return float((given[0] * given[1]) @ weights / weights.sum()) - one * two


def _row(case: str, figure: str, ours: float, peer: float, n: int) -> Row:
    return Row(case, figure, round(ours, 4), peer, round(ours / peer, 4), "share", n)


def simulate(rounds: int, images: Sequence[int], seed: int = 1) -> Iterator[Row]:
    draw = np.random.default_rng(seed)
    for size, seeds, sd in product(images, SEEDS, SPREADS):
        yield coverage(draw, World(seeds, size, sd), _fewer(rounds, size))
    for base, seeds, sd in product(OTHERS, SEEDS, (0.0, 0.005)):
        yield coverage(draw, World(seeds, images[0], sd, base=base), rounds)
    for size, seeds in product(images, SEEDS[1:]):
        few = _fewer(rounds, size) // 2
        for sd in (0.0, 0.01):
            yield false_daggers(draw, World(seeds, size, sd), few)
        yield false_claims(draw, World(seeds, size, 0.005), few)
    for seeds, tests in ((3, 1), (5, 1), (5, 8), (10, 8)):
        yield power_found(draw, World(seeds, images[0], 0.01), rounds, tests)
    for seeds, tests in ((3, 1), (5, 4)):
        yield power_found(draw, World(seeds, images[-1], 0.005), rounds // 2, tests)


def _fewer(rounds: int, images: int) -> int:
    """Large test sets take long, and by the law of large numbers differ less from theory."""
    return rounds if images < 1000 else rounds // 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under two minutes")
    parser.add_argument("--json", action="store_true", help="one list of rows on stdout")
    chosen = parser.parse_args()
    rows = []
    for row in simulate(400 if chosen.quick else 4000, IMAGES[:1] if chosen.quick else IMAGES):
        rows.append(row)
        if not chosen.json:
            print(f"{row.case:58} {row.figure:52} {row.ours:7.3f} {row.peer:6.2f}  (n={row.n})", flush=True)
    if chosen.json:
        json.dump([asdict(row) for row in rows], sys.stdout)


if __name__ == "__main__":
    main()
