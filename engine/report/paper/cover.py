"""What stands before a paper's chapters: takes a paper and one snapshot, gives finished text, no arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.analysis.snapshot import Snapshot
from engine.load.paper_file import LoadedPaper
from engine.report import number_text
from engine.report.paper.beside import Beside, set_beside
from engine.report.paper.evidence import Record, read_record
from engine.report.paper.judging import Settled, settle
from engine.report.paper.outcomes import Word
from engine.report.paper.sentences import say
from engine.report.tables import Cell, Table

EXPERIMENT_COLUMNS = ("experiment", "size", "runs done", "training time")
VERDICTS: tuple[Word, ...] = ("holds", "refuted", "undecided", "not run")


@dataclass(frozen=True)
class Line:
    """One thing that decided a saying, with its own verdict, and the runs behind it."""

    verdict: str
    text: str
    source: str = ""


@dataclass(frozen=True)
class Answer:
    """A saying of the paper and what it comes to here, ready to be laid out; `kind` is the verdict as one word."""

    number: int
    says: str
    printed: str
    verdict: str
    kind: str
    lines: Sequence[Line]
    needs: str = ""


@dataclass(frozen=True)
class Cover:
    """The first part of a paper's page."""

    lead: Sequence[str]
    notes: Sequence[str]
    experiments: Table
    claims: Sequence[Answer]
    inconsistencies: Sequence[Answer]
    beside: Beside
    claim_count: str
    inconsistency_count: str


def make_cover(snapshot: Snapshot, loaded: LoadedPaper, names: Sequence[str]) -> Cover:
    """Return the cover of a paper whose experiments have these names, in its order."""
    record = read_record(snapshot, names, loaded.paper.conditions)
    claims, wrongs = (settle(one, record) for one in (loaded.claims, loaded.inconsistencies))
    beside = set_beside(record)
    return Cover(
        lead=[say("page_of"), say("how_judged"), _beside_text(beside), say("beside", more=_conditions(record))],
        notes=loaded.paper.notes,
        experiments=_experiment_table(names, record),
        claims=_answers(claims),
        inconsistencies=_answers(wrongs),
        beside=beside,
        claim_count=_counts(claims),
        inconsistency_count=_counts(wrongs),
    )


def _beside_text(beside: Beside) -> str:
    if not beside.found:
        return say("none_corresponds", count=beside.count)
    return say("some_correspond", found=beside.found, count=beside.count)


def _conditions(record: Record) -> str:
    given = record.conditions
    words = {"image size": given.image_size, "number of classes": given.classes, "epochs": given.epochs}
    return "".join(f", {name}" for name, value in words.items() if value is not None)


def _counts(settled: Iterable[Settled]) -> str:
    """Return `1 holds, 2 refuted, 11 undecided, 0 not run`."""
    words = [one.verdict for one in settled]
    return ", ".join(f"{words.count(word)} {word}" for word in VERDICTS)


def _answers(settled: Sequence[Settled]) -> list[Answer]:
    return [
        Answer(
            number, one.saying.says, one.saying.printed, one.verdict_text, one.verdict.replace(" ", "_"),
            [Line(line.verdict, line.line, line.source) for line in one.outcomes],
            one.saying.needs if one.verdict in ("not run", "undecided") else "",
        )
        for number, one in enumerate(settled, 1)
    ]  # fmt: skip


def _experiment_table(names: Sequence[str], record: Record) -> Table:
    return Table("", EXPERIMENT_COLUMNS, [_experiment_row(name, record) for name in names], words=2)


def _experiment_row(name: str, record: Record) -> list[Cell]:
    evidence = record.found.get(name)
    if evidence is None:
        return [Cell(name), Cell("not submitted"), *[Cell(number_text.NONE)] * 2]
    runs = [run for group in evidence.sheet.runs.values() for run in group]
    done = sum(run["state"] == "done" for run in runs)
    spent = number_text.duration(evidence.train_seconds)
    return [Cell(name), Cell(evidence.size_text(record.conditions)), Cell(f"{done} of {len(runs)}"), Cell(spent)]
