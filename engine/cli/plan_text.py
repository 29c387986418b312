"""How a plan looks: takes plans, costs by arm, budgets and departures, gives tables that fit 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.analysis.lacking import Price
from engine.cli.render import PLAIN, split_cells
from engine.inspect.budget import Budget, BudgetRow
from engine.inspect.departure import ArmChange, Departure
from engine.inspect.outlay import JobRow, Outlay, total_outlay
from engine.inspect.progress_text import clock_text, size_text
from engine.plan import Plan
from engine.plan.estimate import Estimate
from engine.plan.paper import PaperCost
from store.amounts import counted

SHARED = "(shared)"
LEAST_HOURS = 0.01  # below, only that it is less is told
MOST_NAMED = 2  # arms that a job's row names
NONE = "-"


def plan_table(plan: Plan, estimate: Estimate, rows: Sequence[Outlay], notes: Sequence[str] = ()) -> RenderableType:
    """A row for each arm at each cell, their sum, then what it takes in all and `notes`, a line each."""
    left = sum(not item.is_reused for item in estimate.jobs)
    total = f"{len(plan.runs)} runs, {len(plan.jobs)} jobs, {left} to do"
    total = total if plan.spec.search is None else f"as written, without trials: {total}"
    lines = (f"{total}: {_plan_cost(plan, estimate)}", *notes)
    return Group(outlay_table(rows), *(Text(line) for line in lines))


def outlay_table(rows: Sequence[Outlay]) -> Table:
    axes, points = split_cells([row.cell for row in rows])
    whole = total_outlay(rows)
    on_gpu, origins = whole.gpu_hours > 0, bool(whole.origins)
    heads = ["arm", *([axes] if axes else []), "runs", "jobs", "reused", *(["from"] if origins else []), "work",
             "GPU h" if on_gpu else "CPU h", "disk", "memory"]  # fmt: skip
    table = _table(heads, left=("arm", axes, "from"), gap=1 if axes or origins else 2)
    names = [row.arm or SHARED for row in rows]
    for name, point, row in zip([*names, "total"], [*points, ""], [*rows, whole], strict=True):
        hours = row.gpu_hours if on_gpu else row.cpu_hours
        cells = [name, *([point] if axes else []), _count(row.runs), str(row.jobs),
                 _count(row.reused), *([", ".join(row.origins) or NONE] if origins else []),
                 *_costs(row.seconds, hours, row.bytes), size_text(row.memory) if row.memory else NONE]  # fmt: skip
        table.add_row(*cells, style="bold" if row is whole else "")
    return table


def _table(heads: Sequence[str], left: Sequence[str], gap: int = 2) -> Table:
    """A table of which only the named columns may be broken: numbers stand whole."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    for head in heads:
        is_text = head in left
        table.add_column(head, justify="left" if is_text else "right", no_wrap=not is_text, overflow="fold")
    return table


def _count(number: int) -> str:
    return str(number) if number else NONE


def _costs(seconds: float | None, hours: float, size: int) -> tuple[str, str, str]:
    if seconds is None:
        return "?", "?", "?"
    if not seconds:
        return NONE, NONE, NONE
    return clock_text(seconds), hours_text(hours), size_text(size)


def hours_text(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}"
    return f"{hours:.2f}" if hours >= LEAST_HOURS else f"<{LEAST_HOURS}"


def _plan_cost(plan: Plan, estimate: Estimate) -> str:
    """Nothing is known of a plan's cost before its images are."""
    reasons = dict.fromkeys(job.reason for job in plan.jobs if job.reason)
    if reasons:
        return f"time and disk are not known yet, for {'; '.join(reasons)}"
    return f"about {clock_text(estimate.seconds)}, {size_text(estimate.bytes)} of disk"


def job_table(rows: Sequence[JobRow]) -> Table:
    """A row for each job with what it is to whom; jobs that have no id yet may give equal rows, which are counted."""
    has_cells = any(cell != PLAIN for row in rows for cell in row.cells)
    heads = ["role", "arm", *(["cell"] if has_cells else []), "seed", "state", "seconds", "memory", "job"]
    table = _table(heads, left=("role", "arm", "cell"))
    for cells, number in Counter(_job_cells(row, has_cells=has_cells) for row in rows).items():
        table.add_row(*cells[:-1], f"{cells[-1]} ({number} jobs)" if number > 1 else cells[-1])
    return table


