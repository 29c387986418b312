"""Which runs to do next: takes a spec and a home, gives what is lacking with its cost, and an order within a budget.

Cheapest certainty first: of what decides a comparison the cheapest, then of what makes one testable, then the empty
cells of the spec, run by run. A cost counts only what is not done and not chosen already, so that arms in several
comparisons are paid once. Seeds beyond the spec's are runs of the experiment like all others, and its record names
them: who added them has seen results first, and says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from engine.analysis.holes import ASKED, Need, Standing, find_needs, further_seeds
from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import XpError
from engine.home.paths import Home
from engine.home.records import read_record
from engine.inputs.gpus import list_gpus
from engine.launch import CPU_SLOT
from engine.plan import Plan, make_plan
from engine.plan.estimate import Estimate, JobEstimate, estimate_plan
from engine.plan.subset import Place, keep_runs, needed_jobs, place_of
from engine.schedule.policy import on_gpu, read_demand
from engine.schedule.submit import Filling
from engine.spec import Spec
from store.queue import Queue

MOST_FURTHER = 20
"""Seeds beyond those that are there, for one comparison, that are queued without a budget."""
ON_THE_WAY = ("queued", "blocked", "running")


@dataclass(frozen=True)
class Price:
    """What is to be spent: seconds of work (all jobs one after the other), those on a GPU in hours, bytes of disk."""

    seconds: float = 0.0
    gpu_hours: float = 0.0
    bytes: int = 0
    jobs: int = 0

    def __str__(self) -> str:
        time = f"{self.seconds / 3600:.1f} h" if self.seconds >= 3600 else f"{self.seconds / 60:.1f} min"
        gpu = f", {self.gpu_hours:.2g} GPU hours" if self.gpu_hours else ""
        return say("price", jobs=self.jobs, time=time, gpu=gpu, size=f"{self.bytes / 1e6:.3g}")

    def as_json(self) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds, 1), "gpu_hours": round(self.gpu_hours, 4), "bytes": self.bytes,
            "jobs": self.jobs,
        }  # fmt: skip


@dataclass(frozen=True)
class Lacking:
    """An experiment's needs, the plan that has all their runs, and what its jobs cost."""

    spec: Spec
    plan: Plan
    estimate: Estimate
    needs: tuple[Need, ...]
    standing: Standing
    states: Mapping[str, str]

    def jobs_of(self, places: Collection[Place]) -> set[str]:
        return needed_jobs(self.plan, [run for run in self.plan.runs if place_of(run) in places])

    def price(self, jobs: Collection[str]) -> Price:
        """Return what those of these jobs cost that are not done."""
        left = [item for item in self.estimate.jobs if item.job.key in jobs and not item.is_reused]
        slots = list_gpus() or [CPU_SLOT]
        return Price(
            sum(item.seconds for item in left), sum(_gpu_hours(item, slots) for item in left),
            sum(item.job.bytes for item in left), len(left),
        )  # fmt: skip

    @property
    def total(self) -> Price:
        return self.price({key for need in self.needs for key in self.jobs_of(need.places)})


def _gpu_hours(item: JobEstimate, slots: Sequence[str]) -> float:
    demand = read_demand(item.job.kind, item.job.details.model_dump(mode="json"))
    return item.seconds * demand.gpu / 3600 if on_gpu(demand, slots) else 0.0


def find_lacking(spec: Spec, home: Home, *, on_cpu: bool = False) -> Lacking:
    """Return what `spec` lacks in this home; where nothing was published yet, only its own runs count.

    Raises DataError when the data is there and cannot be used.
    """
    with Queue.open_readonly(home.queue_db) as queue:
        states = queue.job_states()
    if not home.results_db.exists():
        return _find_lacking(spec, home, states, None, on_cpu)
    with one_snapshot(home) as snapshot:
        return _find_lacking(spec, home, states, snapshot, on_cpu)


def _find_lacking(spec: Spec, home: Home, states: Mapping[str, str], results: Snapshot | None, on_cpu: bool) -> Lacking:
    added = recorded_seeds(home, spec)
    own = _plan_seeds(spec, home, [*spec.seeds, *sorted({seed for _, _, seed in added} - {*spec.seeds})], on_cpu)
    done = {place_of(run) for run in own.runs if _is_done(home, own, run.jobs.values())}
    standing = Standing(frozenset(done), added)
    needs = find_needs(results, spec, standing)
    plan = _plan_seeds(spec, home, further_seeds(needs, spec, added), on_cpu)
    return Lacking(spec, plan, estimate_plan(plan, home, states), tuple(needs), standing, states)


def _plan_seeds(spec: Spec, home: Home, seeds: list[int], on_cpu: bool) -> Plan:
    """Plan further seeds too; the plan is of the spec all the same, which a record holds as it was written."""
    wider = spec if seeds == spec.seeds else spec.model_copy(update={"seeds": seeds})
    return replace(make_plan(wider, home, on_cpu=on_cpu), spec=spec)


def _is_done(home: Home, plan: Plan, keys: Iterable[str]) -> bool:
    ids = {job.key: job.job for job in plan.jobs}
    return all((job := ids[key]) is not None and home.job(job).result.exists() for key in keys)


def recorded_seeds(home: Home, spec: Spec) -> tuple[Place, ...]:
    """Return the runs beyond the spec's seeds that the newest submission has, where its arms and cells are still so."""
    records = home.records(spec.name)
    told = read_record(records[-1]).get("added", ()) if records else ()
    return tuple((str(arm), str(cell), int(seed)) for arm, cell, seed in told if seed not in spec.seeds)


