"""The command plan: what a spec would take, what is reused, what fits into a budget. Nothing here runs a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.base import (
    AsJson,
    HomeOption,
    Overlays,
    Overrides,
    SpecFile,
    Trust,
    allow_code,
    app,
    find_fresh,
    find_home,
    print_json,
    say,
)
from engine.errors import XpError
from engine.home.paths import Home
from store.amounts import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from engine.inspect.budget import Budget
    from engine.inspect.departure import Departure
    from engine.plan import Plan
    from engine.plan.estimate import Estimate
    from engine.plan.latency import Foretold
    from engine.spec import Spec
    from engine.spec.search import Search


@dataclass(frozen=True)
class Shown:
    """What a plan is asked beside its costs."""

    jobs: bool
    diff: bool
    budget: float | None
    only: tuple[str, ...]
    power: float | None


@app.command()
def plan(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="each job too, with its role, arm, seed and id")] = False,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="what fits into so much work, and what does not: 90s, 30m, 8h, 2d"),
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="what a submit would change of the experiment as it is registered")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ARM", help="these arms alone; repeatable")
    ] = None,
    as_json: AsJson = False,
    power: Annotated[
        float | None,
        typer.Option(metavar="POINTS", min=0.01, help="how many seeds a difference of so many points needs"),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(help="try how fast this machine is where nobody has, for some seconds", envvar="XP_CALIBRATE"),
    ] = True,
    latency: Annotated[
        bool, typer.Option("--latency", help="time what the networks' operators take here, and foretell their latency")
    ] = False,
    on_cpu: Annotated[bool, typer.Option("--cpu", help="as for submit --cpu: all on the CPU")] = False,
    trust: Trust = False,
    home: HomeOption = None,
) -> None:
    """What a spec takes, by arm and cell: runs, jobs, what is reused and from where, time, memory and disk to spend,
    and what the design can detect. Nothing is queued.

    `work` is the time of all jobs one after the other; the last line has the clock's, with all slots busy. Jobs that
    several arms need stand in a row of their own. Of a paper's file: what each of its experiments costs, and all
    together.
    """
    from engine.cli.submitting import read_budget
    from engine.load.paper_file import is_paper

    limit = None if budget is None else read_budget(budget, "xp plan SPEC --budget 8h")
    shown = Shown(jobs, diff, limit, tuple(only or ()), power)
    if is_paper(spec):
        if jobs or diff or only or budget:
            fix = "plan one of its specs: xp plan SPEC --diff"
            raise XpError("this is a paper, and --jobs, --diff, --only and --budget are of one spec", fix=fix)
        _plan_paper(spec, overrides or (), overlays or (), as_json, calibrate, on_cpu, home, trust=trust)
        return
    from engine.load import load_spec
    from engine.plan import make_plan
    from engine.plan.estimate import estimate_plan
    from engine.plan.latency import foretell
    from engine.plan.subset import choose_arms
    from store.queue import Queue

    # Before the home: a wrong spec leaves no empty one behind.
    loaded = load_spec(spec, overrides or (), overlays or (), tell=say)
    place = find_home(home, create=True)
    allow_code([loaded], place, trust=trust)
    made = choose_arms(make_plan(loaded, place, on_cpu=on_cpu), shown.only)
    with Queue.open_readonly(place.queue_db) as queue:
        estimate = estimate_plan(made, place, queue.job_states(), say if calibrate else None)
    foretold = foretell(made, place, say if latency else None)
    _say_warnings(made, estimate)
    fits = None if limit is None else _share_budget(loaded, place, shown, on_cpu=on_cpu)
    _show(place, made, estimate, foretold, shown, fits, as_json=as_json)


def _say_warnings(made: Plan, estimate: Estimate) -> None:
    from engine.inputs.gpus import least_memory
    from engine.launch.memory import memory_limit
    from engine.plan.cost.room import Room
    from engine.plan.estimate import tell_tight_jobs

    tight = tell_tight_jobs(estimate, Room(memory_limit(), least_memory()))
    for line in (*made.spec.doubts, *made.missing, *made.refused, *made.warnings, *tight):
        say(f"warning: {line}")


def _share_budget(spec: Spec, home: Home, shown: Shown, *, on_cpu: bool) -> Budget:
    """Choose among what is lacking with all results taken in, as `submit --fill` does."""
    from engine.analysis.lacking import find_lacking
    from engine.inspect.budget import share_budget

    return share_budget(find_lacking(spec, find_fresh(home.root), on_cpu=on_cpu), shown.budget or 0.0, shown.only)


def _show(
    home: Home, made: Plan, estimate: Estimate, foretold: list[Foretold], shown: Shown, fits: Budget | None,
    *, as_json: bool,
) -> None:  # fmt: skip
    from engine.inspect.departure import find_departure

    change = find_departure(made, estimate, home, shown.only) if shown.diff else None
    if as_json:
        print_json(_as_json(home, made, estimate, foretold, fits, change))
        return
    from engine.cli.plan_text import budget_table, departure_table, job_table, plan_table
    from engine.cli.render import output_console
    from engine.inspect.outlay import list_job_rows, sum_outlays

    parts: list[RenderableType] = [job_table(list_job_rows(made, estimate)), ""] if shown.jobs else []
    parts.append(
        plan_table(made, estimate, sum_outlays(made, estimate, home), _notes(home, made, estimate, foretold, shown))
    )
    parts += ["", departure_table(made.spec.name, change)] if change else []
    parts += ["", budget_table(fits)] if fits else []
    for part in parts:
        output_console().print(part)


def _notes(home: Home, made: Plan, estimate: Estimate, foretold: list[Foretold], shown: Shown) -> list[str]:
    from engine.analysis.foresight import detect_lines, foresee, power_lines, seed_seconds
    from engine.plan import count_passes
    from engine.plan.estimate import tell_crowding
    from engine.plan.latency import latency_lines

    passes, seen = count_passes(made), foresee(made, home)
    notes = [
        *made.notes,
        *search_lines(made.spec),
        *trial_cost_lines(made, {item.job.key: item.seconds for item in estimate.jobs}),
        *latency_lines(made, foretold),
        *tell_crowding([estimate]),
        *([str(passes)] if passes else []),
    ]
    # What some of the arms can show is no question that the spec asks.
    notes += [] if shown.only else detect_lines(seen)
    if shown.power is not None:
        cost = seed_seconds(made, {item.job.key: item.seconds for item in estimate.jobs})
        notes += power_lines(seen, shown.power, cost)
    return notes


def search_lines(spec: Spec) -> list[str]:
    """Return what the rows of searched arms stand for, and what is trained in their place."""
    search = spec.search
    if search is None:
        return []
    arms = [arm for arm in spec.arm_names if search.is_searched(arm)]
    lines = [
        f"searched: {', '.join(arms)}: up to {search.trials} trials of each are trained, of one seed, in place of "
        "what is written; the row of an arm is what it takes as it is written"
    ]
    if search.final is not None:
        seeds = len(search.final.seeds)
        who = "the best of each is" if _has_one_best(search) else "all on the front of each are"
        lines.append(f"then {who} trained anew on {counted(seeds, 'fresh seed')}, and tested")
    return lines


def trial_cost_lines(made: Plan, seconds: Mapping[str, float]) -> list[str]:
    """Return a line on the work of all trials, from the seconds of jobs."""
    from engine.inspect.progress_text import clock_text

    search = made.spec.search
    if search is None or made.is_provisional:
        return []
    work = sum(_searched_seconds(made, arm, seconds) for arm in made.spec.arm_names if search.is_searched(arm))
    what = "trials and the best trained anew" if _has_one_best(search) else "trials"
    line = f"all {what}: about {clock_text(work)} of work, if each takes as long as what is written"
    halved = search.fidelity
    return [line if halved is None else f"{line} for its epochs, and one in {halved.keep} goes on to the next rung"]


def _searched_seconds(made: Plan, arm: str, seconds: Mapping[str, float]) -> float:
    """Return the work of an arm's trials, and of its best trained anew where that is one."""
    from engine.plan.rungs import trial_epochs
    from engine.spec.cells import expand_cells

    search = made.spec.search
    assert search is not None, "a searched arm has a search"
    train = next(cell.settings.train for cell in expand_cells(made.spec) if cell.arm == arm)
    whole = train.epochs if search.fidelity is None else search.fidelity.epochs[-1]
    finals = len(search.final.seeds) if search.final is not None and _has_one_best(search) else 0
    runs = (trial_epochs(train, search) + finals * whole) / train.epochs
    return runs * _run_seconds(made, arm, seconds)


