"""The section 'Is the teacher over-confident?': takes rows of the store, gives its tables, its chart and its sentences.

The rules behind the verdicts are in verdicts.py, the sentences in sentences.py, and which arms differ in one remedy
alone is for remedies.py to say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.analysis.agreement import Following
from engine.analysis.snapshot import Row
from engine.analysis.trainings import UNKNOWN, unknown_jobs
from engine.report import number_text
from engine.report.charts.reliability import LEAST_BIN, Reliability, ReliabilityLine
from engine.report.remedies import Taught, find_assisted, find_softened, softer_advice
from engine.report.sentences import PART_TEXTS, say
from engine.report.sheet import ReportRows, Sheet
from engine.report.tables import Cell, Table
from engine.report.teacher_notes import calibration_notes, is_held_out, is_seen, part_text, teacher_notes
from engine.report.verdicts import Look, Verdict, judge_capacity, judge_following, judge_noise, judge_sureness

PARTS = ("train", "val", "test", "all", "unseen")
HELD_OUT = ("test", "val", "all", "unseen")
PERCENT = ("top1", "top5", "confidence", "sure_share", "in_slice_mass", "contradicted")
COLUMNS = {
    "top1": "top-1 [%]", "confidence": "confidence [%]", "signed_ece": "signed ECE", "fitted_temperature": "fitted T",
    "sure_share": "above 0.99 [%]", "entropy": "entropy", "nll": "NLL", "ece": "ECE",
    "wrong_entropy": "wrong-class entropy", "contradicted": "contradicted [%]", "in_slice_mass": "in-slice mass [%]",
}  # fmt: skip
STUDENT_KEY = ("arm", "cell", "part", "name")
NOISE, GAP = "'noisy labels' (a teacher too sure to teach)", "'capacity gap' (a teacher too far above the student)"
COLUMN_NOTES = {
    "share_note": ("sure_share",), "sure_note": ("signed_ece", "fitted_temperature"),
    "entropy_note": ("entropy", "wrong_entropy"), "wrong_note": ("wrong_entropy",),
    "contradicted_note": ("contradicted",),
}  # fmt: skip
Key = tuple[str, str]
Agreement = Mapping[tuple[str, str, str, str], float]  # by arm, cell, part, name


@dataclass(frozen=True)
class TeacherSection:
    """All that the report says of its teachers."""

    table: Table
    students: Table | None
    reliability: Reliability | None
    sentences: Sequence[str]


@dataclass(frozen=True)
class _Teacher:
    """One teacher on one split: its figures by part, the arms it teaches, and those whose students hear it itself."""

    job: str
    split: str
    label: str
    arms: frozenset[str]
    heard_by: frozenset[str]
    is_reference: bool
    is_assistant: bool
    is_unknown: bool
    parts: Mapping[str, Mapping[str, float]]

    @property
    def name(self) -> str:
        return f"{self.label}, split {self.split}"

    @property
    def held_out(self) -> str:
        """The part to judge it on: images it did not train on, as far as there are any."""
        found = next((part for part in HELD_OUT if is_held_out(self.parts.get(part, {}))), "")
        # A network of ImageNet saw train too: it is judged on what is new to it, or not at all.
        return found or ("unseen" if "seen_share" in self.parts.get("all", {}) else "train")


def teacher_section(rows: ReportRows, sheet: Sheet) -> TeacherSection | None:
    """Return the section, None where the experiment has no teacher that was examined."""
    teachers = _read_teachers(rows)
    if not teachers:
        return None
    agreement = {tuple(row[name] for name in STUDENT_KEY): float(row["mean"]) for row in rows.students}
    drawn, parts = _reliability(rows, teachers)
    judged = [(one, _judge(one, teachers, sheet, rows.followings)) for one in teachers if not one.is_reference]
    sentences = [line for one, verdicts in judged for line in _sentences(one, verdicts)]
    return TeacherSection(
        table=_teacher_table(teachers, _notes(teachers, parts, sentences)),
        students=_student_table(sheet, agreement, rows.followings),
        reliability=drawn,
        sentences=sentences,
    )


def _read_teachers(rows: ReportRows) -> list[_Teacher]:
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in rows.teachers:
        groups[row["job"], row["split"]].append(row)
    labels, teachers = _labels(rows), list[_Teacher]()
    for key, group in groups.items():
        teacher = _read_teacher(key, group, labels)
        twin = next((at for at, other in enumerate(teachers) if _is_same(other, teacher)), None)
        if twin is None:
            teachers.append(teacher)
        else:  # the same teacher with other views, or in the step
            teachers[twin] = _joined(teachers[twin], teacher)
    return _with_ids(teachers)


def _joined(one: _Teacher, other: _Teacher) -> _Teacher:
    is_reference = one.is_reference and other.is_reference
    is_assistant = one.is_assistant or other.is_assistant
    arms, heard_by = one.arms | other.arms, one.heard_by | other.heard_by
    return replace(one, arms=arms, heard_by=heard_by, is_reference=is_reference, is_assistant=is_assistant)


def _is_same(one: _Teacher, other: _Teacher) -> bool:
    return (one.label, one.split, one.parts) == (other.label, other.split, other.parts)


def _with_ids(teachers: Sequence[_Teacher]) -> list[_Teacher]:
    """Tell teachers of one network apart by the ids of their targets."""
    jobs: dict[str, set[str]] = defaultdict(set)
    for teacher in teachers:
        jobs[teacher.label].add(teacher.job)
    return [
        replace(one, label=f"{one.label} ({one.job.partition('-')[2][:6]})") if len(jobs[one.label]) > 1 else one
        for one in teachers
    ]


def _read_teacher(key: Key, rows: Sequence[Row], labels: Mapping[str, str]) -> _Teacher:
    parts: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        parts[row["part"]][row["name"]] = float(row["value"])
    arms, heard_by = (frozenset(rows[0][name].split(", ")) - {""} for name in ("arms", "heard_by"))
    figures = dict(sorted(parts.items(), key=_place))
    is_reference, is_assistant = bool(rows[0]["is_reference"]), bool(rows[0]["is_assistant"])
    is_unknown = bool(rows[0]["is_unknown"])
    return _Teacher(key[0], key[1], labels[key[0]], arms, heard_by, is_reference, is_assistant, is_unknown, figures)


def _place(part: tuple[str, Any]) -> int:
    return PARTS.index(part[0]) if part[0] in PARTS else len(PARTS)


def _labels(rows: ReportRows) -> dict[str, str]:
    """Return a name for each targets job: its network, and the scale of its logits where there is one."""
    names, unknown = {}, unknown_jobs(rows.trainings)
    for row in rows.teachers:
        scale = "" if row["scale"] == 1 else f" x {row['scale']:g}"
        names[row["job"]] = f"{row['arch'] or 'teacher'}{scale}" + (f" {UNKNOWN}" if row["job"] in unknown else "")
    return names


def _teacher_table(teachers: Sequence[_Teacher], notes: Sequence[str]) -> Table:
    known = {name for teacher in teachers for figures in teacher.parts.values() for name in figures}
    names = [name for name in COLUMNS if name in known]
    body = [
        [Cell(teacher.label, teacher.job), Cell(teacher.split), Cell(part_text(part, figures))]
        + [Cell(judge_sureness(figures) if part == teacher.held_out else "")]
        + [Cell(_figure(name, figures.get(name)), teacher.job) for name in names]
        for teacher in teachers
        for part, figures in teacher.parts.items()
    ]
    teaches = [_role_text(teacher) for teacher in teachers]
    teaches += [note for teacher in teachers for note in teacher_notes(teacher.label, teacher.parts)]
    columns = ["teacher", "split", "part", "judged", *(COLUMNS[name] for name in names)]
    return Table("", columns, body, [*teaches, *notes])


def _role_text(teacher: _Teacher) -> str:
    who = f"{teacher.label}, split {teacher.split}," + (" an assistant," if teacher.is_assistant else "")
    if teacher.is_reference:
        return say("reference_role", who=who, arms=", ".join(sorted(teacher.arms)))
    near, far = (", ".join(sorted(arms)) for arms in (teacher.heard_by, teacher.arms - teacher.heard_by))
    whom = [*([near] if near else []), *([f"{far} through assistants"] if far else [])]
    return say("teacher_role", who=who, whom=" and ".join(whom))


def _figure(name: str, value: float | None) -> str:
    if value is None or (name == "fitted_temperature" and value == 0):
        return number_text.NONE
    return f"{100 * value:.1f}" if name in PERCENT else number_text.significant(value)


def _student_table(sheet: Sheet, agreement: Agreement, followings: Sequence[Following]) -> Table | None:
    """How near each arm came to its teacher, and how near untaught students of its shape are."""
    pairs = [
        (arm, cell) for cell in sheet.points for arm in sheet.arms if (arm, cell, "train", "agreement") in agreement
    ]
    if not pairs:
        return None
    columns = [f"{name} on {part}" for name in ("agreement [%],", "KL [nats],") for part in ("train", "test")]
    body = []
    for arm, cell in pairs:
        runs = ", ".join(run["run"] for run in sheet.runs[arm, cell])
        cells = [Cell(arm if len(sheet.points) == 1 else f"{arm}, {cell}", runs)]
        for name, write in (("agreement", number_text.percent), ("divergence", number_text.significant)):
            values = [agreement.get((arm, cell, part, name)) for part in ("train", "test")]
            texts = [number_text.NONE if value is None else write(value).removesuffix(" %") for value in values]
            cells += [Cell(text, f"{name} of {runs}") for text in texts]
        body.append(cells)
    untaught = _untaught_rows(sheet, followings)
    notes = [say("students_note"), *calibration_notes(agreement), *([say("untaught_note")] if untaught else [])]
    return Table("", ["student", *columns], body + untaught, notes)


def _untaught_rows(sheet: Sheet, followings: Sequence[Following]) -> list[list[Cell]]:
    pairs: dict[tuple[str, str, str], dict[str, Following]] = defaultdict(dict)
    for one in followings:
        if one.untaught:
            pairs[one.against, one.arm, one.cell][one.part] = one
    return [_untaught_row(sheet, *place, parts) for place, parts in pairs.items()]


def _untaught_row(sheet: Sheet, against: str, arm: str, cell: str, parts: Mapping[str, Following]) -> list[Cell]:
    where = "" if len(sheet.points) == 1 else f", {cell}"
    runs = ", ".join(run["run"] for run in sheet.runs[against, cell])
    cells = [Cell(f"{against}{where} (untaught), beside {arm}", runs)]
    for name, write in (("agreement", number_text.percent), ("divergence", number_text.significant)):
        for part in ("train", "test"):
            seeds = [getattr(near, name) for near in parts[part].untaught.values()] if part in parts else []
            text = write(sum(seeds) / len(seeds)).removesuffix(" %") if seeds else number_text.NONE
            cells.append(Cell(text, f"{name} of {runs}"))
    return cells


def _reliability(rows: ReportRows, teachers: Sequence[_Teacher]) -> tuple[Reliability | None, list[str]]:
    """Return the diagram, and the parts of the data that are drawn in it."""
    parts: dict[str, None] = {}
    bins = {row["job"]: json.loads(row["parts"]) for row in rows.bins}
    lines: dict[str, ReliabilityLine] = {}
    for teacher in teachers:
        drawn = bins.get(teacher.job, {})
        part = next((part for part in HELD_OUT if part in drawn and not is_seen(teacher.parts.get(part, {}))), None)
        if part is not None:
            values = (tuple(drawn[part][name]) for name in ("counts", "accuracy", "confidence"))
            name = teacher.label if teacher.label not in lines else f"{teacher.label}, {teacher.split}"
            lines[name] = ReliabilityLine(*values)
            parts[part] = None
    title = "Reliability and confidence of the teachers"
    return (Reliability("reliability", title, lines) if lines else None), list(parts)


# The sentences --------------------------------------------------------------------------------------------------------


def _judge(
    teacher: _Teacher, teachers: Sequence[_Teacher], sheet: Sheet, followings: Sequence[Following]
) -> dict[str, Verdict]:
    """Return the verdicts on 'noisy labels' and 'capacity gap' for one teacher, by the rules.

    An assistant is no teacher that may be too far above: the gap is that of the teacher behind it.
    """
    places = [place for place, tree in sheet.settings.items() if tree.get("data.split") == teacher.split]
    heard = [arm for arm, _ in places if arm in teacher.heard_by]
    told = [one for one in followings if one.arm in teacher.heard_by and (one.arm, one.cell) in places]
    arm = (heard or sorted(teacher.heard_by) or sorted(teacher.arms))[0]
    control = judge_following(told, arm)
    accuracy = teacher.parts.get("test", {}).get("top1")
    taught = Taught(teacher.arms, teacher.split, accuracy, _assistants(teachers, teacher))
    advice = softer_advice(teacher.heard_by, sheet)
    noise = judge_noise(_look(teacher), control, find_softened(taught, sheet), advice)
    advice = say("add_assistant" if teacher.heard_by else "add_direct", arm=arm)
    capacity = judge_capacity(control, find_assisted(taught, sheet), advice, is_direct=bool(teacher.heard_by))
    return {NOISE: noise} if _only_assists(teacher, sheet) else {NOISE: noise, GAP: capacity}


def _only_assists(teacher: _Teacher, sheet: Sheet) -> bool:
    helped = {arm for (arm, _), tree in sheet.settings.items() if tree.get("teacher.assistants")}
    return teacher.is_assistant and teacher.heard_by <= helped


def _assistants(teachers: Sequence[_Teacher], teacher: _Teacher) -> dict[str, list[float | None]]:
    """Return the test accuracy of each assistant of this split by the arms that it helps, None where unknown."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for other in teachers:
        if other.is_assistant and other.split == teacher.split and other is not teacher:
            for arm in other.arms:
                found[arm].append(other.parts.get("test", {}).get("top1"))
    return found


