"""One interval over seeds and images: against an analysis of variance, and against what it promises to cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from benchmarks.simulate import World, coverage
from engine.analysis.critical import exponent
from engine.analysis.crossed import crossed_interval, least_share, mean_squares, variance_parts
from engine.analysis.statistics import p_of


def table_of(seeds: int, images: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.sign(
        draw.normal(0.1, 1, (1, images)) + draw.normal(0, 0.4, (seeds, 1)) + draw.normal(0, 1, (seeds, images))
    )


def test_mean_squares_are_those_of_an_analysis_of_variance() -> None:
    import pandas
    import statsmodels.formula.api as formulas
    from statsmodels.stats.anova import anova_lm

    table = table_of(4, 30)
    rows = [(str(seed), str(image), table[seed, image]) for seed in range(4) for image in range(30)]
    frame = pandas.DataFrame(rows, columns=["seed", "image", "gain"])
    found = anova_lm(formulas.ols("gain ~ seed + image", frame).fit())["mean_sq"]
    assert mean_squares(table) == pytest.approx((found["seed"], found["image"], found["Residual"]))


def test_the_interval_lies_between_student_and_normal() -> None:
    table = table_of(5, 60)
    of_seeds, of_images, rest = mean_squares(table)
    assert of_seeds > least_share(4) * rest
    assert of_images > rest
    variance = (of_seeds + of_images - rest) / 300
    normal, student = scipy_stats.norm.ppf(0.975), scipy_stats.t.ppf(0.975, 4)
    reach = (normal**2 + (of_seeds / 300 / variance) ** exponent(4, 0.05) * (student**2 - normal**2)) ** 0.5
    half = reach * variance**0.5
    found = crossed_interval(table)
    assert [found.error, found.df] == pytest.approx([variance**0.5, 4.0])
    assert (found.low, found.high) == pytest.approx((table.mean() - half, table.mean() + half))
    assert normal < reach < student
    assert found.image_share == pytest.approx((of_images - rest) / 300 / variance)
    assert (found.over, found.n) == ("seeds and images", 5)
    assert found.std == pytest.approx(table.mean(axis=1).std(ddof=1))


def test_seeds_that_agree_by_luck_are_not_taken_for_certain() -> None:
    """Three seeds of one mean: the least spread that is believed takes the place of their own."""
    draw = np.random.default_rng(2)
    row = np.repeat([1.0, 0.0, -1.0], [40, 120, 20])
    table = np.stack([draw.permutation(row) for _ in range(3)])
    _, _, rest = mean_squares(table)
    least = scipy_stats.chi2.ppf(0.05, 2) / 2
    assert variance_parts(table).seeds == pytest.approx(least * rest / table.size)


def test_the_error_is_that_of_a_mixed_model() -> None:
    """Seeds and images as crossed random effects, by restricted maximum likelihood; all components are above 0 here."""
    import pandas
    from statsmodels.regression.mixed_linear_model import MixedLM

    table = table_of(4, 25, 2)
    of_seeds, of_images, rest = mean_squares(table)
    assert min(of_seeds, of_images) > rest
    rows = [("all", str(seed), str(image), table[seed, image]) for seed in range(4) for image in range(25)]
    frame = pandas.DataFrame(rows, columns=["one", "seed", "image", "gain"])
    parts = {"seed": "0 + C(seed)", "image": "0 + C(image)"}
    fitted = MixedLM.from_formula("gain ~ 1", groups="one", vc_formula=parts, data=frame).fit(method="bfgs")
    found = crossed_interval(table)
    assert found.mean == pytest.approx(fitted.params["Intercept"])
    assert found.error == pytest.approx(fitted.bse["Intercept"], rel=1e-4)


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.0125, 0.001])
def test_p_is_below_alpha_where_the_interval_leaves_zero_out(alpha: float) -> None:
    for seed in range(30):
        found = crossed_interval(table_of(3, 50, seed), 1 - alpha)
        p = p_of(found)
        assert found.low is not None
        assert found.high is not None
        assert p is not None
        assert (p < alpha) == (not found.low <= 0 <= found.high)


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_have_the_interval_of_their_images(seeds: int) -> None:
    table = table_of(seeds, 40)
    found, by_image = crossed_interval(table), table.mean(axis=0)
    assert (found.low, found.high) == pytest.approx(
        scipy_stats.t.interval(0.95, 39, by_image.mean(), scipy_stats.sem(by_image))
    )
    assert (found.over, p_of(found), found.n) == ("images", None, seeds)
    assert (found.std is None) == (seeds == 1)


def test_an_interval_stays_within_what_a_difference_can_be() -> None:
    found = crossed_interval(np.asarray([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
    assert found.high == 1.0
    assert crossed_interval(-np.asarray([[1.0, 1.0, 0.0]])).low == -1.0


def test_equal_networks_differ_by_nothing() -> None:
    found = crossed_interval(np.zeros((3, 20)))
    assert (found.mean, found.low, found.high, p_of(found)) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("gains", [[], [1.0, 0.0], [[1.0]], [[]]])
def test_what_is_no_table_is_refused(gains: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="one row for each seed"):
        crossed_interval(gains)


@pytest.mark.parametrize(("seeds", "sd"), [(2, 0.01), (3, 0.0), (3, 0.02), (5, 0.01), (10, 0.02)])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds: int, sd: float) -> None:
    """The short form of `make simulate`: 800 pairs of arms without a difference, within two standard errors of the
    band from 93 to 97 %; of two seeds the truth is their own networks' difference."""
    rounds = 800
    row = coverage(np.random.default_rng(11), World(seeds, 357, sd), rounds)
    low, high = (edge * (1 - edge) / rounds for edge in (0.93, 0.97))
    assert 0.93 - 2 * low**0.5 <= row.ours <= 0.97 + 2 * high**0.5
    assert ("images alone" in row.figure) == (seeds == 2)
