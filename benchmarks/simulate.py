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
from dataclasses import asdict
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from benchmarks import Row
from engine.analysis.claims import decide_side
from engine.analysis.compare import Comparison, with_holm
from engine.analysis.crossed import crossed_interval, mean_squares
from engine.analysis.power import Design
from engine.analysis.statistics import Interval, holm, p_of
from engine.spec import Claim

Gains = NDArray[np.float64]
SEEDS, IMAGES, SPREADS = (2, 3, 5, 10), (357, 13_000), (0.0, 0.005, 0.01, 0.02)
EASE, HARD, OWN, LUCK = 0.9, 1.0, 0.35, 0.6
"""Of the latent score by which a network is right where it is above 0: its mean, and the standard deviations of how
hard an image is, of how it suits one arm, and of one training's luck with it. About 77 % accuracy."""


def draw_gains(draw: np.random.Generator, seeds: int, images: int, sd: float, gap: float = 0.0) -> Gains:
    """Return gains (seeds, images) of two arms on the same images: `sd` is the spread of a paired difference that a
    training's luck makes on all images at once, and `gap` the true difference, both as fractions."""
    slope = _slope()
    hard = draw.standard_normal((1, images)) * HARD + EASE
    right = []
    for shift in (_shift(gap), 0.0):
        own = draw.standard_normal((1, images)) * OWN
        whole = draw.standard_normal((seeds, 1)) * sd / np.sqrt(2) / slope
        luck = draw.standard_normal((seeds, images)) * LUCK
        right.append(hard + own + whole + luck + shift > 0)
    one, two = (side.astype(np.float64) for side in right)
    gains: Gains = one - two
    return gains


def _shift(gap: float) -> float:
    """How much score gains exactly this accuracy: the slope at the mean alone would fall short for large gaps."""
    if not gap:
        return 0.0
    wide = float(np.sqrt(HARD**2 + OWN**2 + LUCK**2))
    return wide * float(ndtri(ndtr(EASE / wide) + gap)) - EASE


def _slope() -> float:
    """Accuracy gained by a unit of the score, at its mean."""
    wide = np.sqrt(HARD**2 + OWN**2 + LUCK**2)
    return float(np.exp(-0.5 * (EASE / wide) ** 2) / np.sqrt(2 * np.pi) / wide)


def compared(gains: Gains) -> Comparison:
    """Return what a comparison says of these gains."""
    difference = crossed_interval(gains)
    return Comparison("test_top1", "c", ("b", "a"), (0.77, 0.77), ((), ()), difference, p_of(difference), None, None,
                      None, (), ())  # fmt: skip


def coverage(draw: np.random.Generator, seeds: int, images: int, sd: float, rounds: int) -> Row:
    """Of two seeds the interval is of the images, for these networks: the truth is their own difference, not 0."""
    if seeds < 3:
        inside = sum(_holds_own_truth(draw, seeds, images, sd) for _ in range(rounds))
    else:
        inside = sum(_holds(crossed_interval(draw_gains(draw, seeds, images, sd)), 0.0) for _ in range(rounds))
    over = "images alone" if seeds < 3 else "seeds and images"
    case = f"{seeds} seeds, {images} images, paired seed sd {100 * sd:g} points"
    return _row(case, f"coverage of the 95 % interval over {over}", inside / rounds, 0.95, "share", rounds)


def _holds_own_truth(draw: np.random.Generator, seeds: int, images: int, sd: float) -> bool:
    """Two halves of the images that the same networks see: one is judged, a large one tells the truth."""
    gains = draw_gains(draw, seeds, images + 50_000, sd)
    return _holds(crossed_interval(gains[:, :images]), float(gains[:, images:].mean()))


