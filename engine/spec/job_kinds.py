"""The kinds of jobs: takes a kind's name, gives all that the rooms ask about it; KINDS at the foot is the one table.

A new kind is an entry there, a model of its settings (job_settings.py), a planner and a runner. Planners and runners
are dotted names, because they lie further down the street; `load_named` finds them when plan and run are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args

from engine.errors import XpError
from engine.spec.job_settings import (
    ExplainSettings,
    JobSettings,
    MeasureSettings,
    PackSettings,
    PruneSettings,
    QuantizeSettings,
    TargetsSettings,
    TrainSettings,
)
from engine.spec.training import MapKind

TABLE = "engine/spec/job_kinds.py"
SMALLER_BATCH = "take a smaller train.batch_size, or train.memory: lean (of a trained teacher: teacher.train)"
TRAINED_PEAKS = ("cuda_peak_allocated", "cuda_peak_reserved", "host_peak_rss", "device_images")
MEASURED_PEAKS = (
    *("infer_cuda_peak_allocated", "infer_cuda_peak_reserved"),
    *("infer_cuda_peak_allocated_settled", "infer_cuda_peak_reserved_settled"),
)
MEASURED_APART = (
    *("infer_images_per_second_eager", "infer_latency_eager", "infer_speedup_eager"),
    *("infer_images_per_second_compiled", "infer_latency_compiled", "infer_speedup_compiled"),
)
MEASURED_TAILS = ("infer_latency_p95", "infer_latency_p99")  # where enough calls were timed one by one
MEASURED_RUNTIMES = (
    *("infer_images_per_second_onnxruntime", "infer_latency_onnxruntime", "infer_speedup_onnxruntime"),
    *("infer_latency_p95_onnxruntime", "infer_latency_p99_onnxruntime", "infer_energy_onnxruntime"),
    *("load_seconds_onnxruntime", "run_peak_rss_onnxruntime", "file_bytes_onnxruntime"),
)
MEASURED_CARD = ("infer_energy", "infer_power", "infer_sm_clock", "infer_memory_clock", "infer_temperature")
EXPLAINED_FIGURES = ("deletion_auc", "insertion_auc", "deletion_gain", "insertion_gain")
MAP_KINDS: tuple[str, ...] = get_args(MapKind)
DELETION_FIGURES = tuple(
    f"{curve}_{figure}_{kind}"
    for kind in MAP_KINDS
    for curve in ("deletion", "insertion")
    for figure in ("auc", "gain")
)  # where explain.maps names the kind
ATTENTION_FIGURES = ("attention_entropy", "attention_distance", "global_mass", "global_mass_even")
POINTING_FIGURES = ("pointing_game", "pointing_chance", "pointing_others", "box_energy", "box_area")  # with boxes
QUANTIZED_FIGURES = ("params", "file_bytes", "agreement_parent")
TRAINED_FIGURES = (
    *("train_images_per_second", "evaluate_images_per_second", "params", "params_nonzero", "ranks"),
    *("seconds_taken_over", *TRAINED_PEAKS),
)


@dataclass(frozen=True)
class JobKind:
    """What is known of a kind of job.

    planner, runner   `module:function`; planners are called in the order of the table, for each run of a plan
    roles             what its jobs may be in a run; `#` stands for a number
    shared_roles      those that a person knows by the role alone, because they serve many runs
    network_role      the role whose network is the run's, unless a kind further down makes another of it
    section           the part of a spec that decides this kind's figures and no others
    needs_gpu         whether it goes to a GPU where there is one
    is_alone          whether nothing may run beside it on its device
    trains            whether it goes through images in steps: it has checkpoints, and train.on_oom may split its batch
    less_memory       what a person can do when memory ran out
    figures           what it writes to the table `measurements`
    """

    settings: type[JobSettings]
    planner: str
    runner: str
    roles: tuple[str, ...]
    shared_roles: tuple[str, ...] = ()
    network_role: str | None = None
    section: str | None = None
    needs_gpu: bool = True
    is_alone: bool = False
    trains: bool = False
    less_memory: str = SMALLER_BATCH
    figures: tuple[str, ...] = ()


def kind_of(settings: JobSettings) -> str:
    """Return the kind of job that these settings decide."""
    name = next((name for name, kind in KINDS.items() if kind.settings is type(settings)), None)
    if name is None:
        what = f"{type(settings).__name__} is of no kind of job"
        raise XpError(what, where=TABLE, fix="give it an entry in KINDS, the table of job kinds")
    return name


def kind_in_id(job: str) -> JobKind | None:
    """Return the kind that a job's id begins with; None for one that this xp does not know."""
    return KINDS.get(job.partition("-")[0])


