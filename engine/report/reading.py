"""The store asked for a page: takes a snapshot and an experiment's name, gives its rows, and its Page."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engine.analysis.agreement import compare_untaught
from engine.analysis.claims import check_claims
from engine.analysis.compression import read_compression
from engine.analysis.factorial import read_factorials
from engine.analysis.searches import chosen_by, read_search
from engine.analysis.snapshot import Snapshot
from engine.analysis.trainings import read_trainings
from engine.core.distill.answers import ANSWERS_FILE
from engine.errors import QueryError
from engine.home.commits import Damage, find_artifact_damage
from engine.report.changes import compare_baseline
from engine.report.page import SECTIONS, Page, make_page
from engine.report.sheet import ReportRows, Sheet
from engine.spec.synonyms import hint_word
from engine.verify.certificate import read_certificates
from store.metrics import METRICS

CURVES = "curves"
PARTS = (
    "runs", "cells", "jobs", "origins", CURVES, "teachers", "students", "bins", "maps", "splits", "images",
    "damaged", "noise", "commits", "imported", "imported_curves", "searched", "searches", "winners",
)  # fmt: skip


def read_page(snapshot: Snapshot, name: str, columns: Sequence[str] | None = None, *, with_curves: bool = True) -> Page:
    """Return the page of an experiment, its tables with `columns`. Raises QueryError for an unknown experiment.

    `with_curves`: its learning curves too, for which all that was ever logged is looked through.
    """
    rows = read_rows(snapshot, name, with_curves=with_curves)
    sheet = Sheet(rows)
    changes = compare_baseline(snapshot, name, sheet.arms, sheet.baseline)
    compression = read_compression(snapshot, name, sheet.baseline, changes.comparisons)
    factorials = read_factorials(snapshot, name, sheet.arms, sheet.baseline)
    certificates = read_certificates(snapshot.home, name)
    judged = check_claims(snapshot, name)
    return make_page(name, rows, judged, certificates, changes, factorials, compression, columns)


def check_columns(columns: Sequence[str]) -> None:
    """Raise QueryError for a column that is no metric, with the nearest that is."""
    for name in columns:
        if name not in METRICS:
            raise QueryError(f"there is no metric {name!r}", where="--columns", fix=hint_word(name, METRICS))


def read_rows(snapshot: Snapshot, name: str, *, with_curves: bool = True) -> ReportRows:
    """Return all that a page needs of the store for an experiment. Raises QueryError for an unknown one."""
    snapshot.check_experiment(name)
    (about,) = snapshot.ask("report_about", name=name)
    asked = [part for part in PARTS if with_curves or part != CURVES]
    parts = {CURVES: [], **{part: snapshot.ask(f"report_{part}", name=name) for part in asked}}
    published = snapshot.ask("report_published", section=SECTIONS[name]) if name in SECTIONS else []
    trainings, followings = read_trainings(snapshot, name), compare_untaught(snapshot, name)
    parts["damaged"] += _find_damage(snapshot, name)
    if parts["searches"]:
        metrics = chosen_by(read_search(json.loads(about["spec"] or "{}")))
        parts["trials"] = snapshot.ask("report_trials", name=name, metrics=metrics)
    return ReportRows(about=about, published=published, trainings=trainings, followings=followings, **parts)


def _find_damage(snapshot: Snapshot, name: str) -> list[dict[str, str]]:
    """Return what is damaged of the files that a report reads itself: maps, and answers that are compared."""
    home, found = snapshot.home, list[Damage]()
    for query, endings in (("report_maps", (".png", "looks.npz")), ("agreement_runs", (ANSWERS_FILE,))):
        for row in snapshot.ask(query, name=name):
            found += find_artifact_damage(home.job(row["job"]), endings)
    return [{"file": str(one.path.relative_to(home.root)), "what": one.what} for one in found]