def _holds(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def false_daggers(draw: np.random.Generator, seeds: int, images: int, sd: float, rounds: int, arms: int = 4) -> Row:
    """How often a table of arms without a difference has a dagger at all."""
    found = 0
    for _ in range(rounds):
        table = with_holm([compared(draw_gains(draw, seeds, images, sd)) for _ in range(arms)])
        found += any(one.adjusted_p is not None and one.adjusted_p < 0.05 for one in table)
    case = f"{seeds} seeds, {images} images, paired seed sd {100 * sd:g} points"
    return _row(case, f"a false dagger among {arms} arms", found / rounds, 0.05, "share", rounds)


def false_claims(draw: np.random.Generator, seeds: int, images: int, sd: float, rounds: int, claims: int = 4) -> Row:
    """How often any of some claims of `greater` is decided where there is no difference."""
    found, claim = 0, claim_of()
    for _ in range(rounds):
        table = [compared(draw_gains(draw, seeds, images, sd)) for _ in range(claims)]
        adjusted = holm([1.0 if one.p is None else one.p for one in table])
        found += any(decide_side(claim, one, p) != 0 for one, p in zip(table, adjusted, strict=True))
    case = f"{seeds} seeds, {images} images, paired seed sd {100 * sd:g} points"
    return _row(case, f"a false verdict among {claims} claims", found / rounds, 0.05, "share", rounds)


def claim_of() -> Claim:
    about = {"id": "one", "text": "A sentence.", "metric": "test_top1", "arm": "b", "against": "a"}
    return Claim.model_validate({**about, "expect": "greater"})


def power_found(draw: np.random.Generator, seeds: int, images: int, sd: float, rounds: int, tests: int) -> Row:
    """The power that a design of this spread promises for a difference, against how often it is found."""
    design = design_of_truth(draw, seeds, images, sd, tests)
    gap = design.detectable(0.8)
    ps = [p_of(crossed_interval(draw_gains(draw, seeds, images, sd, gap))) for _ in range(rounds)]
    found = sum(p is not None and p < 0.05 / tests for p in ps) / rounds
    case = f"{seeds} seeds, {images} images, paired seed sd {100 * sd:g} points, {tests} tests"
    return _row(case, f"power for {100 * gap:.1f} points", found, 0.8, "share", rounds)


def design_of_truth(draw: np.random.Generator, seeds: int, images: int, sd: float, tests: int) -> Design:
    """Return the design with the true spreads, as the mean squares of many seeds have them."""
    many = np.asarray([mean_squares(draw_gains(draw, 20, images, sd)) for _ in range(60)])
    of_seeds, of_images, rest = (float(one) for one in many.mean(axis=0))
    shared = (of_images - rest) / (20 * images)
    return Design(seeds, (of_seeds / images) ** 0.5, shared**0.5, tests, rest / of_seeds)


def _row(case: str, figure: str, ours: float, peer: float, unit: str, n: int) -> Row:
    return Row(case, figure, round(ours, 4), peer, round(ours / peer, 4), unit, n)


def simulate(rounds: int, images: Sequence[int], seed: int = 1) -> Iterator[Row]:
    draw = np.random.default_rng(seed)
    for size, seeds, sd in product(images, SEEDS, SPREADS):
        few = _fewer(rounds, size, seeds)
        yield coverage(draw, seeds, size, sd, max(few // 10, 100) if seeds < 3 else few)
    for size, seeds in product(images, SEEDS[1:]):
        few = _fewer(rounds, size, seeds)
        for sd in (0.0, 0.01):
            yield false_daggers(draw, seeds, size, sd, few // 2)
        yield false_claims(draw, seeds, size, 0.005, few // 2)
    for seeds, tests in ((3, 1), (5, 1), (5, 8), (10, 8)):
        yield power_found(draw, seeds, 357, 0.01, rounds, tests)


def _fewer(rounds: int, images: int, seeds: int) -> int:
    """Large test sets take long: half the rounds for 3 seeds, where tails are hardest to hold, and less for more."""
    return rounds if images < 1000 else max(rounds // (2 if seeds <= 3 else 4), 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under two minutes")
    parser.add_argument("--json", action="store_true", help="one list of rows on stdout")
    chosen = parser.parse_args()
    rows = []
    for row in simulate(400 if chosen.quick else 2000, IMAGES[:1] if chosen.quick else IMAGES):
        rows.append(row)
        if not chosen.json:
            print(f"{row.case:58} {row.figure:52} {row.ours:7.3f} {row.peer:6.2f}  (n={row.n})", flush=True)
    if chosen.json:
        json.dump([asdict(row) for row in rows], sys.stdout)


if __name__ == "__main__":
    main()