def _has_one_best(search: Search) -> bool:
    return search.final is not None and len(search.metrics) == 1


def _run_seconds(made: Plan, arm: str, seconds: Mapping[str, float]) -> float:
    """Return the mean work of a run of an arm, without what other runs share."""
    from engine.spec.job_kinds import shared_roles

    runs = [run for run in made.runs if run.arm == arm]
    own = [seconds[key] for run in runs for role, key in run.jobs.items() if role not in shared_roles()]
    return sum(own) / max(1, len(runs))


def _as_json(
    home: Home, made: Plan, estimate: Estimate, foretold: list[Foretold], fits: Budget | None,
    change: Departure | None,
) -> dict[str, Any]:  # fmt: skip
    from engine.inspect.outlay import sum_outlays
    from engine.plan.plan_json import plan_json

    told = plan_json(made, estimate, foretold) | {"arms": [row.as_json() for row in sum_outlays(made, estimate, home)]}
    told |= {"budget": fits.as_json()} if fits else {}
    return told | ({"diff": change.as_json()} if change else {})


def _plan_paper(
    file: Path, overrides: Sequence[str], overlays: Sequence[Path], as_json: bool, calibrate: bool, on_cpu: bool,
    home: Path | None, *, trust: bool,
) -> None:  # fmt: skip
    """Show what each experiment of a paper costs, and all together: a job that several share counts once."""
    from engine.load.paper_file import load_paper, load_specs
    from engine.plan import make_plan
    from engine.plan.estimate import estimate_plan, tell_crowding
    from engine.plan.paper import sum_paper
    from store.queue import Queue

    place = find_home(home, create=True)
    specs = load_specs(load_paper(file), overrides, overlays)
    allow_code(specs, place, trust=trust)
    plans = [make_plan(spec, place, on_cpu=on_cpu) for spec in specs]
    for line in dict.fromkeys(line for made in plans for line in (*made.spec.doubts, *made.missing, *made.refused)):
        say(f"warning: {line}")
    with Queue.open_readonly(place.queue_db) as queue:
        states = queue.job_states()
    estimates = [estimate_plan(made, place, states, say if calibrate else None) for made in plans]
    summed = sum_paper(list(zip(plans, estimates, strict=True)))
    if as_json:
        print_json(summed.as_json())
        return
    from engine.cli.plan_text import paper_table
    from engine.cli.render import output_console

    output_console().print(paper_table(summed, tell_crowding(estimates)))
