"""Two arms side by side: takes their names and a metric, gives paired statistics, or why they are not comparable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from engine.analysis.addresses import find_arm_runs
from engine.analysis.crossed import LEAST_SEEDS, agreeing_interval, crossed_interval
from engine.analysis.fairness import (
    UNSEARCHED,
    Fairness,
    Surroundings,
    judge_pair,
    mismatch_lines,
    refusal_text,
    tell_first,
)
from engine.analysis.held import how_it_ran
from engine.analysis.power import design_of
from engine.analysis.sentences import say
from engine.analysis.snapshot import Row, Snapshot, one_snapshot
from engine.analysis.speeds import NO_COMMON, NO_ROUNDS, ONE_NETWORK, SpeedRatio, compare_speeds
from engine.analysis.statistics import (
    Interval,
    compare_images,
    holm,
    p_of,
    paired_interval,
    paired_shares,
)  # fmt: skip
from engine.analysis.things import Mismatch
from engine.analysis.trainings import read_trainings, unknown_arms
from engine.errors import QueryError
from engine.home.paths import Home
from engine.spec.dotted import flatten_settings
from store.metrics import Metric, metric_of

ONE_SEED, ONE_MEASUREMENT, NO_SPREAD = say("one_seed"), say("one_measurement"), say("no_spread")
FEW_SEEDS = say("few_seeds", least=LEAST_SEEDS)
ONE_TRAINING = say("one_training")


@dataclass(frozen=True)
class Images:
    """The test images that two arms share: how many, and of one common seed McNemar's p over them."""

    n: int
    mcnemar: float | None


class _Told(NamedTuple):
    """What the store tells of a run's surroundings: settings and details as they are written, and the rest by name."""

    settings: str
    details: str
    rest: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Comparison:
    """first - second on one metric at one point of the matrix, in the metric's own unit.

    `difference` is paired over common seeds, and of test accuracy over seeds and test images together where there are
    enough; `p` is of the same error and degrees of freedom, `adjusted_p` after Holm over the table. `unfair` is what
    should have been held and was not, `notes` what else a reader must know; `smallest` the difference that is found
    with a power of 80 % at the level of a table of `tests` comparisons. `untested` says why there is no p, where the
    metric is one that differs from seed to seed; `left_out` names the runs whose value is not finite, `missing` those
    that have none, with their state; `unknown` the arms that may have been trained on the test images, where those are
    what is judged.
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
    unfair: tuple[Mismatch, ...]
    untested: str = ""
    left_out: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    tests: int = 1
    notes: tuple[str, ...] = ()
    speed: SpeedRatio | None = None
    """Of a speed: the ratio from rounds side by side, from which `difference` and p then come, not from the means."""

    @property
    def relative(self) -> float | None:
        """The change in per cent of the second arm's mean; None where that is 0."""
        return None if self.means[1] == 0 else 100 * self.difference.mean / abs(self.means[1])

    @property
    def is_exact(self) -> bool:
        """Whether it is the same for every seed; the pruned networks of seeds may be of unlike sizes."""
        return metric_of(self.metric).exact and not self.difference.std

    @property
    def is_hopeless(self) -> bool:
        """Whether no further seed lets the arms be told apart, as it is not seeds that are lacking."""
        return metric_of(self.metric).is_timed_apart or self.untested in (ONE_TRAINING, ONE_NETWORK, NO_COMMON)

    @property
    def is_share(self) -> bool:
        """Whether it is an accuracy: a fraction that readers see in per cent, and its differences in points."""
        return metric_of(self.metric).is_share


