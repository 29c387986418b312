"""Claims on simulated trainings: how seldom chance is called a difference, and how often a large one is found."""

from __future__ import annotations

import numpy as np

from engine.analysis.claims import decide_side
from engine.analysis.compare import Comparison
from engine.analysis.crossed import crossed_interval
from engine.analysis.statistics import p_of
from engine.spec import Claim


def _claim(expect: str = "greater") -> Claim:
    about = {"id": "one", "text": "A sentence.", "metric": "test_top1", "arm": "b", "against": "a"}
    return Claim.model_validate({**about, "expect": expect})


def _simulate(draw: np.random.Generator, seeds: int, images: int, gap: float = 0.0, base: float = 0.737) -> Comparison:
    """Two methods on the same images: images differ in how hard they are, seeds in luck, and the methods by `gap`."""
    hard = draw.normal(0, 1.2, images)
    level = np.log(base / (1 - base)) * 1.35
    slope = base * (1 - base) * 0.75
    right = [
        [
            draw.random(images) < 1 / (1 + np.exp(-(level + hard + draw.normal(0, 0.02) + shift / slope)))
            for _ in range(seeds)
        ]
        for shift in (gap, 0.0)
    ]
    one, two = ({seed: float(np.mean(side)) for seed, side in enumerate(sides)} for sides in right)
    difference = crossed_interval(np.asarray(right[0], float) - np.asarray(right[1], float))
    means = (float(np.mean(list(one.values()))), float(np.mean(list(two.values()))))
    return Comparison("test_top1", "default", ("b", "a"), means, ((), ()), difference, p_of(difference), None,
                      None, None, (), ())  # fmt: skip


def test_no_difference_is_called_one_in_at_most_five_per_cent() -> None:
    draw, called, rounds = np.random.default_rng(7), 0, 1000
    for _ in range(rounds):
        found = _simulate(draw, 3, 500)
        called += decide_side(_claim(), found, found.p) != 0
    # 5 % and two standard errors of 1,000 rounds.
    assert called / rounds <= 0.05 + 2 * (0.05 * 0.95 / rounds) ** 0.5


def test_large_difference_is_found_nearly_always() -> None:
    draw = np.random.default_rng(8)
    found = [_simulate(draw, 5, 2000, gap=0.08) for _ in range(60)]
    assert sum(decide_side(_claim(), one, one.p) == 1 for one in found) >= 54


def test_the_papers_own_loss_of_0_62_points_is_undecided() -> None:
    """One run for each arm on 10 per cent of 130,000 images: the luck of one seed is as large as the loss."""
    draw = np.random.default_rng(9)
    found = [_simulate(draw, 1, 13_000, gap=-0.0062) for _ in range(20)]
    assert {decide_side(_claim(expect), one, one.p) for one in found for expect in ("less", "greater")} == {0}
    assert -0.012 < float(np.mean([one.difference.mean for one in found])) < -0.002