def final_network(jobs: Mapping[str, str]) -> str:
    """Return the job that makes a run's network what it is in the end; `jobs` are the run's by role."""
    roles = [kind.network_role for kind in KINDS.values() if kind.network_role in jobs]
    return jobs[str(roles[-1])]


def shared_roles() -> frozenset[str]:
    return frozenset(role for kind in KINDS.values() for role in kind.shared_roles)


def load_named(name: str, place: Literal["planner", "runner"]) -> Callable[..., Any]:
    """Return the planner or runner of a kind. Raises XpError that names the place where it should be."""
    dotted: str = getattr(KINDS[name], place)
    module, _, function = dotted.partition(":")
    found: Callable[..., Any] | None = getattr(_import_if_there(module), function, None)
    if found is None:
        what = f"job kind {name!r} has no {place}: there is no function {function} in {module}"
        raise XpError(what, where=TABLE, fix=f"write it, or mend `{place}` in the entry of {name!r} in KINDS")
    return found


def _import_if_there(module: str) -> object:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None


KINDS: dict[str, JobKind] = {
    "pack": JobKind(
        settings=PackSettings,
        planner="engine.plan.pack:plan_pack",
        runner="engine.run.jobs:run_pack",
        roles=("pack",),
        shared_roles=("pack",),
        needs_gpu=False,
        less_memory="set data.short_side lower",
    ),
    "targets": JobKind(
        settings=TargetsSettings,
        planner="engine.plan.distill:plan_teaching",
        runner="engine.run.targets:run_targets",
        roles=("targets", "teacher_targets", "assistant_#_targets", "reference"),
        shared_roles=("targets",),
        less_memory="take a smaller teacher or data.image_size",
    ),
    "train": JobKind(
        settings=TrainSettings,
        planner="engine.plan.network_jobs:plan_student",
        runner="engine.run.training:run_train",
        roles=("student", "teacher", "assistant_#", "reference_teacher", "pruned_student"),
        shared_roles=("teacher",),
        network_role="student",
        trains=True,
        figures=TRAINED_FIGURES,
    ),
    "prune": JobKind(
        settings=PruneSettings,
        planner="engine.plan.network_jobs:plan_prune",
        runner="engine.run.training:run_prune",
        roles=("prune", "pruned"),
        network_role="prune",
        trains=True,
        figures=(*TRAINED_FIGURES, "prune_asked", "prune_predicted", "prune_achieved", "params_before"),
    ),
    "quantize": JobKind(
        settings=QuantizeSettings,
        planner="engine.plan.quantize:plan_quantize",
        runner="engine.run.quantizing:run_quantize",
        roles=("quantize",),
        network_role="quantize",
        needs_gpu=False,
        less_memory="set data.image_size lower, or quantize.calibration: minmax",
        figures=QUANTIZED_FIGURES,
    ),
    "measure": JobKind(
        settings=MeasureSettings,
        planner="engine.plan.network_jobs:plan_measure",
        runner="engine.run.measuring:run_measure",
        roles=("measure",),
        section="measure",
        is_alone=True,
        less_memory="take smaller measure.batch_sizes",
        figures=(
            *("params", "macs", "macs_algorithm", "infer_images_per_second", "infer_latency", "infer_speedup"),
            *("infer_oom", *MEASURED_PEAKS, *MEASURED_APART, *MEASURED_CARD),
            *(*MEASURED_TAILS, *MEASURED_RUNTIMES),
        ),
    ),
    "explain": JobKind(
        settings=ExplainSettings,
        planner="engine.plan.network_jobs:plan_explain",
        runner="engine.run.jobs:run_explain",
        roles=("explain",),
        section="explain",
        less_memory="take fewer explain.images",
        figures=(*EXPLAINED_FIGURES, *POINTING_FIGURES, *DELETION_FIGURES, *ATTENTION_FIGURES),
    ),
}
