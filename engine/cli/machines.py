"""The commands about machines: slots, costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.cli.base import AsJson, HomeOption, app, find_home, print_json, say, tell, tell_table

if TYPE_CHECKING:
    from engine.inspect.costs import Cost
    from engine.inspect.slots import SlotView

NONE = "-"


@app.command()
def slots(as_json: AsJson = False, home: HomeOption = None) -> None:
    """The slots of this machine, or of the cluster by its pilots: node, GPU, what runs there since when, what is shut.

    Asks no cluster: it reads what pilots wrote and what the queue says. Of this machine's own CPU slots those are shown
    that have a job.
    """
    from engine.inspect.slots import list_slots

    view = list_slots(find_home(home))
    if as_json:
        print_json(view.as_json())
        return
    tell_table(("node", "slot", "state", "since", "what"), [row for slot in view.slots for row in _slot_rows(slot)])
    if view.coming:
        say(f"{view.coming} {'pilot was' if view.coming == 1 else 'pilots were'} asked for and did not begin yet")
    elif not view.slots:
        say("no pilot is there: the scheduler asks for some when jobs wait")


def _slot_rows(slot: SlotView) -> list[tuple[str, ...]]:
    """Return a row for each job of a slot, or one that says why there is none."""
    from engine.inspect.progress_text import clock_text

    place = (slot.node, f"GPU {slot.name}" if slot.device == "GPU" else slot.name, slot.state)
    jobs = [
        (*place, clock_text(max(0.0, time.time() - job.since)), f"{job.experiment}: {job.title} ({job.job})")
        for job in slot.jobs
    ]
    again = f"; `xp retry {slot.slot}` gives it another try" if slot.state == "shut out" else ""
    told = [(*place, NONE, f"{slot.reason}{again}")] if slot.reason else []
    return [*jobs, *told] or [(*place, NONE, NONE)]


@app.command()
def costs(as_json: AsJson = False, home: HomeOption = None) -> None:
    """What all attempts have cost so far: GPU-hours and CPU-hours by experiment and by user.

    A share of a GPU counts as that share; a job on a CPU slot as the cores that it asked for. What several experiments
    use stands in the row (shared). The user is who made the newest submission. What was removed is not counted.
    """
    from engine.inspect.costs import sum_costs

    found = sum_costs(find_home(home))
    if as_json:
        print_json(found.as_json())
        return
    if not found.users:
        say("nothing has run here yet")
        return
    heads = ("experiment", "user", "GPU-hours", "CPU-hours", "attempts", "shared GPU-hours", "shared CPU-hours")
    rows = [(*_cost_cells(row), *_hours(row.shared_gpu_hours, row.shared_cpu_hours)) for row in found.experiments]
    tell_table(heads, [*rows, _together(found.experiments)])
    tell("")
    tell_table(("user", "GPU-hours", "CPU-hours", "attempts"), [_cost_cells(row)[1:] for row in found.users])


def _cost_cells(row: Cost) -> tuple[str, ...]:
    return (row.name, row.user or NONE, *_hours(row.gpu_hours, row.cpu_hours), f"{row.attempts:,}")


def _hours(*hours: float) -> tuple[str, ...]:
    from engine.cli.plan_text import hours_text

    return tuple(hours_text(one) if one else NONE for one in hours)


def _together(rows: Sequence[Cost]) -> tuple[str, ...]:
    hours = _hours(sum(row.gpu_hours for row in rows), sum(row.cpu_hours for row in rows))
    return ("together", "", *hours, f"{sum(row.attempts for row in rows):,}", "", "")
