"""What the store says to a paper: takes one snapshot and experiments' names, gives claims, effects and sheets of each.

Asked of the store once for each experiment, and judged by the statistics that every report uses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from engine.analysis.claims import Judged, check_claims, judge_across
from engine.analysis.factorial import Factorial, read_factorials
from engine.analysis.snapshot import Row, Snapshot
from engine.report.reading import read_rows
from engine.report.sheet import Sheet
from engine.spec import Claim
from engine.spec.paper import Across, Conditions


@dataclass(frozen=True)
class Evidence:
    """One experiment as it stands: its figures, its judged claims by id, its factorials, its conditions."""

    name: str
    sheet: Sheet
    claims: Mapping[str, Sequence[Judged]]
    factorials: Sequence[Factorial]
    images: Sequence[Row] = ()
    train_seconds: float = 0.0

    @cached_property
    def classes(self) -> int | None:
        """How many classes its images have; None where packs differ or none is there yet."""
        packs = {json.loads(row["value"])["classes"] for row in self.images if row["name"] == "pack"}
        return packs.pop() if len(packs) == 1 else None

    def setting(self, path: str) -> set[object]:
        """Return the values that a setting has among its arms."""
        return {tree.get(path) for tree in self.sheet.settings.values()}

    def size_text(self, paper: Conditions) -> str:
        """Return under what its verdicts were found, `64 px, 10 classes`; the paper's own conditions say so."""
        sides = sorted(str(value) for value in self.setting("data.image_size"))
        own = self.setting("data.image_size") == {paper.image_size} and self.classes == paper.classes
        said = [f"{'/'.join(sides)} px", *([f"{self.classes} classes"] if self.classes else [])]
        return ", ".join(said) + (" (the paper's)" if own else "")


@dataclass(frozen=True)
class Record:
    """All the evidence of one snapshot, by experiment; those that were never submitted are absent."""

    snapshot: Snapshot
    published: Sequence[Row]
    conditions: Conditions
    found: Mapping[str, Evidence] = field(default_factory=dict)

    def across(self, words: Across) -> list[Judged]:
        """Return what two arms of any experiments come to, one against the other."""
        (_, _, arm), (_, _, against) = words.arm.partition("/"), words.against.partition("/")
        about = words.model_dump(include={"metric", "expect", "margin"})
        claim = Claim(id="across", text="", arm=arm, against=against, **about)
        return judge_across(self.snapshot, claim, words.arm, words.against)


def read_record(snapshot: Snapshot, names: Sequence[str], conditions: Conditions) -> Record:
    """Ask the store for the experiments of a paper that are there."""
    known = {row["experiment"] for row in snapshot.ask("claims_experiments")}
    found = {name: _read_evidence(snapshot, name) for name in names if name in known}
    return Record(snapshot, snapshot.ask("paper_published"), conditions, found)


def _read_evidence(snapshot: Snapshot, name: str) -> Evidence:
    rows = read_rows(snapshot, name)
    sheet = Sheet(rows)
    claims: dict[str, list[Judged]] = {}
    for judged in check_claims(snapshot, name):
        claims.setdefault(judged.claim.id, []).append(judged)
    factorials = read_factorials(snapshot, name, sheet.arms, sheet.baseline)
    return Evidence(name, sheet, claims, factorials, rows.images, rows.about["train_seconds"] or 0.0)
