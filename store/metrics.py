"""The metrics: one table of the figures of a run, what each of them is, and where the view `results` gets it.

An entry here and a job that logs the figure are all it takes: the views `results` and `cells` (results/schema.py),
comparisons, claims and the headings of reports follow from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from store.readonly import StoreError

Better = Literal["higher", "lower", "neither"]
Measured = Literal["per_seed", "once"]
Images = Literal["test", "any", "none"]
HERE = "store/metrics.py"
TIMED_UNITS = ("images/s", "s", "ms")


class UnknownMetric(StoreError):
    """A number that METRICS does not know: whether more of it is better, and where it may be compared."""

    def __init__(self, message: str) -> None:
        super().__init__(message, f"describe it in METRICS of {HERE}")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of a run. No field has a default: one that is forgotten is an error at import.

    `source` is a SQL expression over what schema.sql gathers for each run, by name: `series` and `best` are the last
    and the largest value that the final network's job logged step by step, `figures` what that job measured;
    `measured`, `largest` and `smallest` come from the measure job (at the largest and the smallest batch), `teacher`
    from the teacher, by part and name; `explained` from the job that draws the maps; `seconds` are those of training.
    """

    name: str
    source: str
    unit: str
    """Of the figure in SQL; how readers see it is in engine/report/number_text.py."""
    better: Better
    exact: bool
    """The same for every seed, so that one run decides; else a sample."""
    device_bound: bool
    """Another device gives another number: arms are compared on one device alone."""
    measured: Measured
    """In a job of its own, once for all seeds whose networks are alike, or in every run."""
    images: Images
    """Which images have a say in it: the test images, which a fair pair shares; any of the data; or none."""
    is_share: bool
    """A share of images, which moves in steps of one image; readers see it in per cent, its differences in points."""
    is_signed: bool
    """It may be below 0, as a gain over chance: its interval is not bent to stay above."""
    label: str
    heading: str
    column: str
    """The column of a report's main table, '' for none. Of metrics that share one, the first that a run has counts."""

    @property
    def is_of_predictions(self) -> bool:
        """Whether it is counted from what the network says of each test image, which the store keeps."""
        return self.source == "series['test_top1']"

    @property
    def is_timed_apart(self) -> bool:
        """A time or a speed that each job takes of its own work, whenever that is.

        What else the machine did at the time is in it, and no seed or round has it side by side with another arm's: it
        is told and never judged. What measuring jobs time is taken in turns.
        """
        return self.measured == "per_seed" and self.unit in TIMED_UNITS

    @property
    def logged(self) -> tuple[str, ...]:
        """The names under which jobs log it: those that `source` picks."""
        return tuple(re.findall(r"\['([^']+)'\]", self.source))


def metric_of(name: str) -> Metric:
    """Return the metric of a column of `results`. Raises UnknownMetric, which says where it belongs."""
    if name not in METRICS:
        raise UnknownMetric(f"{name!r} is no metric of {HERE}")
    return METRICS[name]


MAP_WORDS = {
    "received": "attention received", "energy": "strength of the last features", "gradcam": "Grad-CAM",
    "gradcam_true": "Grad-CAM of the true class", "rollout": "rollout",
    "attention_gradient": "gradient-weighted attention",
}  # fmt: skip
"""The kinds of maps, as headings name them."""


def _of_map(name: str, unit: str, better: Better, label: str) -> Metric:
    """Return a figure of maps of test images, which the explaining job of each run logs under its name."""
    return Metric(
        name=name, source=f"explained['{name}']", unit=unit, better=better, exact=False, device_bound=False,
        measured="per_seed", images="test", is_share=False, is_signed="_gain" in name, label=label,
        heading=label[0].lower() + label[1:], column="",
    )  # fmt: skip


def _counted(
    name: str, source: str, label: str, heading: str, better: Better = "lower", column: str | None = None
) -> Metric:
    """Return a whole number that a job logs under its name, in a column of that name if no other is told."""
    return Metric(
        name=name, source=f"{source}['{name}']::bigint", unit="count", better=better, exact=True, device_bound=False,
        measured="per_seed", images="none", is_share=False, is_signed=False, label=label, heading=heading,
        column=name if column is None else column,
    )  # fmt: skip


