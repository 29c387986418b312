"""Planning: takes a Spec, gives its runs and the jobs they need, linked teacher -> targets -> student -> prune.

A job that several runs need is one job: its id is made from what changes its result and from the ids of its needs, so
a teacher without a student's seed in it is trained once for all seeds. Nothing here is written or started.

    doubts         what is legal and most likely not meant, now that the images are known
    draft          jobs, runs, the plan while it grows
    pack           the images
    controls       what a control of a pruned arm needs of that arm
    network_jobs   a network's training, pruning, measuring, explaining
    rungs          the shorter trainings that a longer one may begin with
    quantize       the same network in 8-bit numbers
    teacher        who teaches, and what trains them
    teacher_run    a teacher that is another run's network
    distill        targets, assistants, what a learner reads
    features       which layers it follows, and what a cache of them takes
    target_mode    cached or in the step
    passes         what sharing and caching save
    weights_check  what is wrong with weights before they are loaded
    ancestry       who among a run's ancestors has seen its test images
    leaks          the same for who only checks a spec
    prune_left     what pruning will leave, and whether so much can go
    latency        what an arm's network will take, where this machine was timed
    child          questions that only torch can answer
    weights_fit    whether they fit their network, by names and shapes
    own_code code_check   a person's own code: found, trusted, copied, named by its digest; tried in a child
    unseen         whether a teacher of ImageNet can be calibrated on images that it has not seen
    cost           what a job is made of, and how fast this machine is
    halves         whether work in fp16 has a GPU to run on
    subset         some runs of a plan alone
    estimate       what is left to do, its seconds and bytes
    plan_json      a plan for programs
    paper          what a paper's experiments cost together
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.home.paths import Home, open_home
from engine.inputs.gpus import list_gpus
from engine.inputs.hub import hub_warnings
from engine.inputs.leaks import join_unknown
from engine.inputs.looks import look_warnings
from engine.inputs.quotas import check_quotas, count_part, split_quotas
from engine.plan.ancestry import check_lineage
from engine.plan.controls import draft_run
from engine.plan.doubts import plan_doubts
from engine.plan.draft import Draft, Job, Plan, PlanContext, Run, RunDraft
from engine.plan.halves import halves_on_cpu
from engine.plan.own_code import settle_spec
from engine.plan.passes import Passes, count_passes
from engine.plan.prune_left import check_pruned
from engine.plan.rungs import plan_rungs
from engine.plan.target_mode import decide_targets
from engine.plan.unseen import check_unseen
from engine.plan.weights_check import check_files
from engine.plan.weights_fit import check_fit
from engine.spec import Settings, Spec
from engine.spec.cells import Cell, expand_cells
from engine.spec.identity import counted_settings, make_id
from engine.spec.job_kinds import KINDS, load_named

__all__ = ["Job", "Passes", "Plan", "Run", "count_passes", "make_plan"]


def make_plan(spec: Spec, home: Home | None = None, *, on_cpu: bool = False) -> Plan:
    """Return the runs and jobs of `spec`. Reads the images named (digests are kept in the cache), writes no job.

    `on_cpu` plans all for the CPU, whatever GPU the spec asks for. Jobs are provisional (`job` None, with a reason)
    where data, weights or a variable are absent. Raises DataError when the data is there and cannot be used, LeakError
    when a run would be tested on images that it comes to know.
    """
    home = home or open_home(create=True)
    spec = settle_spec(spec, home)
    draft = Draft(home, has_gpu=bool(list_gpus()), on_cpu=on_cpu)
    runs = _plan_runs(spec, draft)
    # Whether targets are cached decides which jobs there are, so with each choice the plan is drawn again.
    while draft.undecided:
        choices = {**draft.choices, **decide_targets(draft)}
        draft = Draft(
            draft.home, contents=draft.contents, boxes=draft.boxes, missing=draft.missing, choices=choices,
            has_gpu=draft.has_gpu, on_cpu=on_cpu,
        )  # fmt: skip
        runs = _plan_runs(spec, draft)
    notes = [*(choice.why for choice in draft.choices.values()), *draft.notes]
    return Plan(
        spec, runs, tuple(draft.jobs.values()), tuple(draft.missing), tuple(dict.fromkeys(notes)),
        (*join_unknown(draft.warnings), *plan_doubts(spec, runs, draft)), _least_tested(spec, draft),
        halves_on_cpu(spec, draft),
    )  # fmt: skip


def _least_tested(spec: Spec, draft: Draft) -> int | None:
    sets = [(draft.content(cell.settings.data), cell.settings.data) for cell in expand_cells(spec)]
    return min((count_part(content, data, "test") for content, data in sets if content is not None), default=None)


def _plan_runs(spec: Spec, draft: Draft) -> tuple[Run, ...]:
    cells = list(expand_cells(spec))
    bases = {cell.cell: cell.settings for cell in cells if cell.arm == spec.baseline}
    return tuple(run for cell in cells for run in _plan_cell(spec, cell, bases.get(cell.cell), draft))


def _plan_cell(spec: Spec, cell: Cell, base: Settings | None, draft: Draft) -> list[Run]:
    """Plan a cell's runs; what no seed changes is worked out once."""
    settings = cell.settings
    contexts = [PlanContext(settings, seed, draft.content(settings.data), draft, base) for seed in spec.seeds]
    _check_split(contexts[0])
    check_files(contexts[0])
    check_fit(contexts[0])
    check_unseen(contexts[0])
    draft.warnings |= dict.fromkeys((*look_warnings(settings), *hub_warnings(settings)))
    counted = counted_settings(settings)
    runs = [_plan_run(spec.name, cell, context, counted) for context in contexts]
    # Last, because it may take seconds: what else is wrong is told sooner.
    draft.warnings |= dict.fromkeys(check_pruned(contexts[0]))
    return runs


def _plan_run(name: str, cell: Cell, context: PlanContext, counted: Mapping[str, Any]) -> Run:
    drawn = draft_run(context)
    for planner in PLANNERS.values():
        planner(drawn)
    plan_rungs(drawn)
    check_lineage(drawn)
    jobs, seed = drawn.jobs, context.seed
    # Its place in the experiment is part of it: two arms may share every job.
    run = make_id("run", [name, cell.arm, cell.cell, seed, sorted(jobs.items())])
    return Run(run, cell.arm, cell.cell, seed, context.settings.data.split, counted, jobs)


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


PLANNERS: dict[str, Callable[[RunDraft], None]] = {kind: load_named(kind, "planner") for kind in KINDS}
