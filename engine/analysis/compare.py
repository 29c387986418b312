"""Two arms side by side: takes their names and a metric, gives paired statistics, or why they are not comparable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.analysis.fairness import SPEEDS, Difference, Surroundings, difference_lines, flatten, judge_pair, tell_first
from engine.analysis.statistics import (
    Interval,
    compare_images,
    hierarchical_interval,
    holm,
    paired_interval,
    paired_p,
    paired_shares,
    smallest_difference,
)  # fmt: skip
from engine.errors import QueryError, closest_hint
from engine.home.paths import Home
from store.readonly import StoreError
from store.results import open_snapshot

QUERIES = Path(__file__).parents[2] / "store" / "queries"
NO_FIGURES = frozenset(
    {
        "experiment",
        "arm",
        "cell",
        "seed",
        "split",
        "run",
        "state",
        "infer_batch_size",
        "test_images",
        "test_low",
        "test_high",
    }
)
EXACT = frozenset({"params", "macs", "params_before", "prune_asked"})  # the same for every seed: one run decides
LOWER_IS_BETTER = frozenset(
    {"test_loss", "val_loss", "train_loss", "infer_latency", "cuda_peak_allocated", "cuda_peak_reserved",
     "host_peak_rss", "params", "macs", "train_seconds"}
)  # fmt: skip
OF_TEST_IMAGES = ("test_top1", "test_loss")
MEASURED_ONCE = ("infer_images_per_second", "infer_latency")  # of one job for all seeds whose networks are alike
ONE_SEED = "one common seed: no test over seeds, because the luck of a seed is unknown"
ONE_MEASUREMENT = "one measurement serves all seeds: no test, because the luck of a measurement is unknown"
NO_SPREAD = "all seeds differ by exactly as much: no test, because a few may do so by chance"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Images:
    """The difference of test accuracy on the same images, seed by seed: an interval that knows of images and seeds."""

    low: float
    high: float
    n: int
    mcnemar: float | None


@dataclass(frozen=True)
class Comparison:
    """first - second on one metric at one point of the matrix, in the metric's own unit.

    `difference` is paired over common seeds; `p` is of the paired t test, `adjusted_p` after Holm over the table.
    `unfair` is what should have been held and was not; `smallest` the difference that these seeds could have shown.
    `untested` says why there is no p, where the metric is one that differs from seed to seed; `left_out` names the
    runs whose value is no number, as that of a training that ran away.
    """

    metric: str
    cell: str
    arms: tuple[str, str]
    means: tuple[float, float]
    runs: tuple[tuple[str, ...], tuple[str, ...]]
    difference: Interval
    p: float | None
    adjusted_p: float | None
    images: Images | None
    smallest: float | None
    factors: tuple[str, ...]
    unfair: tuple[Difference, ...]
    untested: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def relative(self) -> float | None:
        """The change in per cent of the second arm's mean; None where that is 0."""
        return None if self.means[1] == 0 else 100 * self.difference.mean / abs(self.means[1])

    @property
    def is_exact(self) -> bool:
        return self.metric in EXACT

    @property
    def is_share(self) -> bool:
        """Whether it is an accuracy: a fraction that readers see in per cent, and its differences in points."""
        return is_share(self.metric)


def is_share(metric: str) -> bool:
    """Whether a metric is an accuracy: a share of images, which moves in steps of one image."""
    return metric.endswith("top1")


def compare_arms(home: Home, first: str, second: str, metric: str, *, anyway: bool = False) -> list[Comparison]:
    """Compare `EXPERIMENT/ARM` with `EXPERIMENT/ARM`, once for each point of the matrix that both have.

    Raises QueryError for names that are not there, for arms without a common point or seed, and, unless `anyway`,
    for a comparison that is unfair, naming all that differs.
    """
    found = [_compare_cell(home, *pair, metric) for pair in _pair_cells(home, first, second, metric)]
    compared = [one for one in found if one is not None]
    if not compared:
        fix = "wait for their runs, or give both arms the same seeds: xp status shows what is there"
        raise QueryError(f"{first} and {second} have no finished seed in common with a {metric}", fix=fix)
    unfair = {str(one): one for comparison in compared for one in comparison.unfair}
    if unfair and not anyway:
        table = "\n".join(difference_lines(list(unfair.values())))
        fix = "compare runs that differ in one factor alone, or say --anyway and get this as a footnote"
        raise QueryError(f"{first} and {second} are not comparable:\n{table}", fix=fix)
    return with_holm(compared)