def _deletion_metrics() -> Iterator[Metric]:
    """Yield what the deletion test gives of each kind of map: areas under the curves, and the gain over chance."""
    for kind, words in MAP_WORDS.items():
        yield _of_map(f"deletion_auc_{kind}", "probability", "lower", f"Deletion area, {words}")
        yield _of_map(f"deletion_gain_{kind}", "probability", "higher", f"Deletion, better than chance, {words}")
        yield _of_map(f"insertion_auc_{kind}", "probability", "higher", f"Insertion area, {words}")
        yield _of_map(f"insertion_gain_{kind}", "probability", "higher", f"Insertion, better than chance, {words}")


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        *_deletion_metrics(),
        _of_map("attention_entropy", "fraction", "neither", "Entropy of attention, of the most possible"),
        _of_map("attention_distance", "pixels", "neither", "Distance of attention"),
        _of_map("global_mass", "fraction", "neither", "Attention on global tokens"),
        _of_map("global_mass_even", "fraction", "neither", "Attention on global tokens if it were even"),
        Metric(
            name="test_top1", source="series['test_top1']", unit="fraction", better="higher", exact=False,
            device_bound=False, measured="per_seed", images="test", is_share=True, is_signed=False,
            label="Test accuracy", heading="test top-1", column="accuracy",
        ),
        Metric(
            name="val_top1", unit="fraction", better="higher", exact=False,
            source="case when r.settings ->> '$.train.checkpoint' = 'best_val' then best['val_top1'] "
            "else series['val_top1'] end",
            device_bound=False, measured="per_seed", images="any", is_share=True, is_signed=False,
            label="Validation accuracy", heading="val top-1", column="",
        ),
        Metric(
            name="test_loss", source="series['test_loss']", unit="nats", better="lower", exact=False,
            device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=False,
            label="Test loss", heading="test loss", column="",
        ),
        Metric(
            name="val_loss", source="series['val_loss']", unit="nats", better="lower", exact=False,
            device_bound=False, measured="per_seed", images="any", is_share=False, is_signed=False,
            label="Validation loss", heading="val loss", column="",
        ),
        Metric(
            name="train_loss", source="series['train_loss']", unit="nats", better="lower", exact=False,
            device_bound=False, measured="per_seed", images="any", is_share=False, is_signed=False,
            label="Training loss", heading="training loss", column="",
        ),
        Metric(
            name="params", source="coalesce(measured['params'], figures['params'])::bigint", unit="count",
            better="lower", exact=True, device_bound=False, measured="per_seed", images="none", is_share=False,
            is_signed=False, label="Parameters", heading="params", column="params",
        ),
        _counted("params_nonzero", "figures", "Parameters that no mask sets to zero", "params, non-zero"),
        _counted("ranks", "figures", "Processes of the training", "processes", "neither", ""),
        _counted("macs", "measured", "MACs, computed", "MACs, computed"),
        _counted("macs_algorithm", "measured", "MACs, of the algorithm", "MACs, of the algorithm"),
        Metric(
            name="infer_images_per_second", source="largest['infer_images_per_second']", unit="images/s",
            better="higher", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, label="Inference throughput", heading="inference", column="inference",
        ),
        Metric(
            # From rounds side by side, in one job; the baseline is as fast as itself.
            name="infer_speedup", unit="ratio", better="higher", exact=False,
            source="coalesce(largest['infer_speedup'], case when largest['infer_images_per_second'] is not null "
            "and r.arm = (select max(e.baseline) from experiments e where e.experiment = r.experiment) then 1 end)",
            device_bound=True, measured="once", images="any", is_share=False, is_signed=False,
            label="Inference speed-up over the baseline", heading="speed-up", column="speed-up",
        ),
        Metric(
            name="train_images_per_second", unit="images/s", better="higher", exact=False,
            source="coalesce(figures['train_images_per_second'], series['train_images_per_second'])",
            device_bound=True, measured="per_seed", images="any", is_share=False, is_signed=False,
            label="Training throughput", heading="training", column="training",
        ),
        Metric(
            name="infer_latency", source="smallest['infer_latency']", unit="ms", better="lower", exact=False,
            device_bound=True, measured="once", images="any", is_share=False, is_signed=False,
            label="Inference latency", heading="latency", column="",
        ),
        Metric(
            name="infer_images_per_second_eager", source="largest['infer_images_per_second_eager']", unit="images/s",
            better="higher", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, label="Inference throughput, eager", heading="inference, eager", column="",
        ),
        Metric(
            name="infer_latency_eager", source="smallest['infer_latency_eager']", unit="ms",
            better="lower", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, label="Inference latency, eager", heading="latency, eager", column="",
        ),
        Metric(
            name="infer_images_per_second_compiled", source="largest['infer_images_per_second_compiled']",
            unit="images/s", better="higher", exact=False, device_bound=True, measured="once", images="any",
            is_share=False,
            is_signed=False, label="Inference throughput, compiled", heading="inference, compiled", column="",
        ),
        Metric(
            name="infer_latency_compiled", source="smallest['infer_latency_compiled']", unit="ms",
            better="lower", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, label="Inference latency, compiled", heading="latency, compiled", column="",
        ),
        Metric(
            name="infer_latency_p95", source="smallest['infer_latency_p95']", unit="ms", better="lower", exact=False,
            device_bound=True, measured="once", images="any", is_share=False, is_signed=False,
            label="Latency that 95 % of calls keep below", heading="latency, p95", column="",
        ),
        Metric(
            name="infer_latency_p99", source="smallest['infer_latency_p99']", unit="ms", better="lower", exact=False,
            device_bound=True, measured="once", images="any", is_share=False, is_signed=False,
            label="Latency that 99 % of calls keep below", heading="latency, p99", column="",
        ),
        Metric(
            name="infer_images_per_second_onnxruntime", source="largest['infer_images_per_second_onnxruntime']",
            unit="images/s", better="higher", exact=False, device_bound=True, measured="once", images="any",
            is_share=False, is_signed=False, heading="inference, ONNX Runtime", column="",
            label="Inference throughput, ONNX Runtime",
        ),
        Metric(
            name="infer_latency_onnxruntime", source="smallest['infer_latency_onnxruntime']", unit="ms",
            better="lower", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, label="Inference latency, ONNX Runtime", heading="latency, ONNX Runtime", column="",
        ),
        Metric(
            name="infer_latency_p95_onnxruntime", source="smallest['infer_latency_p95_onnxruntime']", unit="ms",
            better="lower", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, heading="latency, p95, ONNX Runtime", column="",
            label="Latency that 95 % of calls keep below, ONNX Runtime",
        ),
        Metric(
            name="infer_latency_p99_onnxruntime", source="smallest['infer_latency_p99_onnxruntime']", unit="ms",
            better="lower", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, heading="latency, p99, ONNX Runtime", column="",
            label="Latency that 99 % of calls keep below, ONNX Runtime",
        ),
        Metric(
            # From rounds side by side, in one job, of two files; the baseline is as fast as itself.
            name="infer_speedup_onnxruntime", unit="ratio", better="higher", exact=False,
            source="coalesce(largest['infer_speedup_onnxruntime'], case when "
            "largest['infer_images_per_second_onnxruntime'] is not null "
            "and r.arm = (select max(e.baseline) from experiments e where e.experiment = r.experiment) then 1 end)",
            device_bound=True, measured="once", images="any", is_share=False, is_signed=False,
            label="Inference speed-up over the baseline, ONNX Runtime", heading="speed-up, ONNX Runtime", column="",
        ),
        Metric(
            name="load_seconds_onnxruntime", source="smallest['load_seconds_onnxruntime']", unit="s", better="lower",
            exact=False, device_bound=True, measured="once", images="any", is_share=False, is_signed=False,
            label="Time to open the file, ONNX Runtime", heading="time to open, ONNX Runtime", column="",
        ),
        Metric(
            name="run_peak_rss_onnxruntime", source="smallest['run_peak_rss_onnxruntime']::bigint", unit="bytes",
            better="lower", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, label="Peak memory of a process that only runs the file, ONNX Runtime",
            heading="memory of running it, ONNX Runtime", column="",
        ),
        Metric(
            name="file_bytes_onnxruntime", source="measured['file_bytes_onnxruntime']::bigint", unit="bytes",
            better="lower", exact=True, device_bound=False, measured="per_seed", images="none", is_share=False,
            is_signed=False, label="Size of the ONNX file", heading="ONNX file", column="",
        ),
        Metric(
            name="infer_energy_onnxruntime", source="largest['infer_energy_onnxruntime']", unit="J",
            better="lower", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, label="Energy of an image, ONNX Runtime",
            heading="energy of an image, ONNX Runtime", column="",
        ),
        Metric(
            name="infer_energy", source="largest['infer_energy']", unit="J",
            better="lower", exact=False, device_bound=True, measured="once", images="any", is_share=False,
            is_signed=False, label="Energy of an image", heading="energy of an image", column="",
        ),
        Metric(
            name="cuda_peak_reserved", source="figures['cuda_peak_reserved']::bigint", unit="bytes", better="lower",
            exact=False, device_bound=True, measured="per_seed", images="any", is_share=False, is_signed=False,
            label="Peak GPU memory, reserved", heading="peak GPU memory, reserved", column="memory",
        ),
        Metric(
            name="cuda_peak_allocated", source="figures['cuda_peak_allocated']::bigint", unit="bytes", better="lower",
            exact=False, device_bound=True, measured="per_seed", images="any", is_share=False, is_signed=False,
            label="Peak GPU memory, allocated", heading="peak GPU memory, allocated", column="memory",
        ),
        Metric(
            name="host_peak_rss", source="figures['host_peak_rss']::bigint", unit="bytes", better="lower",
            exact=False, device_bound=True, measured="per_seed", images="any", is_share=False, is_signed=False,
            label="Peak host memory (RSS)", heading="peak host memory (RSS)", column="memory",
        ),
        Metric(
            name="params_before", source="figures['params_before']::bigint", unit="count", better="neither",
            exact=True, device_bound=False, measured="per_seed", images="none", is_share=False, is_signed=False,
            label="Parameters before pruning", heading="params before pruning", column="",
        ),
        Metric(
            name="prune_asked", source="figures['prune_asked']", unit="fraction", better="neither", exact=True,
            device_bound=False, measured="per_seed", images="none", is_share=False, is_signed=False,
            label="Pruning asked", heading="pruning asked", column="",
        ),
        Metric(
            name="prune_achieved", source="figures['prune_achieved']", unit="fraction", better="neither", exact=False,
            device_bound=False, measured="per_seed", images="none", is_share=False, is_signed=False,
            label="Pruning achieved", heading="pruning achieved", column="",
        ),
        Metric(
            name="agreement_parent", source="figures['agreement_parent']", unit="fraction", better="higher",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=True, is_signed=False,
            label="Agreement with the network before quantising", heading="agreement with the fp32 network", column="",
        ),
        Metric(
            name="file_bytes", source="figures['file_bytes']::bigint", unit="bytes", better="lower", exact=False,
            device_bound=False, measured="per_seed", images="none", is_share=False, is_signed=False,
            label="File size", heading="file size", column="",
        ),
        Metric(
            name="prune_predicted", source="figures['prune_predicted']", unit="fraction", better="neither", exact=False,
            device_bound=True, measured="per_seed", images="none", is_share=False, is_signed=False,
            label="Pruning foretold", heading="pruning foretold", column="",
        ),
        Metric(
            name="epochs_spent", unit="count", better="neither", exact=True,
            source="((r.settings ->> '$.train.epochs')::bigint + case "
            "when coalesce((r.settings ->> '$.prune.ratio')::double, 0) > 0 "
            "then coalesce((r.settings ->> '$.prune.recover_epochs')::bigint, 0) else 0 end)",
            device_bound=False, measured="per_seed", images="none", is_share=False, is_signed=False,
            label="Epochs, recovery included", heading="epochs", column="epochs",
        ),
        Metric(
            name="teacher_test_top1", source="teacher['test_top1']", unit="fraction", better="higher", exact=False,
            device_bound=False, measured="per_seed", images="any", is_share=True, is_signed=False,
            label="Test accuracy of the teacher", heading="teacher test top-1", column="",
        ),
        Metric(
            name="deletion_auc", source="explained['deletion_auc']", unit="probability", better="lower",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=False,
            label="Deletion curve, area", heading="deletion curve, area", column="",
        ),
        Metric(
            name="insertion_auc", source="explained['insertion_auc']", unit="probability", better="higher",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=False,
            label="Insertion curve, area", heading="insertion curve, area", column="",
        ),
        Metric(
            name="deletion_gain", source="explained['deletion_gain']", unit="probability", better="higher",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=True,
            label="Deletion, better than a random map", heading="deletion, better than a random map", column="",
        ),
        Metric(
            name="insertion_gain", source="explained['insertion_gain']", unit="probability", better="higher",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=True,
            label="Insertion, better than a random map", heading="insertion, better than a random map", column="",
        ),
        Metric(
            name="pointing_game", source="explained['pointing_game']", unit="fraction", better="higher",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=True, is_signed=False,
            label="Pointing game, hits", heading="pointing game, hits", column="",
        ),
        Metric(
            name="pointing_chance", source="explained['pointing_chance']", unit="fraction", better="neither",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=False,
            label="Pointing game, hits of a random map", heading="hits of a random map", column="",
        ),
        Metric(
            name="pointing_others", source="explained['pointing_others']", unit="fraction", better="neither",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=False,
            label="Pointing game, hits on the objects of other images", heading="hits on other images' objects",
            column="",
        ),
        Metric(
            name="box_energy", source="explained['box_energy']", unit="fraction", better="higher",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=False,
            label="Share of the map on the object", heading="share of the map on the object", column="",
        ),
        Metric(
            name="box_area", source="explained['box_area']", unit="fraction", better="neither",
            exact=False, device_bound=False, measured="per_seed", images="test", is_share=False, is_signed=False,
            label="Share of the image that the object takes", heading="share of the image that it takes", column="",
        ),
        Metric(
            name="train_seconds", source="seconds", unit="s", better="lower", exact=False,
            device_bound=True, measured="per_seed", images="any", is_share=False, is_signed=False,
            label="Training time", heading="training time", column="",
        ),
        Metric(
            name="seconds_taken_over", source="figures['seconds_taken_over']", unit="s", better="neither", exact=False,
            device_bound=True, measured="per_seed", images="any", is_share=False, is_signed=False,
            label="Time of the training that was taken over", heading="time taken over", column="",
        ),
    )
}  # fmt: skip
