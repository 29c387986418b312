"""What a report says: takes rows of the store, gives a Page of finished text and charts, and no arithmetic is left."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.claims import Judged
from engine.analysis.factorial import Factorial
from engine.analysis.snapshot import Row
from engine.report import number_text
from engine.report.changes import Changes
from engine.report.figures import Bars, Curves
from engine.report.images import image_facts
from engine.report.pointing import pointing_tables
from engine.report.published import published_table
from engine.report.sheet import ReportRows, Sheet
from engine.report.squares import FactorSection, factor_section
from engine.report.tables import (
    Table,
    claim_table,
    difference_table,
    result_table,
    run_table,
)  # fmt: skip
from engine.report.teachers import TeacherSection, teacher_section
from engine.verify.certificate import Certificate, resume_text, training_digest
from store.metrics import METRICS, Metric

IN_TABLES = frozenset(metric.name for metric in METRICS.values() if metric.column)
Point = tuple[int, float]
SHARED = {
    "Data": "data.source", "Image size": "data.image_size", "Epochs (recovery not counted)": "train.epochs",
    "Batch size": "train.batch_size",
    "Learning rate": "train.lr", "Precision": "train.precision", "Tested at": "train.checkpoint",
    "Student": "student.arch", "Teacher": "teacher.arch", "Loss": "distill.loss", "Temperature": "distill.temperature",
    "Images from": "data.root",
}  # fmt: skip
SECTIONS = {
    "phase1_tiny_window": "Tiny Window Runs",
    "phase1_big_window": "Big Window Runs",
    "phase2_convnextv2": "Phase 2",
    "phase2_pruned": "Phase 2",
}  # which part of the paper an experiment repeats


@dataclass(frozen=True)
class MapColumn:
    """The attention maps of one arm: the job they come from, and for each file what it shows and what was said."""

    arm: str
    cell: str
    job: str
    seed: int
    titles: Mapping[str, str]
    captions: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """A whole report, ready to be laid out."""

    experiment: str
    title: str
    facts: Sequence[tuple[str, str]]
    holes: Sequence[str]
    results: Sequence[Table]
    charts: Sequence[Bars]
    curves: Sequence[Curves]
    maps: Sequence[MapColumn]
    teachers: TeacherSection | None
    claims: Table | None
    differences: Table | None
    published: Table | None
    runs: Table
    factors: FactorSection | None = None
    curve_note: str = ""
    pointing: Sequence[Table] = ()


def make_page(
    name: str,
    rows: ReportRows,
    judged: Sequence[Judged] = (),
    certificates: Sequence[Certificate] = (),
    changes: Changes | None = None,
    factorials: Sequence[Factorial] = (),
) -> Page:
    """Return the report of an experiment with its judged claims, holes and failures included."""
    sheet = Sheet(rows, changes)
    return Page(
        experiment=name,
        title=rows.about["title"] or name,
        facts=[*_facts(rows, sheet), ("Resume after a kill", resume_text(certificates, _networks(rows)))],
        holes=_holes(rows, sheet),
        results=[result_table(sheet, point) for point in sheet.points],
        charts=[chart for chart in _charts(sheet) if not chart.is_empty],
        curves=_curves(rows, sheet),
        maps=[_map_column(row) for row in rows.maps],
        teachers=teacher_section(rows, sheet),
        claims=claim_table(judged),
        differences=difference_table(sheet),
        published=published_table(rows, sheet),
        runs=run_table(rows),
        factors=factor_section(sheet, factorials),
        curve_note=_curve_note(sheet),
        pointing=pointing_tables(rows.maps, sheet),
    )


def _map_column(row: Row) -> MapColumn:
    shown = json.loads(row["maps"] or "{}").get("images", [])
    classes = json.loads(row["classes"] or "[]")

    def name_of(label: int) -> str:
        return str(classes[label]) if label < len(classes) else f"class {label}"

    titles = {one["file"]: name_of(one["label"]) for one in shown}
    says = {True: "right", False: "wrong"}
    captions = {one["file"]: f"{name_of(one['predicted'])}, {says[one['predicted'] == one['label']]}" for one in shown}
    return MapColumn(row["arm"], row["cell"], row["job"], row["seed"], titles, captions)


def _facts(rows: ReportRows, sheet: Sheet) -> list[tuple[str, str]]:
    done = sum(run["state"] == "done" for run in rows.runs)
    seeds = sorted({run["seed"] for run in rows.runs})
    splits = list(dict.fromkeys(run["split"] for run in rows.runs))
    facts = [
        ("Submitted", f"{rows.about['submitted'] or 'unknown'} (submission {rows.about['submission']})"),
        ("Arms", ", ".join(sheet.arms)),
        ("Baseline", sheet.baseline or "none named"),
        ("Split (train/val/test)", ", ".join(splits)),
        ("Seeds", ", ".join(map(str, seeds))),
        ("Runs", f"{done} of {len(rows.runs)} done"),
    ]
    shared = _shared_settings(sheet)
    is_taught = any("teacher.arch" in tree for tree in sheet.settings.values())
    for label, path in SHARED.items():
        is_idle = path.startswith("distill.") and not is_taught
        if shared.get(path) is not None and not is_idle:
            facts.append((label, str(shared[path])))
    facts.extend(image_facts(rows.images))
    facts.append(("Training time", number_text.duration(rows.about["train_seconds"] or 0.0)))
    return facts + _origin_facts(rows)


def _networks(rows: ReportRows) -> dict[str, str]:
    """Return what a certificate is compared with: each arm's digest, at its first point."""
    settings = {run["arm"]: json.loads(run["settings"]) for run in reversed(rows.runs) if run["settings"]}
    return {arm: training_digest(tree) for arm, tree in settings.items()}


