"""What an experiment lacks and what that costs: takes a spec and a home, gives its needs, priced.

A cost counts only what is not done. Seeds beyond the spec's are runs of the experiment like all others; its record
names them (`added`), and whoever added them had seen results.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from engine.analysis.holes import Need, Standing, find_needs, further_seeds
from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import XpError
from engine.home.paths import Home
from engine.home.records import read_record
from engine.inputs.gpus import list_gpus
from engine.launch import CPU_SLOT
from engine.plan import Plan, make_plan
from engine.plan.estimate import Estimate, estimate_plan
from engine.plan.subset import Place, needed_jobs, place_of
from engine.schedule.placing import on_gpu, read_demand
from engine.spec import Spec
from store.queue import Queue


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

    @cached_property
    def _prices(self) -> Mapping[str, Price]:
        return price_jobs(self.estimate)

    @cached_property
    def _jobs_by_place(self) -> Mapping[Place, set[str]]:
        jobs = {job.key: job for job in self.plan.jobs}
        return {place_of(run): needed_jobs(jobs, [run]) for run in self.plan.runs}

    def jobs_of(self, places: Collection[Place]) -> set[str]:
        """Return the jobs of runs, with all that these need."""
        return {key for place in places for key in self._jobs_by_place[place]}

    def price(self, jobs: Iterable[str]) -> Price:
        """Return what those of these jobs cost that are not done, in whatever order they come."""
        left = [self._prices[key] for key in jobs if key in self._prices]
        return Price(
            math.fsum(one.seconds for one in left), math.fsum(one.gpu_hours for one in left),
            sum(one.bytes for one in left), len(left),
        )  # fmt: skip

    def position(self, key: str) -> int:
        """Return where a job stands in the plan, each after its needs."""
        return self._positions[key]

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {job.key: at for at, job in enumerate(self.plan.jobs)}

    def price_of(self, need: Need) -> Price:
        return self.price(self.jobs_of(need.places))

    @property
    def total(self) -> Price:
        return self.price({key for need in self.needs for key in self.jobs_of(need.places)})


def price_jobs(estimate: Estimate) -> dict[str, Price]:
    """Return what each job that is not done costs, by its key."""
    slots, prices = list_gpus() or [CPU_SLOT], dict[str, Price]()
    for item in estimate.jobs:
        demand = read_demand(item.job.kind, item.job.details.model_dump(mode="json"))
        gpus = demand.gpu if on_gpu(demand, slots) else 0.0
        if not item.is_reused:
            prices[item.job.key] = Price(item.seconds, item.seconds * gpus / 3600, item.bytes, 1)
    return prices


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
    return Lacking(spec, plan, estimate_plan(plan, home, states), tuple(needs), standing)


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
        why = say("no_spec", why=error.errors()[0]["msg"])
    except XpError as error:
        why = error.what
    return say("cost_unknown", name=name, why=why)


def lacking_lines(lacking: Lacking) -> list[str]:
    """Return a line for each need with what filling it costs, and what all of them cost together."""
    lines = [_need_line(need, lacking.price_of(need)) for need in lacking.needs]
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
            **lacking.price_of(need).as_json(),
        }
        for need in lacking.needs
    ]  # fmt: skip
    return {"needs": needs, "total": lacking.total.as_json()}