def _job_cells(row: JobRow, *, has_cells: bool) -> tuple[str, ...]:
    item, job = row.item, row.item.job
    seconds = NONE if item.is_reused else f"{item.seconds:.1f}" if job.job else "?"
    cells = (_some(row.cells, "cells"),) if has_cells else ()
    memory = size_text(row.memory) if row.memory else NONE
    state = item.state if job.job else "provisional"
    seeds = _some([str(seed) for seed in row.seeds], "seeds")
    return row.role, _some(row.arms, "arms"), *cells, seeds, state, seconds, memory, job.job or NONE


def _some(names: Sequence[str], what: str) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} {what}"


def budget_table(budget: Budget) -> RenderableType:
    """What fits, in its order, and what does not."""
    spent = budget.under_way.seconds + sum(row.price.seconds for row in budget.fits)
    head = f"in {clock_text(budget.seconds)} of work, as `xp submit SPEC --fill --budget` queues it:"
    if budget.under_way.jobs:
        head += f" after {_work_text(budget.under_way)} that is under way"
    tail = f"{clock_text(spent)} of {clock_text(budget.seconds)} are spent"
    fits: list[RenderableType] = [_budget_rows(budget.fits)] if budget.fits else [Text("  nothing more fits")]
    left: list[RenderableType] = [Text("what does not fit, or no run helps:"), _budget_rows(budget.left)]
    return Group(Text(head), *fits, Text(tail), *(left if budget.left else []))


def _work_text(price: Price) -> str:
    return f"{counted(price.jobs, 'job')}, {clock_text(price.seconds)} of work"


def _budget_rows(rows: Iterable[BudgetRow]) -> Table:
    table = _table(("", "which seeds", "jobs", "work", "GPU h", "disk", "why"), left=("", "why"))
    for row in rows:
        price = row.price
        gpu = hours_text(price.gpu_hours) if price.gpu_hours else NONE
        costs = (_count(price.jobs), clock_text(price.seconds), gpu, size_text(price.bytes))
        table.add_row(row.what, _seeds_text(row.seeds), *costs, row.why)
    return table


def _seeds_text(seeds: Sequence[int]) -> str:
    if len(seeds) > 2 and list(seeds) == [*range(seeds[0], seeds[-1] + 1)]:
        return f"{seeds[0]}-{seeds[-1]}"
    return ", ".join(map(str, seeds[:5])) + (f" +{len(seeds) - 5}" if len(seeds) > 5 else "") or NONE


def departure_table(name: str, found: Departure) -> RenderableType:
    """What a submit would change of what is registered, arm by arm, and which settings that are."""
    if found.submission is None:
        return Text(f"nothing is registered as {name} here: all of it is new")
    if found.is_same:
        return Text(f"the same runs as submission {found.submission} of {name}: a submit would change none")
    table = _table(("arm", "kept", "changed", "new", "dropped", "work"), left=("arm",))
    for arm in found.arms:
        table.add_row(*_change_cells(arm))
    settings = [Text(f"  {line}") for line in found.settings]
    dropped = any(arm.dropped or arm.changed for arm in found.arms)
    after = [Text("dropped and changed runs leave the results; their jobs stay until `xp gc`")] if dropped else []
    return Group(Text(f"against submission {found.submission} of {name}:"), table, *settings, *after)


def _change_cells(arm: ArmChange) -> Iterator[str]:
    yield arm.arm
    yield from (_count(number) for number in (arm.kept, arm.changed, arm.new, arm.dropped))
    yield clock_text(arm.seconds) if arm.seconds else NONE


def paper_table(cost: PaperCost, notes: Sequence[str] = ()) -> RenderableType:
    """The experiments of a paper with what each adds; then the sum and `notes`, a line each."""
    table = _table(("experiment", "runs", "jobs", "to do", "time", "disk"), left=("experiment",))
    for one in cost.experiments:
        spent = "?" if one.seconds is None else clock_text(one.seconds)
        table.add_row(one.name, str(one.runs), str(one.jobs), str(one.left), spent, size_text(one.bytes))
    spent = "a time that is not known yet" if cost.seconds is None else f"about {clock_text(cost.seconds)}"
    runs, left = sum(one.runs for one in cost.experiments), sum(one.left for one in cost.experiments)
    total = (
        f"{len(cost.experiments)} experiments, {runs} runs, {left} jobs to do: {spent}, {size_text(cost.bytes)} of disk"
    )
    return Group(table, *(Text(line) for line in (total, *notes)))