def _origin_facts(rows: ReportRows) -> list[tuple[str, str]]:
    def all_of(*names: str) -> str:
        texts = [" ".join(str(row[name]) for name in names if row[name]) for row in rows.origins]
        return ", ".join(sorted({text for text in texts if text})) or "unknown"

    commits = sorted(
        {
            f"{row['git_commit'][:12]}{' with changes' if row['git_dirty'] else ''}"
            for row in rows.origins
            if row["git_commit"]
        }
    )
    versions = [f"{label} {all_of(label.lower())}" for label in ("Python", "torch", "timm")]
    return [
        ("Machine", f"{all_of('host')}: {all_of('device')}, {all_of('cpu_model')}"),
        ("Versions", ", ".join(versions)),
        ("Commit", ", ".join(commits) or "unknown (not run from a checkout)"),
    ]


def _shared_settings(sheet: Sheet) -> dict[str, Any]:
    trees = list(sheet.settings.values())
    return {
        path: value
        for path, value in (trees[0] if trees else {}).items()
        if all(tree.get(path) == value for tree in trees)
    }


def _holes(rows: ReportRows, sheet: Sheet) -> list[str]:
    """Say plainly what is missing: damaged files, runs by state, failed jobs with their reason, figures that some seeds
    lack."""
    states: dict[str, list[Row]] = defaultdict(list)
    for run in rows.runs:
        if run["state"] != "done":
            states[run["state"]].append(run)
    holes = [
        f"{len(runs)} of {len(rows.runs)} runs are {state}: "
        + _some([f"{run['arm']} {run['cell']} seed {run['seed']}" for run in runs])
        for state, runs in states.items()
    ]
    holes += [f"what {row['file']} told is left out: the file {row['what']}" for row in rows.damaged]
    for job in rows.jobs:
        if job["state"] in ("failed", "cancelled", "paused"):
            reason = f": {job['reason']}" if job["reason"] else ""
            holes.append(f"job {job['job']} is {job['state']} after {job['attempts']} attempts{reason}")
    for (arm, point, metric), row in sheet.cells.items():
        if metric in IN_TABLES and row["not_finite"]:
            holes.append(f"{arm} {point}: {row['not_finite']} seeds have a {metric} that is no number (left out)")
    for run in rows.runs:
        if run["state"] == "done" and run["test_top1"] is None:
            holes.append(f"{run['arm']} {run['cell']} seed {run['seed']} is done but has no test accuracy")
    return holes


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _charts(sheet: Sheet) -> list[Bars]:
    is_measured = any(metric == "infer_images_per_second" for _, _, metric in sheet.cells)
    charts = {
        "accuracy": METRICS["test_top1"],
        "throughput": METRICS["infer_images_per_second" if is_measured else "train_images_per_second"],
        "memory": sheet.shown("memory"),
        "parameters": METRICS["params"],
    }
    return [_bars(sheet, name, metric) for name, metric in charts.items()]


def _bars(sheet: Sheet, name: str, metric: Metric) -> Bars:
    scale = number_text.scale_of(metric)

    def scaled(value: float | None) -> float | None:
        return None if value is None else value * scale.factor

    return Bars(
        name=name, title=metric.label, unit=scale.axis, points=sheet.points,
        values={arm: [scaled(sheet.mean(arm, point, metric.name)) for point in sheet.points] for arm in sheet.arms},
        stds={arm: [scaled(sheet.std(arm, point, metric.name)) for point in sheet.points] for arm in sheet.arms},
        hatched=frozenset(arm for arm in sheet.arms if sheet.is_pruned(arm)),
    )  # fmt: skip


def _curve_note(sheet: Sheet) -> str:
    """The journal of a student ends where pruning begins, and recovery has one of its own."""
    pruned = [arm for arm in sheet.arms if sheet.is_pruned(arm)]
    return f"The curves of {', '.join(pruned)} end before pruning: recovery is not drawn." if pruned else ""


def _curves(rows: ReportRows, sheet: Sheet) -> list[Curves]:
    """Validation accuracy and training loss at the first point of the matrix that has any."""
    point = next((point for point in sheet.points if any(row["cell"] == point for row in rows.curves)), None)
    where = "" if point in (None, "default") or len(sheet.points) == 1 else f", {point}"
    charts = []
    for metric in (METRICS["val_top1"], METRICS["train_loss"]):
        scale, name = number_text.scale_of(metric), metric.name
        lines: dict[str, list[Point]] = defaultdict(list)
        for row in rows.curves:
            if row["cell"] == point and row["name"] == name:
                lines[row["arm"]].append((row["epoch"] + 1, row["mean"] * scale.factor))
        if any(len(line) > 1 for line in lines.values()):
            kept = {arm: lines[arm] for arm in sheet.arms if arm in lines}  # equal ones too: each arm is on the chart
            charts.append(Curves(f"curve_{name}", metric.label + where, scale.axis, kept, sheet.arms))
    return charts
