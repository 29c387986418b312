"""What a report says: takes rows of the store, gives a Page of finished text and charts, and no arithmetic is left."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.analysis.claims import Judged
from engine.analysis.compression import Compression
from engine.analysis.factorial import Factorial
from engine.analysis.snapshot import Row
from engine.analysis.things import is_taught
from engine.core.data.wordnet import class_title
from engine.report import number_text
from engine.report.changes import Changes
from engine.report.compression import CompressionSection, compression_section
from engine.report.figures import Bars, Curves, Point
from engine.report.images import image_facts
from engine.report.pointing import pointing_tables
from engine.report.published import published_table
from engine.report.sentences import say
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
SHARED = {
    "Data": "data.source", "Image size": "data.image_size", "Epochs (recovery not counted)": "train.epochs",
    "Batch size": "train.batch_size", "Batches to a step": "train.accumulate", "Moving average": "train.ema",
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
    """The attention maps of one arm: the job they come from, and for each file what it shows, what was said, and which
    image of the data it is."""

    arm: str
    cell: str
    job: str
    seed: int
    titles: Mapping[str, str]
    captions: Mapping[str, str]
    samples: Mapping[str, str] = field(default_factory=dict)


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
    chart_notes: Sequence[str] = ()
    map_note: str = ""
    pointing: Sequence[Table] = ()
    compression: CompressionSection | None = None


def make_page(
    name: str,
    rows: ReportRows,
    judged: Sequence[Judged] = (),
    certificates: Sequence[Certificate] = (),
    changes: Changes | None = None,
    factorials: Sequence[Factorial] = (),
    compression: Compression | None = None,
    columns: Sequence[str] | None = None,
) -> Page:
    """Return the report of an experiment with its judged claims, holes and failures included.

    `columns` are the metrics of the tables of results, in their order; by default those of the spec.
    """
    sheet = Sheet(rows, changes, columns)
    charts, curves = [chart for chart in _charts(sheet) if not chart.is_empty], _curves(rows, sheet)
    notes = [note for chart in charts for note in chart.notes] + [note for one in curves for note in one.notes]
    return Page(
        experiment=name,
        title=rows.about["title"] or name,
        facts=[*_facts(rows, sheet), ("Resume after a kill", resume_text(certificates, _networks(rows)))],
        holes=_holes(rows, sheet),
        results=[result_table(sheet, point) for point in sheet.points],
        charts=charts,
        curves=curves,
        maps=[_map_column(row) for row in rows.maps],
        teachers=teacher_section(rows, sheet),
        claims=claim_table(judged),
        differences=difference_table(sheet),
        published=published_table(rows, sheet),
        runs=run_table(rows),
        factors=factor_section(sheet, factorials),
        chart_notes=list(dict.fromkeys(notes)),
        map_note=_map_note(rows.maps),
        pointing=pointing_tables(rows.maps, sheet),
        compression=compression_section(sheet, compression),
    )


def _map_column(row: Row) -> MapColumn:
    shown = json.loads(row["maps"] or "{}").get("images", [])
    classes = json.loads(row["classes"] or "[]")

    def name_of(label: int) -> str:
        return class_title(str(classes[label])) if label < len(classes) else f"class {label}"

    titles = {one["file"]: name_of(one["label"]) for one in shown}
    says = {True: "right", False: "wrong"}
    captions = {one["file"]: f"{name_of(one['predicted'])}, {says[one['predicted'] == one['label']]}" for one in shown}
    samples = {one["file"]: str(one["sample"]) for one in shown if "sample" in one}
    return MapColumn(row["arm"], row["cell"], row["job"], row["seed"], titles, captions, samples)


def _map_note(maps: Sequence[Row]) -> str:
    """Say what is laid over the pictures: a network without attention shows how strong its features are."""
    methods = {row["arm"]: json.loads(row["maps"] or "{}").get("method") for row in maps}
    energy = [arm for arm, method in methods.items() if method == "feature_energy"]
    name = "maps_energy" if len(energy) == len(methods) else "maps_both" if energy else "maps_attention"
    outlined = say("maps_outlined") if any(row.get("boxes") for row in maps) else ""
    return say("maps_note", what=say(name, arms=", ".join(energy)), outlined=outlined) if maps else ""


def _facts(rows: ReportRows, sheet: Sheet) -> list[tuple[str, str]]:
    done = sum(run["state"] == "done" for run in rows.runs)
    seeds = sorted({run["seed"] for run in rows.runs})
    # A record that somebody made by hand tells of no split.
    splits = list(dict.fromkeys(run["split"] or "unknown" for run in rows.runs))
    facts = [
        ("Submitted", f"{rows.about['submitted'] or 'unknown'} (submission {rows.about['submission']})"),
        ("Arms", ", ".join(sheet.arms)),
        ("Baseline", sheet.baseline or "none named"),
        ("Split (train/val/test)", ", ".join(splits)),
        ("Seeds", ", ".join(map(str, seeds))),
        ("Runs", f"{done} of {len(rows.runs)} done"),
    ]
    if sheet.epochs is not None:
        facts.append(("Epochs, recovery included", f"{sheet.epochs:g}"))
    facts += _shared_facts(sheet)
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
        ("Commit", ", ".join(commits) or (say("no_checkout") if rows.origins else "unknown")),
    ]


def _shared_facts(sheet: Sheet) -> Iterator[tuple[str, str]]:
    """Yield what all arms have in common; of teaching, what all taught arms have, and that it is of those."""
    trees = list(sheet.settings.values())
    taught = [tree for tree in trees if is_taught(tree)]
    for label, path in SHARED.items():
        is_of_teaching = path.startswith(("teacher.", "distill."))
        of = taught if is_of_teaching else trees
        values = {json.dumps(tree.get(path)): tree.get(path) for tree in of}
        is_told = path != "train.epochs" or sheet.epochs is None
        if path == "train.accumulate" and list(values.values()) == [1]:
            continue
        if len(values) == 1 and None not in values.values() and is_told:
            mark = " (taught arms)" if is_of_teaching and len(of) < len(trees) else ""
            yield label + mark, str(*values.values())


def _holes(rows: ReportRows, sheet: Sheet) -> list[str]:
    """Say plainly what is missing: damaged files, runs by state, failed jobs with their reason, figures that some seeds
    lack."""
    states: dict[str, list[Row]] = defaultdict(list)
    for run in rows.runs:
        if run["state"] != "done":
            states[run["state"]].append(run)
    holes = [
        say(
            "some_runs", count=len(runs), all=len(rows.runs), state=state, which=_some([_run_name(run) for run in runs])
        )
        for state, runs in states.items()
    ]
    holes += [say("damaged_file", file=row["file"], what=row["what"]) for row in rows.damaged]
    for job in rows.jobs:
        if job["state"] in ("failed", "cancelled", "paused"):
            reason = f": {job['reason']}" if job["reason"] else ""
            attempts = _counted(job["attempts"], "attempt")
            holes.append(say("ended_job", job=job["job"], state=job["state"], attempts=attempts, reason=reason))
    for (arm, point, metric), row in sheet.cells.items():
        if metric in IN_TABLES and row["not_finite"]:
            seeds = f"{row['not_finite']} {'seed has a' if row['not_finite'] == 1 else 'seeds have a'}"
            holes.append(say("no_number", arm=arm, point=point, seeds=seeds, metric=metric))
    for run in rows.runs:
        if run["state"] == "done" and run["test_top1"] is None:
            holes.append(say("no_accuracy", arm=run["arm"], point=run["cell"], seed=run["seed"]))
    return holes


def _run_name(run: Row) -> str:
    return f"{run['arm']} {run['cell']} seed {run['seed']}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


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

    drawn = Bars(
        name=name, title=metric.label, unit=scale.axis, points=sheet.points,
        values={arm: [scaled(sheet.mean(arm, point, metric.name)) for point in sheet.points] for arm in sheet.arms},
        stds={arm: [scaled(sheet.std(arm, point, metric.name)) for point in sheet.points] for arm in sheet.arms},
        hatched=frozenset(arm for arm in sheet.arms if sheet.is_pruned(arm)),
    )  # fmt: skip
    return replace(drawn, notes=_bar_notes(drawn))


def _bar_notes(drawn: Bars) -> list[str]:
    notes = [say("bars_note")]
    notes += [say("whiskers_note")] if any(std for stds in drawn.stds.values() for std in stds) else []
    return notes + ([say("hatched_note")] if drawn.hatched else [])


def _curves(rows: ReportRows, sheet: Sheet) -> list[Curves]:
    """Validation accuracy and training loss at the first point of the matrix that has any."""
    point = next((point for point in sheet.points if any(row["cell"] == point for row in rows.curves)), None)
    if point is None:
        return []
    held = [row for row in rows.curves if row["cell"] == point]
    where = "" if point == "default" or len(sheet.points) == 1 else f", {point}"
    metrics = (METRICS["val_top1"], METRICS["train_loss"])
    charts = [_curve_chart([row for row in held if row["name"] == one.name], sheet, point, one) for one in metrics]
    return [
        replace(chart, title=chart.title + where)
        for chart in charts
        if any(len(line) > 1 for line in chart.lines.values())
    ]


def _curve_chart(rows: Sequence[Row], sheet: Sheet, point: str, metric: Metric) -> Curves:
    """Return one line for each arm that has one, also where two are equal: each arm is on the chart."""
    scale, lines = number_text.scale_of(metric), dict[str, list[Point]]()
    before = {arm: _epochs_before(rows, sheet, arm, point) for arm in sheet.arms}
    for row in rows:
        done = before[row["arm"]] if row["role"] == "prune" else 0
        lines.setdefault(row["arm"], []).append((done + row["epoch"] + 1, row["mean"] * scale.factor))
    kept = {arm: sorted(lines[arm]) for arm in sheet.arms if arm in lines}
    pruned = {arm: before[arm] for arm in kept if sheet.mean(arm, point, "prune_asked")}
    drawn = Curves(f"curve_{metric.name}", metric.label, scale.axis, kept, sheet.arms, pruned)
    return replace(drawn, notes=_curve_notes(rows, drawn))


def _epochs_before(rows: Sequence[Row], sheet: Sheet, arm: str, point: str) -> int:
    """Return the epochs of an arm before pruning: those that were asked for, else those that were logged."""
    asked = sheet.settings.get((arm, point), {}).get("train.epochs")
    logged = [row["epoch"] + 1 for row in rows if row["arm"] == arm and row["role"] != "prune"]
    return int(asked) if asked is not None else max(logged, default=0)


def _curve_notes(rows: Sequence[Row], drawn: Curves) -> list[str]:
    """Return what must be known to read the chart: only what is true of what it shows."""
    fewer = dict.fromkeys(row["arm"] for row in rows if row["n"] < row["seeds"])
    notes = [say("curves_note")]
    notes += [say("cross_note")] if drawn.pruned else []
    notes += [say("dashes_note")] if any(len(arms) > 1 for arms in drawn.owners.values()) else []
    notes += [say("fewer_note", arms=", ".join(fewer))] if fewer else []
    return notes
