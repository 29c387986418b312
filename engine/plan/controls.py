"""What a control of a pruned arm needs of that arm: takes a run's context, gives the draft that planners add jobs to.

A network from scratch has the widths, or the mask, of the pruned one with the same seed; so has what is pruned by
chance, where the criterion is what gave each layer its width. That arm's jobs are then jobs of this run too.
"""

from __future__ import annotations

from dataclasses import replace

from engine.plan.distill import plan_teaching
from engine.plan.draft import PlanContext, RunDraft
from engine.plan.network_jobs import plan_prune, plan_student
from engine.plan.pack import plan_pack
from engine.spec.controls import from_scratch, without_control


def draft_run(context: PlanContext) -> RunDraft:
    """Return the draft of a run: of a control, with the jobs of the arm that it is a control of."""
    prune = context.settings.prune
    if prune is None or prune.control is None or not context.settings.is_pruned:
        return RunDraft(context)
    model = RunDraft(replace(context, settings=without_control(context.settings)))
    for planner in (plan_pack, plan_teaching, plan_student, plan_prune):
        planner(model)
    jobs = {"pruned": model.jobs["prune"]}
    if prune.control == "scratch":
        if "student" in model.jobs:
            jobs["pruned_student"] = model.jobs["student"]
        context = replace(context, settings=from_scratch(context.settings))
    return RunDraft(context, jobs)
