"""What metrics, relations and columns mean: takes nothing, gives a sentence for each, as `xp explain` prints it.

Units and directions of metrics stand in METRICS; a test compares the names here with those and with the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.metrics import MAP_WORDS, METRICS, Metric


@dataclass(frozen=True)
class Relation:
    """A table or view: what one row of it is, each of its columns, and a query that shows it."""

    row: str
    columns: Mapping[str, str]
    example: str


def metric_words(metric: Metric) -> str:
    """Return what a metric is, in a sentence. Raises KeyError for one that has no words."""
    if metric.name in _METRICS:
        return _METRICS[metric.name]
    head = next(head for head in _MAPS if metric.name.startswith(f"{head}_"))
    kind = MAP_WORDS[metric.name.removeprefix(f"{head}_")]
    return f"{_MAPS[head]} Of maps of one kind: {kind}."


def column_words(relation: str, column: str) -> str:
    """Return what a column is; of `results` a metric's column is the metric. Raises KeyError where it has no words."""
    columns = RELATIONS[relation].columns
    if column in columns:
        return columns[column]
    if relation.startswith("results") or relation == "trials":
        return metric_words(METRICS[column])
    raise KeyError(f"{relation}.{column}")


_MAPS: Mapping[str, str] = {
    "deletion_auc": "Area under the probability of the class while the map's most important patches are taken away; "
    "a map that finds what the network uses makes it fall early.",
    "deletion_gain": "By how much that area is smaller than a random map's on the same images; above 0 is better than "
    "chance.",
    "insertion_auc": "Area under the probability of the class while the map's most important patches are put in; a map "
    "that finds what the network uses makes it rise early.",
    "insertion_gain": "By how much that area is larger than a random map's on the same images; above 0 is better than "
    "chance.",
}
_RUNTIME = "of the exported file in ONNX Runtime on the CPU"
_METRICS: Mapping[str, str] = {
    **_MAPS,
    "attention_entropy": "How evenly tokens spread their attention: its entropy as a share of the most possible.",
    "attention_distance": "Mean distance between a token and those it attends to, in pixels of the image.",
    "global_mass": "Share of attention that goes to global tokens.",
    "global_mass_even": "Share that would go to global tokens if attention were even.",
    "test_top1": "Share of the test images whose class the final network says, tested once, at train.checkpoint.",
    "val_top1": "Share of the validation images whose class the network says, at train.checkpoint.",
    "test_loss": "Mean cross-entropy over the test images.",
    "val_loss": "Mean cross-entropy over the validation images, after the last epoch.",
    "train_loss": "Mean training loss of the last epoch, distillation and mixing included.",
    "params": "Parameters of the final network; those that a mask holds at zero count.",
    "params_nonzero": "Parameters that no mask holds at zero.",
    "ranks": "Processes that shared the training's batches when it ended.",
    "macs": "Multiply-accumulates for one image, as they are computed.",
    "macs_algorithm": "Multiply-accumulates for one image that the algorithm needs, without masked pairs of tokens.",
    "infer_images_per_second": "Inference throughput, the network alone, at the largest batch that fitted.",
    "infer_speedup": "How many times as fast as the baseline, from rounds side by side in one job.",
    "train_images_per_second": "Training throughput, loader included.",
    "infer_latency": "Time of one call at the smallest batch, the network alone.",
    "infer_images_per_second_eager": "Inference throughput called operator by operator, where a GPU replays a graph.",
    "infer_latency_eager": "Time of one call at the smallest batch, called operator by operator.",
    "infer_images_per_second_compiled": "Inference throughput of the network as torch.compile makes it.",
    "infer_latency_compiled": "Time of one call at the smallest batch, as torch.compile makes the network.",
    "infer_latency_p95": "Time that 95 % of calls at the smallest batch keep below.",
    "infer_latency_p99": "Time that 99 % of calls at the smallest batch keep below.",
    "infer_images_per_second_onnxruntime": f"Inference throughput {_RUNTIME}.",
    "infer_latency_onnxruntime": f"Time of one call at the smallest batch {_RUNTIME}.",
    "infer_latency_p95_onnxruntime": f"Time that 95 % of calls keep below, at the smallest batch {_RUNTIME}.",
    "infer_latency_p99_onnxruntime": f"Time that 99 % of calls keep below, at the smallest batch {_RUNTIME}.",
    "infer_speedup_onnxruntime": f"How many times as fast as the baseline's file, side by side: {_RUNTIME}.",
    "load_seconds_onnxruntime": "Time to open the exported file in ONNX Runtime.",
    "run_peak_rss_onnxruntime": "Peak host memory of a process that only runs the exported file in ONNX Runtime.",
    "file_bytes_onnxruntime": "Size of the exported .onnx file.",
    "infer_energy_onnxruntime": f"Energy of one image at the largest batch {_RUNTIME}.",
    "infer_energy": "Energy of one image at the largest batch.",
    "cuda_peak_reserved": "Most GPU memory that PyTorch took from the driver while training.",
    "cuda_peak_allocated": "Most GPU memory that tensors held while training.",
    "host_peak_rss": "Most host memory that the training process held (resident set).",
    "params_before": "Parameters before pruning.",
    "prune_asked": "Share that prune.ratio asked to take away.",
    "prune_achieved": "Share that pruning took away.",
    "agreement_parent": "Share of the test images on which the quantised network says what it said before.",
    "file_bytes": "Size of the file that quantising made.",
    "prune_predicted": "Share of latency that pruning was foretold to take away.",
    "epochs_spent": "Epochs of training in all, recovery after pruning included.",
    "teacher_test_top1": "Share of the test images whose class the teacher says.",
    "pointing_game": "Share of maps whose maximum lies on the object, by data.boxes.",
    "pointing_chance": "That share for a random map.",
    "pointing_others": "That share for the same maps held against other images' objects.",
    "box_energy": "Share of a map's sum that lies on the object.",
    "box_area": "Share of the image that the object takes.",
    "train_seconds": "Time of the jobs that train the student and prune it.",
    "seconds_taken_over": "Time that shorter trainings spent on what this one began with, and did not do again.",
}
_RUN = {
    "experiment": "The experiment's name.",
    "arm": "The arm.",
    "cell": "The point of the matrix, `default` without one.",
    "seed": "The run's seed.",
    "split": "data.split, as the spec has it.",
    "run": "The run's id.",
    "state": "done, failed, cancelled, running, paused, queued or blocked; of a run it follows from its jobs.",
}
_LOAD = {
    "job": "The job's id.",
    "device": "The device, `cpu` or the GPU's name.",
    "precision": "The numbers that the network works in.",
    "batch_size": "Images of a call.",
    "threads": "Threads of the processor.",
}
_RESULTS = {
    **_RUN,
    "infer_batch_size": "The batch that infer_images_per_second is of, in images.",
    "infer_oom_batch_size": "The smallest batch that did not fit into memory, in images; null where all did.",
    "speedup_low": "Lower end of the 95 % interval of infer_speedup, over rounds.",
    "speedup_high": "Upper end of the 95 % interval of infer_speedup, over rounds.",
    "test_images": "Test images.",
    "test_low": "Lower end of the 95 % interval of test_top1 over test images (Wilson), of one run alone.",
    "test_high": "Upper end of the 95 % interval of test_top1 over test images (Wilson), of one run alone.",
}
_ROUNDS = {
    **_LOAD,
    "round": "The repetition, from 1; each in a process of its own.",
    "images_per_second": "Images per second of the network.",
    "baseline_images_per_second": "Images per second of the baseline in the same round; null where it was alone.",
}
RELATIONS: Mapping[str, Relation] = {
    "experiments": Relation(
        "experiment, as it was submitted last",
        {
            "experiment": "Its name.",
            "title": "Its heading.",
            "baseline": "The arm that others are compared with.",
            "spec": "The spec with all it extends and all defaults, as JSON.",
            "submitted_at": "When it was submitted (UTC).",
            "submission": "Which submission of that name it is, from 1.",
            "imported": "The tool whose runs these are (`xp import`); null for what xp ran itself.",
        },
        "select experiment, title, submitted_at from experiments",
    ),
    "claims": Relation(
        "claim",
        {
            "experiment": "The experiment's name.",
            "claim": "The claim's id.",
            "text": "The claim in a sentence.",
            "metric": "The metric it is about.",
            "arm": "The arm it is about.",
            "against": "The arm it is compared with.",
            "expect": "greater, less or not_worse.",
            "margin": "By how much, in the metric's own unit.",
        },
        "select claim, text from claims where experiment = 'quickstart'",
    ),
    "runs": Relation(
        "run: an arm at a point of the matrix with a seed",
        {**_RUN, "settings": "All settings of the run, as JSON."},
        "select arm, seed, state from runs where experiment = 'quickstart'",
    ),
    "jobs": Relation(
        "job, which runs may share",
        {
            "job": "Its id: a digest of all that decides its result.",
            "kind": "pack, train, targets, prune, quantize, measure or explain.",
            "state": "blocked, queued, running, paused, done, failed or cancelled.",
            "seconds": "Time that its attempts took.",
            "needs": "The jobs whose results it reads, as a list.",
            "settings": "What its id is made of, as JSON.",
            "figures": "What it says of its result, as JSON.",
        },
        "select kind, count(*), sum(seconds) from jobs group by kind",
    ),
    "run_jobs": Relation(
        "run and job",
        {
            "run": "The run's id.",
            "job": "The job's id.",
            "role": "The job's part in the run, such as pack, teacher, targets, student, prune, measure or explain.",
        },
        "select role, job from run_jobs where run = '...'",
    ),
    "final_jobs": Relation(
        "run, with the job whose network it ends with",
        {"run": "The run's id.", "job": "The quantised, else the pruned, else the student's job.",
         "is_pruned": "Whether the run prunes."},
        "select * from final_jobs",
    ),
    "attempts": Relation(
        "attempt of a job",
        {
            "job": "The job's id.",
            "attempt": "Which attempt, from 1.",
            "outcome": "done, crashed, oom, nan, preempted, lost, stuck or cancelled.",
            "reason": "Why it ended so.",
            "host": "The machine.",
            "device": "The device.",
            "slot": "The worker's slot.",
            "started_at": "When it began (UTC).",
            "ended_at": "When it ended (UTC).",
        },
        "select job, attempt, outcome, reason from attempts where outcome <> 'done'",
    ),
    "metrics": Relation(
        "value that a job logged; what a resumed job did again counts once",
        {
            "job": "The job's id.",
            "attempt": "The attempt that logged it.",
            "name": "The value's name, such as train_loss, val_loss, val_top1 or lr.",
            "step": "Optimizer steps done.",
            "epoch": "The epoch it belongs to.",
            "value": "The value.",
            "at": "When (UTC).",
        },
        "select epoch, value from metrics where job = '...' and name = 'val_top1' order by step",
    ),
    "metrics_last": Relation(
        "job and name of a logged value",
        {"job": "The job's id.", "name": "The value's name.", "last": "The last value.",
         "best_min": "The smallest value.", "best_max": "The largest value.", "n": "How many finite values there are.",
         "not_finite": "How many were NaN or infinite."},
        "select * from metrics_last where name = 'val_top1'",
    ),
    "predictions": Relation(
        "image of a job's evaluation",
        {"job": "The job's id.", "part": "train, val or test.", "sample": "The image: the SHA-256 of its content.",
         "label": "Its class, from 0.", "predicted": "The class that the network said.",
         "confidence": "The probability it gave that class."},
        "select label, avg((label = predicted)::int) from predictions where part = 'test' group by label",
    ),
    "measurements": Relation(
        "figure that was measured",
        {**_LOAD, "name": "The figure's name, such as infer_latency.", "value": "The figure, in its unit.",
         "unit": "Its unit.", "p5": "The value that 5 % of the repetitions keep below.",
         "p95": "The value that 95 % of the repetitions keep below.", "n": "How many repetitions."},
        "select name, batch_size, value, unit from measurements where job = '...'",
    ),
    "teachers": Relation(
        "teacher, part of the data and figure",
        {
            "job": "The job that asked the teacher, or the student's that was taught.",
            "part": "train, val or test.",
            "name": "The figure, such as top1, ece or entropy.",
            "value": "The figure.",
        },
        "select part, name, value from teachers",
    ),
    "trials": Relation(
        "trial of a search",
        {name: words for name, words in _RESULTS.items() if "test" not in name}
        | {"arm": "The arm that is searched.", "trial": "Its number, from 0.", "asked_at": "When it was asked for.",
           "rung": "Which of the lengths of `fidelity` it was trained for, from 0; one row for each.",
           "trial_arm": "Under which name its run stands among those of `experiment` with `/trials`.",
           "why": "How it was drawn: the sampler, prior; exhausted where nothing was left to draw.",
           "refused": "Why it was not trained; null where it was.", "state": "That of its run, or refused.",
           "drawn": "The settings drawn, by path, as JSON."},
        "select arm, trial, val_top1, drawn from trials order by val_top1 desc",
    ),
    "finals": Relation(
        "arm that is the best of a search, trained anew",
        {"experiment": "The experiment's name.", "arm": "Its name among the arms of the experiment.",
         "searched": "The arm that was searched.", "trial": "The number of the trial that it is.",
         "drawn": "The settings drawn, by path, as JSON.", "asked_at": "When it was asked for (UTC)."},
        "select arm, trial, seed, val_top1 from finals join results using (experiment, arm)",
    ),
    "searches": Relation(
        "search of an experiment",
        {"experiment": "The experiment's name.", "asked": "How many trials of each arm were asked for in all.",
         "stopped": "Whether xp search stop asked for no more."},
        "select experiment, asked, stopped from searches",
    ),
    "facts": Relation(
        "thing that a job noted once",
        {"job": "The job's id.", "name": "What it is about.", "value": "What it noted, as JSON."},
        "select name, value from facts where job = '...'",
    ),
    "speed_rounds": Relation(
        "round of a measured load, as `results` shows it", _ROUNDS,
        "select round, images_per_second / baseline_images_per_second from speed_rounds",
    ),
    "speed_rounds_all": Relation(
        "round of a measured load, however the network is called",
        {**_ROUNDS, "apart": "null for how `results` shows it, else another way: eager, compiled."},
        "select apart, avg(images_per_second) from speed_rounds_all group by apart",
    ),
    "speedups": Relation(
        "measured load that was timed beside the baseline's",
        {
            **_LOAD,
            "n": "How many rounds.",
            "ratio": "How many times as fast as the baseline: the geometric mean over rounds.",
            "low": "Lower end of its 95 % interval.",
            "high": "Upper end of its 95 % interval.",
        },
        "select job, ratio, low, high from speedups",
    ),
    "samples": Relation(
        "image of a pack",
        {"job": "The pack's job.", "position": "Its place in the pack, from 0.",
         "sample": "The image: the SHA-256 of its content."},
        "select count(*) from samples",
    ),
    "splits": Relation(
        "image of a training job's split",
        {"job": "The training job.", "digest": "A digest of the whole split.",
         "part": "train, val, test or unused.", "sample": "The image: the SHA-256 of its content."},
        "select part, count(*) from splits where job = '...' group by part",
    ),
    "provenance": Relation(
        "attempt, with what it ran on",
        {
            "job": "The job's id.",
            "attempt": "Which attempt, from 1.",
            "git_commit": "The commit of the code, null outside of a checkout.",
            "git_dirty": "Whether the checkout had changes.",
            "python": "Python's version.",
            "torch": "PyTorch's version.",
            "timm": "timm's version.",
            "host": "The machine.",
            "device": "The device.",
            "driver": "The GPU's driver.",
            "spec_digest": "A digest of the job's settings.",
            "data_digest": "A digest of the images.",
            "code_digest": "A digest of the code that a job can reach.",
            "changes_digest": "A digest of the checkout's changes.",
            "more": "Other things about the machine, as JSON.",
        },
        "select distinct torch, device, code_digest from provenance",
    ),
    "published": Relation(
        "number that the paper reports, from published.csv",
        {
            "phase": "The paper's phase.",
            "section": "The heading it stands under.",
            "model": "The network.",
            "attention": "Its attention.",
            "teacher": "Its teacher.",
            "prune": "The share pruned.",
            "split": "The split.",
            "batch_size": "The batch size, in images.",
            "windows": "The windows of the four stages.",
            "metric": "What was measured.",
            "value": "The number, in its unit.",
            "unit": "Its unit.",
            "change": "The change that the paper prints.",
            "change_unit": "The unit of that change.",
            "against": "What it was compared with.",
            "relative_change": "The change if it was meant relative, in per cent.",
            "relative_baseline": "The baseline that would follow.",
            "absolute_change": "The change if it was meant absolute, in points.",
            "absolute_baseline": "The baseline that would follow.",
        },
        "select model, metric, value, unit from published",
    ),
    "damaged": Relation(
        "file that is not as it was written, and is left out everywhere else",
        {"experiment": "The experiment it tells of, or null.", "job": "The job it tells of, or null.",
         "file": "The file.", "what": "What is wrong with it."},
        "select file, what from damaged",
    ),
    "results": Relation(
        "run, with every metric as a column", _RESULTS,
        "select arm, avg(test_top1) from results where experiment = 'quickstart' group by arm",
    ),
    "results_live": Relation(
        "run, as `results`, worked out when it is asked", _RESULTS, "select arm, seed, state from results_live",
    ),
    "cells": Relation(
        "arm at a point of the matrix, and metric, over seeds",
        {
            **{name: _RUN[name] for name in ("experiment", "arm", "cell", "split")},
            "metric": "The metric, as `results` names it.",
            "n": "How many values: seeds, or measurements where one serves all seeds.",
            "mean": "Their mean, in the metric's unit.",
            "std": "Their standard deviation; null of one.",
            "low": "Lower end of the mean's 95 % interval (Student's t); null of one.",
            "high": "Upper end of the mean's 95 % interval (Student's t); null of one.",
            "not_finite": "How many values were NaN or infinite, and are left out.",
        },
        "select arm, mean, low, high from cells where metric = 'test_top1'",
    ),
}  # fmt: skip
"""The relations that xp sql shows, by name."""
