"""What a report says: takes rows of the store, gives a Page of finished text and charts, and no arithmetic is left."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.analysis.claims import Judged
from engine.analysis.compression import Compression
from engine.analysis.factorial import Factorial
from engine.analysis.searches import gather_searches
from engine.analysis.snapshot import Row
from engine.analysis.things import is_taught
from engine.core.data.wordnet import class_title
from engine.report import number_text
from engine.report.changes import Changes
from engine.report.charts.bars import Bars
from engine.report.charts.curves import Curves
from engine.report.charts.data.bars import bar_charts
from engine.report.charts.data.costs import cost_charts
from engine.report.charts.data.curves import curve_charts
from engine.report.charts.data.effects import effect_chart
from engine.report.charts.data.grids import search_grids
from engine.report.charts.data.likeness import likeness_chart
from engine.report.charts.effects import Effects
from engine.report.charts.grids import SearchGrid
from engine.report.charts.likeness import Likenesses
from engine.report.compression import CompressionSection, compression_section
from engine.report.front_chart import Front
from engine.report.images import image_facts
from engine.report.imported import ended_badly, imported_curves, is_imported, last_tables, notice_text, source_facts
from engine.report.maps import map_tables
from engine.report.pointing import pointing_tables
from engine.report.published import published_table
from engine.report.searches import SearchSection, search_section
from engine.report.sentences import say
from engine.report.sheet import ReportRows, Sheet
from engine.report.squares import FactorSection, factor_section
from engine.report.tables import (
    Table,
    claim_table,
    difference_table,
    result_table,
    run_table,
    varied_settings,
)  # fmt: skip
from engine.report.teachers import TeacherSection, teacher_section
from engine.verify.certificate import Certificate, resume_text, training_digest
from store.amounts import counted
from store.metrics import METRICS

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
    varied: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    effects: Effects | None = None
    likeness: Likenesses | None = None
    grids: Sequence[SearchGrid] = ()
    costs: Sequence[Front] = ()
    map_note: str = ""
    pointing: Sequence[Table] = ()
    map_rows: Sequence[Row] = ()
    compression: CompressionSection | None = None
    search: SearchSection | None = None
    notice: str = ""
    """What must be said before all else: that xp did not run this."""


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
    searches = gather_searches(json.loads(rows.about["spec"] or "{}"), rows.searches, rows.trials, rows.winners)
    return Page(
        experiment=name,
        title=rows.about["title"] or name,
        facts=_all_facts(rows, sheet, certificates),
        holes=_holes(rows, sheet),
        results=_result_tables(rows, sheet),
        charts=bar_charts(sheet),
        curves=imported_curves(rows) if is_imported(rows) else curve_charts(rows.curves, sheet),
        varied=varied_settings(sheet),
        effects=effect_chart(sheet),
        likeness=likeness_chart(rows.students, sheet),
        grids=search_grids(sheet),
        costs=cost_charts(sheet),
        maps=[_map_column(row) for row in rows.maps],
        teachers=teacher_section(rows, sheet),
        claims=claim_table(judged),
        differences=difference_table(sheet),
        published=published_table(rows, sheet),
        runs=run_table(rows),
        factors=factor_section(sheet, factorials),
        map_note=_map_note(rows.maps),
        map_rows=rows.maps,
        pointing=[*pointing_tables(rows.maps, sheet), *map_tables(rows.maps, sheet)],
        compression=compression_section(sheet, compression),
        search=search_section(sheet, searches),
        notice=notice_text(rows),
    )


def _result_tables(rows: ReportRows, sheet: Sheet) -> list[Table]:
    """Return a table for each point; of imported runs what they logged, and ours where they have any of it."""
    ours = [result_table(sheet, point) for point in sheet.points]
    if not is_imported(rows):
        return ours
    return [*(ours if any(metric in IN_TABLES for _, _, metric in sheet.cells) else []), *last_tables(rows)]


def _resume_facts(rows: ReportRows, certificates: Sequence[Certificate]) -> list[tuple[str, str]]:
    if is_imported(rows):
        return source_facts(rows)
    return [("Resume after a kill", resume_text(certificates, _networks(rows)))]


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
        _submitted(rows),
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


def _all_facts(rows: ReportRows, sheet: Sheet, certificates: Sequence[Certificate]) -> list[tuple[str, str]]:
    """Return what was run and by what; of a search that ran trials alone its section tells."""
    if rows.trials and not rows.runs:
        return [_submitted(rows), ("Runs", say("only_trials"))]
    return [*_facts(rows, sheet), *_resume_facts(rows, certificates)]


def _submitted(rows: ReportRows) -> tuple[str, str]:
    return "Submitted", f"{rows.about['submitted'] or 'unknown'} (submission {rows.about['submission']})"


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
        # Of what was paused or cancelled before it began, its runs tell.
        if job["state"] == "failed" or (job["attempts"] and job["state"] in ("cancelled", "paused")):
            reason = f": {job['reason']}" if job["reason"] else ""
            attempts = counted(job["attempts"], "attempt")
            holes.append(say("ended_job", job=job["job"], state=job["state"], attempts=attempts, reason=reason))
    for (arm, point, metric), row in sheet.cells.items():
        if metric in IN_TABLES and row["not_finite"]:
            seeds = f"{row['not_finite']} {'seed has a' if row['not_finite'] == 1 else 'seeds have a'}"
            holes.append(say("no_number", arm=arm, point=point, seeds=seeds, metric=metric))
    if is_imported(rows):
        return [*holes, *ended_badly(rows)]
    for run in rows.runs:
        if run["state"] == "done" and run["test_top1"] is None:
            holes.append(say("no_accuracy", arm=run["arm"], point=run["cell"], seed=run["seed"]))
    return holes


def _run_name(run: Row) -> str:
    return f"{run['arm']} {run['cell']} seed {run['seed']}"


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