def compare_arms(
    results: Home | Snapshot, first: str, second: str, metric: str, *, anyway: bool = False
) -> list[Comparison]:
    """Compare `EXPERIMENT/ARM` with `EXPERIMENT/ARM`, once for each point of the matrix that both have.

    An arm that is searched means its best, trained anew. Raises QueryError for names that are not there, for trials,
    for arms without a common point or seed, and, unless `anyway`, for a comparison that is unfair, naming all that
    differs.
    """
    with one_snapshot(results) as snapshot:
        pairs = _pair_cells(snapshot, first, second, metric)
        cells = [_compare_cell(snapshot, *pair, metric_of(metric)) for pair in pairs]
    compared = [one for one in cells if one is not None]
    if not compared:
        fix = "wait for their runs, or give both arms the same seeds: xp status shows what is there"
        raise QueryError(f"{first} and {second} have no finished seed in common with a {metric}", fix=fix)
    unfair = {str(one): one for comparison in compared for one in comparison.unfair}
    if unfair and not anyway:
        table = "\n".join(mismatch_lines(list(unfair.values())))
        fix = refusal_text(list(unfair.values()))
        raise QueryError(f"{first} and {second} are not comparable:\n{table}", fix=fix)
    return with_holm(compared)


def with_holm(compared: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with p adjusted over all of them together, and what could be found at that level."""
    tested = [one for one in compared if one.p is not None]
    adjusted = dict(zip(map(id, tested), holm([one.p for one in tested if one.p is not None]), strict=True))
    return [_of_table(one, adjusted.get(id(one)), len(tested)) for one in compared]


def _of_table(one: Comparison, adjusted: float | None, tests: int) -> Comparison:
    design = None if one.p is None else design_of(one.difference, tests)
    smallest = None if design is None or not design.error else design.detectable()
    return replace(one, adjusted_p=adjusted, smallest=smallest, tests=max(tests, 1))


def _pair_cells(snapshot: Snapshot, first: str, second: str, metric: str) -> list[tuple[list[Row], list[Row], str]]:
    """Return the finished runs of both arms by common point; of one point each where no name is common."""
    one, two = (_runs_of(snapshot, name, metric) for name in (first, second))
    common = [cell for cell in one if cell in two]
    if not common and len(one) == len(two) == 1:
        return [(next(iter(one.values())), next(iter(two.values())), next(iter(one)))]
    if not common:
        points = f"{', '.join(one)} against {', '.join(two)}"
        fix = "compare arms of one experiment, or give both experiments the same matrix"
        raise QueryError(f"{first} and {second} have no point of the matrix in common: {points}", fix=fix)
    return [(one[cell], two[cell], cell) for cell in common]


def _runs_of(snapshot: Snapshot, name: str, metric: str) -> dict[str, list[Row]]:
    cells: dict[str, list[Row]] = {}
    for row in arm_runs(snapshot, name, metric):
        cells.setdefault(row["cell"], []).append(row)
    return cells


def arm_runs(snapshot: Snapshot, name: str, metric: str) -> list[Row]:
    """Return the runs of `EXPERIMENT/ARM`. Raises QueryError for an arm or a metric that is not there, and a trial."""
    found = find_arm_runs(snapshot, name, metric)
    if found.is_trial:
        what = f"{name} is a trial: it was trained to be chosen from, with one seed, and nothing is tested of trials"
        home = found.experiment.partition("/")[0]
        fix = f"compare what was chosen, trained anew, such as {home}/ARM-best; xp report {home} has all trials"
        raise QueryError(what, fix=fix)
    return found.runs


def _compare_cell(
    snapshot: Snapshot, first: list[Row], second: list[Row], cell: str, metric: Metric
) -> Comparison | None:
    name = metric.name
    missing = [f"{row['arm']} seed {row['seed']} ({row['state']})" for row in (*first, *second) if row[name] is None]
    first, second = ([row for row in rows if row[name] is not None] for rows in (first, second))
    one, two = ({row["seed"]: row for row in rows if np.isfinite(row[name])} for rows in (first, second))
    seeds = _distinct_seeds(one, two, metric)
    values = tuple({seed: float(side[seed][name]) for seed in seeds} for side in (one, two))
    over_seeds = (paired_shares if metric.is_share else paired_interval)(values[0], values[1])
    if over_seeds is None:
        return None
    pairs = [(one[seed], two[seed]) for seed in seeds]
    crossed, images, unlike = _compare_test_images(snapshot, pairs) if metric.images == "test" else (None, None, ())
    difference = agreeing_interval(crossed, over_seeds) if metric.is_of_predictions else over_seeds
    is_one = _is_one_training(pairs, metric)
    if is_one or metric.is_timed_apart:
        difference = Interval(difference.mean, None, None, None, difference.n)
    fairness = _judge_pairs(pairs, metric)
    unfair = {str(one): one for judged in fairness for one in judged.unfair} | {str(one): one for one in unlike}
    compared = Comparison(
        metric=name, cell=cell, arms=(first[0]["arm"], second[0]["arm"]),
        means=(float(np.mean(list(values[0].values()))), float(np.mean(list(values[1].values())))),
        runs=(tuple(a["run"] for a, _ in pairs), tuple(b["run"] for _, b in pairs)),
        difference=difference, p=p_of(difference), adjusted_p=None,
        images=images if metric.is_of_predictions else None,
        smallest=None,
        factors=tuple(dict.fromkeys(name for judged in fairness for name in judged.factors)),
        unfair=tuple(sorted(unfair.values(), key=tell_first)),
        untested=_why_untested(metric, difference, len(one.keys() & two.keys()), is_one=is_one),
        unknown=_unknown_arms(snapshot, first[0], second[0]) if metric.images == "test" else (),
        left_out=tuple(f"{row['arm']} seed {row['seed']}" for row in (*first, *second) if not np.isfinite(row[name])),
        missing=tuple(missing),
        notes=tuple(dict.fromkeys(note for judged in fairness for note in judged.notes)),
    )  # fmt: skip
    jobs = [[row["measure_job"] for row in side.values()] for side in (one, two)]
    return _compare_rounds(snapshot, compared, jobs) if metric.measured == "once" else compared


def _judge_pairs(pairs: Sequence[tuple[Row, Row]], metric: Metric) -> list[Fairness]:
    """Judge each pair of surroundings once: hundreds of seeds mostly differ in nothing but their seed."""
    told = dict.fromkeys((_told_of(a, metric), _told_of(b, metric)) for a, b in pairs)
    return [_judge_told(a, b, metric.name) for a, b in told]


@lru_cache(maxsize=256)
def _judge_told(one: _Told, other: _Told, metric: str) -> Fairness:
    """A report compares the same arms on a metric for its tables, its leaders and its claims."""
    return judge_pair(_surroundings(one), _surroundings(other), metric)


def _unknown_arms(snapshot: Snapshot, *runs: Row) -> tuple[str, ...]:
    sides = (unknown_arms(read_trainings(snapshot, run["experiment"], run["arm"]), run["cell"]) for run in runs)
    return tuple(dict.fromkeys(arm for side in sides for arm in side))


def _compare_rounds(snapshot: Snapshot, compared: Comparison, jobs: Sequence[Sequence[str]]) -> Comparison:
    """Put what rounds side by side say in the place of one measurement less another; else say why they say nothing."""
    found = compare_speeds(snapshot, jobs[0], jobs[1], metric_of(compared.metric))
    if found == NO_ROUNDS and all(len(set(side)) == len(side) for side in jobs):  # each seed has its own measurement
        return compared
    if isinstance(found, str):
        mean = Interval(compared.difference.mean, None, None, None, 1)
        why = found or compared.untested or ONE_MEASUREMENT
        return replace(compared, difference=mean, p=None, smallest=None, untested=why)
    base, (low, high) = compared.means[1], found.edges
    interval = Interval(base * (found.ratio - 1), None, base * (low - 1), base * (high - 1), found.n)
    return replace(compared, difference=interval, p=found.p_at(), smallest=None, untested="", speed=found)


def _distinct_seeds(one: Mapping[int, Row], two: Mapping[int, Row], metric: Metric) -> list[int]:
    """Return the common seeds; of those that one pair of measurements stands for, the first alone."""
    seeds = sorted(one.keys() & two.keys())
    if metric.measured == "per_seed":
        return seeds
    firsts = {(one[seed]["measure_job"], two[seed]["measure_job"]): seed for seed in reversed(seeds)}
    return sorted(firsts.values())


def _is_one_training(pairs: Sequence[tuple[Row, Row]], metric: Metric) -> bool:
    """Whether the same job made both networks of every pair: then nothing that the arms differ in was ever tried."""
    is_sampled = metric.measured == "per_seed" and not metric.exact
    return is_sampled and all(a["final_job"] is not None and a["final_job"] == b["final_job"] for a, b in pairs)


def _why_untested(metric: Metric, difference: Interval, common: int, *, is_one: bool) -> str:
    if is_one:
        return ONE_TRAINING
    if metric.is_timed_apart:
        return say("not_beside", metric=metric.name)
    if p_of(difference) is not None:
        return ""
    if difference.over == "images" and difference.n > 1:
        return FEW_SEEDS
    if difference.n > 1:
        return NO_SPREAD
    return ONE_MEASUREMENT if common > 1 else ONE_SEED


def _text_of(value: object) -> str | None:
    return None if value is None else str(value)


def surround(run: Row, metric: Metric) -> Surroundings:
    """Return the settings of a run as they were carried out, and the machine and code of the job behind `metric`."""
    return _surroundings(_told_of(run, metric))


def _surroundings(told: _Told) -> Surroundings:
    details = how_it_ran(json.loads(told.details))
    return Surroundings({**flatten_settings(json.loads(told.settings)), **details}, **dict(told.rest))


def _told_of(run: Row, metric: Metric) -> _Told:
    is_measured = metric.measured == "once"
    where = "measure" if is_measured else "train"
    rest = {
        "code": run["measure_code" if is_measured else "code"],
        "images": run["images"],
        "at_once": None if is_measured else run["at_once"],
        "infer_batch": _text_of(run.get("infer_batch_size")) if is_measured else None,
        "trials": run.get("trials") or UNSEARCHED,
        "drawn": tuple(run.get("drawn") or ()),
        **{name: run[f"{where}_{name}"] for name in ("device", "driver", "torch", "timm", "host")},
    }
    return _Told(run["settings"] or "{}", run[f"{where}_details"] or "{}", tuple(rest.items()))


def _compare_test_images(
    snapshot: Snapshot, pairs: list[tuple[Row, Row]]
) -> tuple[Interval | None, Images | None, tuple[Mismatch, ...]]:
    """Return the interval over images and seeds; nothing and the reason where the images are not the same."""
    answers = snapshot.ask_images(row["final_job"] for pair in pairs for row in pair)
    gains, p = [], None
    for one, two in pairs:
        a, b = answers.get(one["final_job"]), answers.get(two["final_job"])
        if a is None or b is None:
            return None, None, ()
        if a.images != b.images:
            return None, None, (_unlike_images(snapshot, one["final_job"], two["final_job"]),)
        gains.append(a.right.astype(np.float64) - b.right)
        p = compare_images(a.right.tolist(), b.right.tolist(), rounds=1).p if len(pairs) == 1 else None
    if len({len(gain) for gain in gains}) > 1:  # seeds with splits of their own: no image is common to all
        return None, None, ()
    table = np.stack(gains)
    interval = crossed_interval(table) if table.shape[1] > 1 else None
    return interval, Images(table.shape[1], p if len(gains) == 1 else None), ()


def _unlike_images(snapshot: Snapshot, one: str, two: str) -> Mismatch:
    names = {row["job"]: row["samples"] for row in snapshot.ask("compare_samples", jobs=[one, two])}
    common = len(set(names[one]) & set(names[two]))
    sizes = [f"{len(names[job])} images" for job in (one, two)]
    return Mismatch("the test set", sizes[0], f"{sizes[1]}, of which {common} are common", other_images=True)
