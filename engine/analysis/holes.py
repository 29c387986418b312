"""What an experiment lacks: takes its spec and results, gives the runs that would fill it, and why each is wanted.

A comparison is a claim, or without claims the change of an arm against the baseline. How many seeds would decide it
is of the power calculation (power.py) at the level that the verdict has now; where seeds decide nothing, it says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

from engine.analysis.claims import Judged, check_claims, threshold_of, wants_more
from engine.analysis.compare import Comparison, compare_arms, with_holm
from engine.analysis.crossed import LEAST_SEEDS
from engine.analysis.fairness import apart_text
from engine.analysis.power import ALPHA, design_of
from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot
from engine.errors import QueryError
from engine.plan.subset import Place
from engine.spec import Spec
from engine.spec.cells import expand_cells
from store.metrics import metric_of

DECIDES, TESTABLE, ASKED = 0, 1, 2
"""What runs do: decide a comparison with a power of 80 %; make a test possible; only fill what the spec asks for."""
METRIC = "test_top1"


@dataclass(frozen=True)
class Need:
    """Runs that are wanted together: `rank` is what they do, `what` names the comparison or the cell, `why` says why.

    Of a comparison `n` seeds are there and about `needed` would decide it. Without `places` no run helps.
    """

    rank: int
    what: str
    why: str
    places: tuple[Place, ...]
    n: int = 0
    needed: int | None = None

    @property
    def is_comparison(self) -> bool:
        return self.rank != ASKED


@dataclass(frozen=True)
class Standing:
    """Which runs are done, and which there are beyond the spec's seeds."""

    done: frozenset[Place]
    added: tuple[Place, ...] = ()


def find_needs(snapshot: Snapshot | None, spec: Spec, standing: Standing) -> list[Need]:
    """Return what would decide the undecided comparisons of an experiment, then what each cell lacks of its seeds."""
    open_ones = list(_open_comparisons(snapshot, spec, standing)) if snapshot is not None else []
    return open_ones + list(_empty_cells(spec, standing))


def _empty_cells(spec: Spec, standing: Standing) -> Iterator[Need]:
    for cell in expand_cells(spec):
        if spec.search is not None and spec.search.is_searched(cell.arm):  # the search itself sees to its trials
            continue
        extra = [seed for arm, point, seed in standing.added if (arm, point) == (cell.arm, cell.cell)]
        asked = [*spec.seeds, *(seed for seed in extra if seed not in spec.seeds)]
        places = [(cell.arm, cell.cell, seed) for seed in asked]
        lacking = tuple(place for place in places if place not in standing.done)
        if lacking:
            seeds = ", ".join(str(seed) for _, _, seed in lacking)
            why = say("lacks_seeds", seeds=seeds, there=len(places) - len(lacking), asked=len(places))
            yield Need(ASKED, f"{cell.arm} ({cell.cell})", why, lacking, len(places) - len(lacking), len(places))


def _open_comparisons(snapshot: Snapshot, spec: Spec, standing: Standing) -> Iterator[Need]:
    if not snapshot.ask("report_runs", name=spec.name):
        return
    for judged in check_claims(snapshot, spec.name, spec.judged_claims):
        if judged.verdict == "undecided" and judged.comparison is not None:
            yield need_of_claim(judged, judged.comparison, spec, standing)
    if not spec.claims:
        for one in _changes(snapshot, spec):
            if one.adjusted_p is None or one.adjusted_p >= ALPHA:
                yield need_of_change(one, spec, standing)


def _changes(snapshot: Snapshot, spec: Spec) -> list[Comparison]:
    arms = [spec.judged_arm(arm) for arm in spec.arm_names]
    base = spec.judged_baseline or arms[0]
    found: list[Comparison] = []
    for arm in (arm for arm in arms if arm != base):
        try:
            found += compare_arms(snapshot, f"{spec.name}/{arm}", f"{spec.name}/{base}", METRIC, anyway=True)
        except QueryError:  # no common seed yet: the cells say what they lack
            continue
    return with_holm(found)