def recorded_lacking(home: Home, name: str) -> Lacking | str:
    """Return what an experiment lacks by its newest submission, or why that cannot be told on this machine."""
    try:
        written = read_record(home.records(name)[-1])["spec"]
        # What it extends is in it already.
        spec = Spec.model_validate({key: value for key, value in written.items() if key != "extends"})
        return find_lacking(spec, home)
    except ValidationError as error:
        why = f"its submission holds no spec that this xp reads: {error.errors()[0]['msg']}"
    except XpError as error:
        why = error.what
    return say("cost_unknown", name=name, why=why)


# What is queued -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fill:
    """What `submit --fill` does: the plan of all runs of the record, how its jobs are queued, what is told of it."""

    plan: Plan
    filling: Filling
    chosen: tuple[tuple[Need, Price], ...]
    left: tuple[tuple[Need, Price, str], ...]
    on_the_way: Price
    """What was queued before and is not done: it counts against the budget."""


def choose_fill(lacking: Lacking, budget: float | None) -> Fill:
    """Return the needs to fill, cheapest certainty first, whose work fits into `budget` seconds; None: no limit."""
    on_the_way = {item.job.key for item in lacking.estimate.jobs if item.state in ON_THE_WAY}
    taken, spent = set(on_the_way), lacking.price(on_the_way).seconds
    order: list[str] = [item.job.key for item in lacking.estimate.jobs if item.job.key in on_the_way]
    chosen: list[tuple[Need, Price]] = []
    waiting, left = _split_needs(lacking, has_budget=budget is not None)
    while waiting:
        priced = [(need, lacking.jobs_of(need.places) - taken) for need in waiting]
        priced.sort(key=lambda pair: (pair[0].rank, lacking.price(pair[1]).seconds))
        fitting = [pair for pair in priced if budget is None or spent + lacking.price(pair[1]).seconds <= budget]
        if not fitting:
            left += [(need, lacking.price(jobs), say("over_budget")) for need, jobs in priced]
            break
        need, jobs = fitting[0]
        price = lacking.price(jobs)
        waiting.remove(need)
        chosen.append((need, price))
        order += [item.job.key for item in lacking.estimate.jobs if item.job.key in jobs]
        taken, spent = taken | jobs, spent + price.seconds
    return _make_fill(lacking, chosen, left, order, taken, on_the_way)


Left = list[tuple[Need, Price, str]]


def _split_needs(lacking: Lacking, *, has_budget: bool) -> tuple[list[Need], Left]:
    """Return the needs to choose from, cells run by run, and those that are out of the question with the reason."""
    waiting: list[Need] = []
    left: Left = []
    for need in lacking.needs:
        if not need.places:
            left.append((need, Price(), ""))
        elif need.is_comparison and not has_budget and (need.needed or 0) - need.n > MOST_FURTHER:
            left.append((need, lacking.price(lacking.jobs_of(need.places)), say("many_seeds", most=MOST_FURTHER)))
        elif need.rank == ASKED:
            waiting += [_need_run(place) for place in need.places]
        else:
            waiting.append(need)
    return waiting, left


def _need_run(place: Place) -> Need:
    arm, cell, seed = place
    return Need(ASKED, say("one_run", arm=arm, point=cell, seed=seed), say("asked_for"), (place,))


def _make_fill(
    lacking: Lacking,
    chosen: list[tuple[Need, Price]],
    left: Left,
    order: list[str],
    taken: set[str],
    on_the_way: set[str],
) -> Fill:
    """The record has all runs of the spec, those that were added before, and those that are chosen now."""
    own = {place_of(run) for run in lacking.plan.runs if run.seed in lacking.spec.seeds}
    beyond = {place for need, _ in chosen for place in need.places} | {*lacking.standing.added}
    added = tuple(sorted(beyond - own))
    plan = keep_runs(lacking.plan, own | set(added))
    done = {item.job.key for item in lacking.estimate.jobs if item.is_reused}
    held = frozenset(job.key for job in plan.jobs if job.key not in taken | done)
    filling = Filling(tuple(dict.fromkeys(order)), held, added)
    return Fill(plan, filling, tuple(chosen), tuple(left), lacking.price(on_the_way))


# What is told ---------------------------------------------------------------------------------------------------------


def lacking_lines(lacking: Lacking) -> list[str]:
    """Return a line for each need with what filling it costs, and what all of them cost together."""
    lines = [_need_line(need, lacking.price(lacking.jobs_of(need.places))) for need in lacking.needs]
    return [*lines, say("in_all", price=lacking.total)] if lacking.needs else []


def _need_line(need: Need, price: Price) -> str:
    told = f"{need.what}: {need.why}"
    return f"{told}: {price}" if need.places else told


def lacking_json(lacking: Lacking) -> dict[str, Any]:
    """Return the same for programs."""
    needs = [
        {
            "what": need.what, "why": need.why, "comparison": need.is_comparison, "n": need.n, "needed": need.needed,
            "runs": [{"arm": arm, "cell": cell, "seed": seed} for arm, cell, seed in need.places],
            **lacking.price(lacking.jobs_of(need.places)).as_json(),
        }
        for need in lacking.needs
    ]  # fmt: skip
    return {"needs": needs, "total": lacking.total.as_json()}


def fill_lines(fill: Fill) -> list[str]:
    """Return what is queued in its order, what is left and why, and what further seeds mean."""
    before = [say("fill_under_way", price=fill.on_the_way)] if fill.on_the_way.jobs else []
    lines = [say("fill_queues", what=need.what, why=need.why, price=price) for need, price in fill.chosen if price.jobs]
    lines += [say("fill_leaves", what=need.what, why=why or need.why, price=price) for need, price, why in fill.left]
    return [*before, *lines, *([say("added_seeds", count=len(fill.filling.added))] if fill.filling.added else [])]