def _look(teacher: _Teacher) -> Look:
    held_out = teacher.held_out
    train_part = "train" if "train" in teacher.parts else held_out
    figures, seen = (teacher.parts.get(part, {}) for part in (held_out, train_part))
    return Look(figures, seen, held_out, train_part, teacher.is_unknown)


def _sentences(teacher: _Teacher, verdicts: Mapping[str, Verdict]) -> list[str]:
    return [
        " ".join([say(one.word, teacher=teacher.name, what=name, reason=one.reason), *one.advice])
        for name, one in verdicts.items()
    ]


def _notes(teachers: Sequence[_Teacher], drawn: Sequence[str], sentences: Sequence[str]) -> list[str]:
    """Return what must be known to read the table: only what is true of what it shows."""
    known = {name for teacher in teachers for figures in teacher.parts.values() for name in figures}
    columns = [say(note) for note, names in COLUMN_NOTES.items() if known.intersection(names)]
    notes = [" ".join([say("centre_note"), *columns])]
    notes += [_judged_note(teacher) for teacher in teachers]
    if drawn:
        wheres = ", ".join(PART_TEXTS[part] for part in drawn)
        notes.append(say("diagram_note", wheres=wheres, least=LEAST_BIN))
    text = " ".join(sentences)
    notes += [say("interval_note")] if " points [" in text else []
    notes += [say("closer_note")] if ": KL " in text else []
    return notes


def _judged_note(teacher: _Teacher) -> str:
    about = {"teacher": teacher.name, "where": PART_TEXTS[teacher.held_out]}
    if teacher.held_out == "train":
        return say("seen_note", teacher=teacher.name)
    return say("unknown_note" if teacher.is_unknown else "unseen_note", **about)