def with_holm(compared: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with p adjusted over all of them together."""
    tested = [one for one in compared if one.p is not None]
    adjusted = dict(zip(map(id, tested), holm([one.p for one in tested if one.p is not None]), strict=True))
    return [_replace_p(one, adjusted.get(id(one))) for one in compared]


def _replace_p(one: Comparison, adjusted: float | None) -> Comparison:
    return replace(one, adjusted_p=adjusted)


def _pair_cells(home: Home, first: str, second: str, metric: str) -> list[tuple[list[Row], list[Row], str]]:
    """Return the finished runs of both arms by common point; of one point each where no name is common."""
    one, two = (_runs_of(home, name, metric) for name in (first, second))
    common = [cell for cell in one if cell in two]
    if not common and len(one) == len(two) == 1:
        return [(next(iter(one.values())), next(iter(two.values())), next(iter(one)))]
    if not common:
        points = f"{', '.join(one)} against {', '.join(two)}"
        fix = "compare arms of one experiment, or give both experiments the same matrix"
        raise QueryError(f"{first} and {second} have no point of the matrix in common: {points}", fix=fix)
    return [(one[cell], two[cell], cell) for cell in common]


def _runs_of(home: Home, name: str, metric: str) -> dict[str, list[Row]]:
    experiment, _, arm = name.partition("/")
    rows = ask(home, "compare_runs", experiment=experiment, arm=arm)
    if not rows:
        known = [row["name"] for row in ask(home, "trace_arms")]
        raise QueryError(f"there is no arm {name!r}", fix=closest_hint(name, known) if known else "submit one first")
    if metric not in rows[0] or metric in NO_FIGURES or isinstance(rows[0][metric], str):
        known = [column for column, value in rows[0].items() if column not in NO_FIGURES and not isinstance(value, str)]
        raise QueryError(f"there is no metric {metric!r}", fix=closest_hint(metric, known))
    cells: dict[str, list[Row]] = {}
    for row in rows:
        cells.setdefault(row["cell"], [])
        if row[metric] is not None:
            cells[row["cell"]].append(row)
    return cells


def _compare_cell(home: Home, first: list[Row], second: list[Row], cell: str, metric: str) -> Comparison | None:
    one, two = ({row["seed"]: row for row in rows if np.isfinite(row[metric])} for rows in (first, second))
    seeds = _distinct_seeds(one, two, metric)
    values = tuple({seed: float(side[seed][metric]) for seed in seeds} for side in (one, two))
    difference = (paired_shares if is_share(metric) else paired_interval)(values[0], values[1])
    if difference is None:
        return None
    pairs = [(one[seed], two[seed]) for seed in seeds]
    images, unlike = _compare_test_images(home, pairs) if metric in OF_TEST_IMAGES else (None, ())
    fairness = [judge_pair(_surround(a, metric), _surround(b, metric), metric) for a, b in pairs]
    unfair = {str(one): one for found in fairness for one in found.unfair} | {str(one): one for one in unlike}
    spread = difference.std
    return Comparison(
        metric=metric, cell=cell, arms=(first[0]["arm"], second[0]["arm"]),
        means=(float(np.mean(list(values[0].values()))), float(np.mean(list(values[1].values())))),
        runs=(tuple(a["run"] for a, _ in pairs), tuple(b["run"] for _, b in pairs)),
        difference=difference, p=None if difference.low is None else paired_p(values[0], values[1]), adjusted_p=None,
        images=images if metric == "test_top1" else None,
        smallest=None if not spread else smallest_difference(spread, difference.n),
        factors=tuple(dict.fromkeys(name for found in fairness for name in found.factors)),
        unfair=tuple(sorted(unfair.values(), key=tell_first)),
        untested=_why_untested(difference, len(one.keys() & two.keys())),
        left_out=tuple(f"{row['arm']} seed {row['seed']}" for row in (*first, *second) if not np.isfinite(row[metric])),
    )  # fmt: skip


def _distinct_seeds(one: Mapping[int, Row], two: Mapping[int, Row], metric: str) -> list[int]:
    """Return the common seeds; of those that one pair of measurements stands for, the first alone."""
    seeds = sorted(one.keys() & two.keys())
    if metric not in MEASURED_ONCE:
        return seeds
    firsts = {(one[seed]["measure_job"], two[seed]["measure_job"]): seed for seed in reversed(seeds)}
    return sorted(firsts.values())


def _why_untested(difference: Interval, common: int) -> str:
    if difference.low is not None:
        return ""
    if difference.n > 1:
        return NO_SPREAD
    return ONE_MEASUREMENT if common > 1 else ONE_SEED


def _surround(run: Row, metric: str) -> Surroundings:
    is_measured = metric in MEASURED_ONCE
    device = run["measure_device" if is_measured else "train_device"]
    settings = flatten(json.loads(run["settings"] or "{}"))
    code = run["measure_code" if is_measured else "code"]
    return Surroundings(settings, code, device if metric in SPEEDS else None, run["images"])


def _compare_test_images(home: Home, pairs: list[tuple[Row, Row]]) -> tuple[Images | None, tuple[Difference, ...]]:
    """Return the interval over images and seeds; nothing and the reason where the images are not the same."""
    jobs = sorted({row["final_job"] for pair in pairs for row in pair})
    found = {row["job"]: row for row in ask(home, "compare_images", jobs=jobs)}
    gains, p = [], None
    for one, two in pairs:
        a, b = found.get(one["final_job"]), found.get(two["final_job"])
        if a is None or b is None:
            return None, ()
        if a["samples"] != b["samples"] or a["labels"] != b["labels"]:
            return None, (_unlike_images(a, b),)
        gains.append(np.asarray(a["correct"], dtype=np.float64) - np.asarray(b["correct"], dtype=np.float64))
        p = compare_images(a["correct"], b["correct"], rounds=1).p
    if len({len(gain) for gain in gains}) > 1:  # seeds with splits of their own: no image is common to all
        return None, ()
    low, high = hierarchical_interval(np.stack(gains))
    return Images(low, high, len(gains[0]), p if len(gains) == 1 else None), ()


def _unlike_images(one: Row, two: Row) -> Difference:
    common = len(set(one["samples"]) & set(two["samples"]))
    sizes = [f"{len(row['samples'])} images" for row in (one, two)]
    return Difference("the test set", sizes[0], f"{sizes[1]}, of which {common} are common")


def ask(home: Home, query: str, **values: Any) -> list[dict[str, Any]]:
    """Return the rows of store/queries/<query>.sql. Raises QueryError when there are no results."""
    with _open_results(home) as db:
        cursor = db.execute((QUERIES / f"{query}.sql").read_text(), values)
        columns = [part[0] for part in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _open_results(home: Home) -> Any:
    try:
        return open_snapshot(home)
    except StoreError as error:
        raise QueryError(str(error), fix=error.fix) from error
