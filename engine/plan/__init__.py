"""Planning: takes a Spec, gives its runs and the jobs they need, linked teacher -> targets -> student -> prune.

A job that several runs need is one job: its id is made from what changes its result and from the ids of its needs, so
a teacher without a student's seed in it is trained once for all seeds. Nothing here is written or started.

    draft      jobs, runs, the plan while it grows
    networks   a network's training, pruning, measuring, explaining
    teaching   a teacher and its targets
"""

from __future__ import annotations

from engine.arms import Cell, expand_cells
from engine.content import resolve_root
from engine.home import Home, open_home
from engine.identity import counted_settings, make_id
from engine.plan.draft import Cost, Draft, Job, Plan, Run, Scene
from engine.plan.networks import plan_explain, plan_measure, plan_prune, plan_student
from engine.plan.teaching import plan_teaching
from engine.spec import Spec

__all__ = ["Job", "Plan", "Run", "make_plan"]

PACK_FIELDS = ("source", "short_side", "format", "broken", "classes")


def make_plan(spec: Spec, home: Home | None = None) -> Plan:
    """Return the runs and jobs of `spec`. Reads the images named (digests are kept in the cache), writes no job.

    Jobs are provisional (`job` None, with a reason) where data, weights or a variable are absent. Raises DataError
    when the data is there and cannot be used.
    """
    draft = Draft(home or open_home(create=True))
    runs = tuple(_plan_run(spec, cell, seed, draft) for cell in expand_cells(spec) for seed in spec.seeds)
    return Plan(spec, runs, tuple(draft.jobs.values()), tuple(draft.missing))


def _plan_run(spec: Spec, cell: Cell, seed: int, draft: Draft) -> Run:
    settings = cell.settings
    scene = Scene(settings, seed, draft.content(settings.data), draft)
    jobs = {"pack": _plan_pack(scene)}
    if settings.is_taught and settings.teacher is not None:
        jobs |= plan_teaching(scene, settings.teacher, jobs)
    jobs["student"] = plan_student(scene, jobs)
    if settings.is_pruned:
        jobs["prune"] = plan_prune(scene, jobs)
    jobs["measure"] = plan_measure(scene, jobs)
    jobs["explain"] = plan_explain(scene, jobs)
    dump = counted_settings(settings)
    run = make_id("run", [spec.name, cell.arm, cell.cell, seed, sorted(jobs.items())])
    return Run(run, cell.arm, cell.cell, seed, settings.data.split, dump, jobs)


def _plan_pack(scene: Scene) -> str:
    data, content = scene.settings.data, scene.content
    counted = counted_settings(data)
    settings = {
        "data": {name: counted[name] for name in PACK_FIELDS},
        "digest": content.digest if content else f"absent: {data.root}",
    }
    if content is None:
        return scene.draft.add("pack", {}, settings, Cost(reason="the images are not on this machine"))
    root = str(resolve_root(data.root)) if data.source == "folder" else None
    size = content.count * data.short_side**2 * 3
    return scene.draft.add("pack", {}, settings, Cost({"root": root, "workers": data.workers}, content.count, size))