def need_of_change(compared: Comparison, spec: Spec, standing: Standing) -> Need:
    """Return what would decide an arm's change against the baseline."""
    (arm, against), point = compared.arms, compared.cell
    about = say("open_change", arm=arm, against=against, point=point, metric=compared.metric)
    return _need_of(about, compared, compared.difference.mean, spec, standing)


def need_of_claim(judged: Judged, compared: Comparison, spec: Spec, standing: Standing) -> Need:
    """Return what would decide a claim."""
    claim = judged.claim
    words = {"arm": claim.arm, "against": claim.against, "point": compared.cell, "metric": claim.metric}
    about = say("open_claim", claim=claim.id, **words)
    if claim.expect == "not_worse" and not claim.margin and (compared.difference.mean > 0) != wants_more(claim):
        return Need(DECIDES, about, say("seeds_idle", why=judged.reason), (), compared.difference.n)
    return _need_of(about, compared, compared.difference.mean - threshold_of(claim), spec, standing)


def _need_of(about: str, compared: Comparison, gap: float, spec: Spec, standing: Standing) -> Need:
    n, idle = compared.difference.n, _why_idle(compared)
    if idle:
        return Need(DECIDES, about, say("seeds_idle", why=idle), (), n)
    if not {*compared.arms} <= {*spec.arm_names}:
        return Need(DECIDES, about, say("final_seeds", n=n), (), n)
    design = design_of(compared.difference, compared.tests)
    if design is None and n >= LEAST_SEEDS:
        places = _further_places(compared, 1, spec, standing)
        return Need(TESTABLE, about, say("shows_no_spread", n=n), places, n, n + 1)
    if design is None or n < LEAST_SEEDS:
        places = _further_places(compared, LEAST_SEEDS - n, spec, standing)
        return Need(TESTABLE, about, say("makes_testable", n=n, least=LEAST_SEEDS), places, n, LEAST_SEEDS)
    needed = design.seeds_needed(gap)
    if needed is None:
        return Need(DECIDES, about, say("seeds_idle", why=say("beyond_seeds", n=n)), (), n)
    needed = max(needed, n + 1)  # with that power it could have been decided, and was not
    places = _further_places(compared, needed - n, spec, standing)
    return Need(DECIDES, about, say("would_decide", n=n, needed=needed), places, n, needed)


def _why_idle(compared: Comparison) -> str:
    """Return why no number of seeds decides a comparison, "" where some may."""
    apart = apart_text(compared.unfair, compared.metric)
    if apart:
        return apart
    if compared.is_hopeless:
        return compared.untested
    is_of_rounds = compared.speed is not None or metric_of(compared.metric).measured == "once"
    return say("rounds_decide") if is_of_rounds else ""


def _further_places(compared: Comparison, more: int, spec: Spec, standing: Standing) -> tuple[Place, ...]:
    """Return the runs of both arms with `more` seeds that are not done in both: the spec's first, then further ones."""
    arms = compared.arms
    seeds = islice(_open_seeds(arms, compared.cell, spec, standing), max(more, 0))
    places = [(arm, compared.cell, seed) for seed in seeds for arm in arms]
    return tuple(place for place in places if place not in standing.done)


def _open_seeds(arms: Iterable[str], cell: str, spec: Spec, standing: Standing) -> Iterator[int]:
    added = sorted({seed for arm, point, seed in standing.added if arm in arms and point == cell})
    known = list(dict.fromkeys([*spec.seeds, *added]))
    is_open = [seed for seed in known if not all((arm, cell, seed) in standing.done for arm in arms)]
    yield from is_open
    # Not below the spec's: seeds are counted upwards by whoever writes them.
    yield from (seed for seed in count(max(known) + 1) if not all((arm, cell, seed) in standing.done for arm in arms))


def further_seeds(needs: Sequence[Need], spec: Spec, added: Collection[Place]) -> list[int]:
    """Return all seeds that a plan of these needs has: the spec's, and those beyond it."""
    beyond = {seed for need in needs for _, _, seed in need.places} | {seed for _, _, seed in added}
    return [*spec.seeds, *sorted(beyond - set(spec.seeds))]
