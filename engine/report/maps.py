"""What maps are worth in numbers: takes the rows of explaining jobs, gives tables of the deletion test and attention.

A map is said to find what its network uses only where the deletion test says so: the area under the curve is smaller
than in an order of chance on the same images (paired t test over images; p after Holm over the table), and that it does
so image by image only where it is smaller, too, than under the maps of other images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Row
from engine.analysis.statistics import MeanTest, holm, mean_test
from engine.report import number_text
from engine.report.sentences import say
from engine.report.sheet import Sheet
from engine.report.tables import Cell, Table
from store.metrics import MAP_WORDS

ALPHA = 0.05
HEADS = (
    "arm", "map", "deletion area", "gain on chance", "gain on other maps", "insertion area",
    "insertion, gain on chance", "insertion, on other maps", "images",
)  # fmt: skip
ATTENTION_HEADS = ("arm", "block", "head", "entropy [%]", "distance [pixels]", "on globals [%]", "if even [%]")


@dataclass(frozen=True)
class Worth:
    """What the deletion test gave of one kind of map of one run: areas, and gains over both controls by curve."""

    arm: str
    seed: int
    kind: str
    job: str
    images: int
    areas: Mapping[str, float]
    gains: Mapping[tuple[str, str], MeanTest | None]

    @property
    def words(self) -> str:
        return MAP_WORDS[self.kind]

    def gain(self, control: str, curve: str = "deletion") -> MeanTest | None:
        return self.gains[curve, control]


def map_tables(maps: Sequence[Row], sheet: Sheet) -> list[Table]:
    """Return for each point of the matrix what the maps are worth, and what attention is like in numbers."""
    tables = []
    for point in sheet.points:
        rows = [row for row in maps if row["cell"] == point]
        where = "" if point == "default" else f", {point}"
        worth = [one for row in rows for one in worth_of(row)]
        if worth:
            tables.append(_worth_table(worth, rows, f"The deletion test{where}"))
        attended = [row for row in rows if row.get("attention")]
        if attended:
            tables.append(_attention_table(attended, f"Attention in numbers{where}"))
    return tables


def worth_of(row: Row) -> Iterator[Worth]:
    """Yield what the deletion test of one explained run gave, kind by kind."""
    told: Mapping[str, Any] = json.loads(row.get("deletion") or "{}")
    for kind, found in told.get("kinds", {}).items():
        gains = {
            (curve, control): mean_test(found[curve][control]["mean"], found[curve][control]["std"], told["images"])
            for curve in ("deletion", "insertion")
            for control in ("chance", "others")
        }
        areas = {curve: found[curve]["area"] for curve in ("deletion", "insertion")}
        yield Worth(row["arm"], row["seed"], kind, row["job"], told["images"], areas, gains)


def _worth_table(worth: Sequence[Worth], rows: Sequence[Row], title: str) -> Table:
    body = [[Cell(text, one.job) for text in _texts(one)] for one in worth]
    return Table(title, HEADS, body, [*worth_notes(worth), *_omitted_notes(rows), say("deletion_note")], words=2)


def _texts(one: Worth) -> Iterator[str]:
    yield from (one.arm, one.words)
    for curve in ("deletion", "insertion"):
        yield from (f"{one.areas[curve]:.3f}", _gain(one.gain("chance", curve)), _gain(one.gain("others", curve)))
    yield str(one.images)


def _gain(found: MeanTest | None) -> str:
    return number_text.NONE if found is None else f"{found.mean:+.3f} ± {found.half:.3f}"


def worth_notes(worth: Sequence[Worth]) -> list[str]:
    """Return what may be said of each map: a table's tests are corrected together, those of each control apart."""
    tested = [one for one in worth if one.gain("chance") is not None]
    chance, others = (holm([_p_of(one, control) for one in tested]) for control in ("chance", "others"))
    told = {place: _verdict(one, chance[place], others[place]) for place, one in enumerate(tested)}
    texts = [_told_text(tested[place], word, chance[place]) for place, word in told.items() if word]
    open_ones = [_named(tested[place]) for place, word in told.items() if not word]
    return [*texts, say("map_open", which="; ".join(open_ones))] if open_ones else texts


def _p_of(one: Worth, control: str) -> float:
    found = one.gain(control)
    return 1.0 if found is None else found.p


def _verdict(one: Worth, chance_p: float, others_p: float) -> str:
    """Return the name of the sentence that the tests allow, '' where they leave it open."""
    chance, others = one.gain("chance"), one.gain("others")
    if chance is None or others is None or chance_p >= ALPHA:
        return ""
    if chance.mean < 0:
        return "map_misses"
    return "map_finds" if others.mean > 0 and others_p < ALPHA else "map_finds_somewhere"


def _named(one: Worth) -> str:
    chance = one.gain("chance")
    assert chance is not None
    return f"{one.words} of {one.arm} ({_edge(chance.mean - chance.half)} to {_edge(chance.mean + chance.half)})"


def _told_text(one: Worth, word: str, p: float) -> str:
    chance, others = one.gain("chance"), one.gain("others")
    assert chance is not None
    assert others is not None
    shown, sign = number_text.significant(p, 2), 1 if chance.mean > 0 else -1
    low, high = sorted(sign * (chance.mean + edge * chance.half) for edge in (-1, 1))
    return say(
        word, kind=one.words, arm=one.arm, seed=one.seed, images=one.images, gain=f"{abs(chance.mean):.3f}",
        low=_edge(low), high=_edge(high), others=f"{others.mean:+.3f} ± {others.half:.3f}",
        p=shown if float(shown) >= 0.001 else "below 0.001",
    )  # fmt: skip


def _edge(value: float) -> str:
    return f"{value:.3f}"


def _omitted_notes(rows: Sequence[Row]) -> list[str]:
    found = [
        (row["arm"], MAP_WORDS[kind], reason)
        for row in rows
        for kind, reason in json.loads(row.get("looks") or "{}").get("omitted", {}).items()
    ]
    return [say("map_omitted", arm=arm, kind=kind, reason=reason) for arm, kind, reason in found]


def _attention_table(rows: Sequence[Row], title: str) -> Table:
    body = [line for row in rows for line in _attention_lines(row, json.loads(row["attention"]))]
    return Table(title, ATTENTION_HEADS, body, [say("attention_note")], words=3)


def _attention_lines(row: Row, told: Mapping[str, Any]) -> Iterator[list[Cell]]:
    heads: Mapping[str, Sequence[float]] = told["heads"]
    for head in range(len(heads["attention_entropy"])):
        shares = [heads[name][head] if name in heads else None for name in ("global_mass", "global_mass_even")]
        texts = [f"{100 * heads['attention_entropy'][head]:.1f}", f"{heads['attention_distance'][head]:.1f}"]
        texts += [number_text.NONE if share is None else f"{100 * share:.1f}" for share in shares]
        yield [Cell(text, row["job"]) for text in (row["arm"], told["layer"], str(head + 1), *texts)]
