"""Planning: takes a Spec, gives its runs and the jobs they need, linked teacher -> targets -> student -> prune.

A job that several runs need is one job: its id is made from what changes its result and from the ids of its needs, so
a teacher without a student's seed in it is trained once for all seeds. Nothing here is written or started.

    draft          jobs, runs, the plan while it grows
    network_jobs   a network's training, pruning, measuring, explaining
    teacher        who teaches, and what trains them
    teacher_run    a teacher that is another run's network
    distill        targets, assistants, what a learner reads
    target_mode    cached or in the step
    passes         what sharing and caching save
    weights_check  what is wrong with weights before they are loaded
    missing        data, weights and variables that are not here
    estimate       what is left to do, its seconds and bytes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.home.paths import Home, open_home
from engine.inputs.content import resolve_root
from engine.inputs.quotas import check_quotas, split_quotas
from engine.plan.distill import plan_teaching
from engine.plan.draft import Cost, Draft, Job, Plan, PlanContext, Run
from engine.plan.network_jobs import TeachingPlan, plan_explain, plan_measure, plan_prune, plan_training
from engine.plan.passes import Passes, count_passes
from engine.plan.target_mode import decide_targets
from engine.plan.weights_check import check_files
from engine.spec import Spec
from engine.spec.cells import Cell, expand_cells
from engine.spec.identity import counted_settings, make_id

__all__ = ["Job", "Passes", "Plan", "Run", "count_passes", "make_plan"]

PACK_FIELDS = ("source", "short_side", "format", "broken", "classes")
PIXEL_BYTES = {"raw": 3.0, "jpeg": 0.46}  # of a packed photograph: 29.8 KB at 256 x 256 in JPEG


def make_plan(spec: Spec, home: Home | None = None) -> Plan:
    """Return the runs and jobs of `spec`. Reads the images named (digests are kept in the cache), writes no job.

    Jobs are provisional (`job` None, with a reason) where data, weights or a variable are absent. Raises DataError
    when the data is there and cannot be used.
    """
    draft = Draft(home or open_home(create=True))
    runs = _plan_runs(spec, draft)
    while draft.undecided:
        choices = {**draft.choices, **decide_targets(draft)}
        draft = Draft(draft.home, contents=draft.contents, missing=draft.missing, choices=choices)
        runs = _plan_runs(spec, draft)
    notes = (choice.why for choice in draft.choices.values())
    return Plan(spec, runs, tuple(draft.jobs.values()), tuple(draft.missing), tuple(dict.fromkeys(notes)))


def _plan_runs(spec: Spec, draft: Draft) -> tuple[Run, ...]:
    return tuple(run for cell in expand_cells(spec) for run in _plan_cell(spec, cell, draft))


def _plan_cell(spec: Spec, cell: Cell, draft: Draft) -> list[Run]:
    """Plan a cell's runs; what no seed changes is worked out once."""
    settings = cell.settings
    contexts = [PlanContext(settings, seed, draft.content(settings.data), draft) for seed in spec.seeds]
    _check_split(contexts[0])
    check_files(contexts[0])
    pack, counted = _plan_pack(contexts[0]), counted_settings(settings)
    return [_plan_run(spec.name, cell, context, pack, counted) for context in contexts]


def _plan_run(name: str, cell: Cell, context: PlanContext, pack: str, counted: Mapping[str, Any]) -> Run:
    settings, seed = context.settings, context.seed
    jobs = {"pack": pack}
    teaching: TeachingPlan | None = None
    if settings.is_taught and settings.teacher is not None:
        roles, teaching = plan_teaching(context, settings.teacher, pack)
        jobs |= roles
    jobs["student"] = plan_training(context, settings, seed, pack, teaching)
    if settings.is_pruned:
        jobs["prune"] = plan_prune(context, jobs, teaching)
    jobs["measure"] = plan_measure(context, jobs)
    jobs["explain"] = plan_explain(context, jobs)
    run = make_id("run", [name, cell.arm, cell.cell, seed, sorted(jobs.items())])
    return Run(run, cell.arm, cell.cell, seed, settings.data.split, counted, jobs)


def _check_split(context: PlanContext) -> None:
    """Refuse a split that leaves a part of a class empty, before anything is packed or trained."""
    data, content = context.settings.data, context.content
    if content is None:
        return
    for row, (name, count) in enumerate(zip(content.class_names, content.counts, strict=True)):
        held = content.held[row] if content.held else None
        check_quotas(
            split_quotas(count, data.split, nested=data.nested, held=held), name, count - (held or 0), data.split
        )


def _plan_pack(context: PlanContext) -> str:
    """The pack is made on the host's processors, and asks for no GPU."""
    data, content = context.settings.data, context.content
    counted = counted_settings(data)
    settings = {
        "data": {name: counted[name] for name in PACK_FIELDS},
        "digest": content.digest if content else f"absent: {data.root}",
    }
    if content is None:
        return context.draft.add("pack", {}, settings, Cost(reason="the images are not on this machine"))
    root = str(resolve_root(data.root)) if data.has_root else None
    size = int(content.count * data.short_side**2 * PIXEL_BYTES[data.format])
    resources = context.settings.resources.model_copy(update={"gpus": 0}).model_dump()
    details = {"root": root, "resources": resources}
    return context.draft.add("pack", {}, settings, Cost(details, content.count, size))
