"""The section 'Is the teacher over-confident?': takes rows of the store, gives its tables, its chart and its sentences.

The rules behind the sentences are in verdicts.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.analysis.snapshot import Row
from engine.analysis.statistics import paired_shares
from engine.report import number_text
from engine.report.figures import Reliability, ReliabilityLine
from engine.report.sheet import ReportRows, Sheet
from engine.report.tables import Cell, Table
from engine.report.teacher_notes import calibration_notes, is_held_out, is_seen, part_text, teacher_notes
from engine.report.verdicts import Remedy, judge_capacity, judge_noise, judge_sureness
from engine.spec.distill import LOSS_WORDS

PARTS = ("train", "val", "test", "all", "unseen")
HELD_OUT = ("test", "val", "all", "unseen")
PERCENT = ("top1", "top5", "confidence", "sure_share", "in_slice_mass", "contradicted")
COLUMNS = {
    "top1": "top-1 [%]", "confidence": "confidence [%]", "signed_ece": "signed ECE", "fitted_temperature": "fitted T",
    "sure_share": "above 0.99 [%]", "entropy": "entropy", "nll": "NLL", "ece": "ECE",
    "wrong_entropy": "wrong-class entropy", "contradicted": "contradicted [%]", "in_slice_mass": "in-slice mass [%]",
}  # fmt: skip
STUDENT_KEY = ("arm", "cell", "part", "name")
PLAIN = ("hinton", "soft_ce")
ROBUST = ("lskd", "ats", "dist")
LOSS_FIELDS = ("distill.loss", "distill.weight", "distill.label_weight")
NOTES = (
    "Centre crops. Above 0.99: share of images with such a confidence. Signed ECE above 0 and a fitted temperature T "
    "above 1 say too sure. Entropies in nats; wrong-class entropy is that of the wrong classes among themselves. "
    "Contradicted: labels that it gives less than 0.1 while it is above 0.9 sure of another class.",
    "Judged on images that xp did not train it on. The diagram is of the test images, of all images where the teacher "
    "saw no split; bins with fewer than 5 images are left out.",
    "Changes of test accuracy are over common seeds; the t intervals of a sentence hold at 95 % together (Bonferroni).",
)
Path = str
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
    parts: Mapping[str, Mapping[str, float]]

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
    return TeacherSection(
        table=_teacher_table(teachers),
        students=_student_table(sheet, agreement),
        reliability=_reliability(rows, teachers),
        sentences=[line for one in teachers if not one.is_reference for line in _sentences(one, sheet, agreement)],
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
    return _Teacher(key[0], key[1], labels[key[0]], arms, heard_by, is_reference, is_assistant, figures)


def _place(part: tuple[str, Any]) -> int:
    return PARTS.index(part[0]) if part[0] in PARTS else len(PARTS)


def _labels(rows: ReportRows) -> dict[str, str]:
    """Return a name for each targets job: its network, and the scale of its logits where there is one."""
    names = {}
    for row in rows.teachers:
        scale = "" if row["scale"] == 1 else f" x {row['scale']:g}"
        names[row["job"]] = f"{row['arch'] or 'teacher'}{scale}"
    return names


def _teacher_table(teachers: Sequence[_Teacher]) -> Table:
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
    return Table("", columns, body, [*teaches, *NOTES])


def _role_text(teacher: _Teacher) -> str:
    who = f"{teacher.label}, split {teacher.split}," + (" an assistant," if teacher.is_assistant else "")
    if teacher.is_reference:
        return f"{who} lends its entropy to {', '.join(sorted(teacher.arms))}."
    near, far = (", ".join(sorted(arms)) for arms in (teacher.heard_by, teacher.arms - teacher.heard_by))
    whom = [*([near] if near else []), *([f"{far} through assistants"] if far else [])]
    return f"{who} teaches {' and '.join(whom)}."


def _figure(name: str, value: float | None) -> str:
    if value is None or (name == "fitted_temperature" and value == 0):
        return number_text.NONE
    return f"{100 * value:.1f}" if name in PERCENT else number_text.significant(value)


def _student_table(sheet: Sheet, agreement: Agreement) -> Table | None:
    """How near each arm came to its teacher: what it cannot follow on train, it cannot have learnt."""
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
    note = "Means over seeds, on centre crops at temperature 1; train: an even sample no larger than test."
    return Table("", ["student", *columns], body, [note, *calibration_notes(agreement)])


def _reliability(rows: ReportRows, teachers: Sequence[_Teacher]) -> Reliability | None:
    bins = {row["job"]: json.loads(row["parts"]) for row in rows.bins}
    lines: dict[str, ReliabilityLine] = {}
    for teacher in teachers:
        drawn = bins.get(teacher.job, {})
        part = next((part for part in HELD_OUT if part in drawn and not is_seen(teacher.parts.get(part, {}))), None)
        if part is not None:
            values = (tuple(drawn[part][name]) for name in ("counts", "accuracy", "confidence"))
            name = teacher.label if teacher.label not in lines else f"{teacher.label}, {teacher.split}"
            lines[name] = ReliabilityLine(*values)
    return Reliability("reliability", "Reliability and confidence of the teachers", lines) if lines else None


# The sentences --------------------------------------------------------------------------------------------------------


def _sentences(teacher: _Teacher, sheet: Sheet, agreement: Agreement) -> list[str]:
    """Return what supports 'noisy labels' and 'capacity gap' for one teacher, by the rules."""
    held_out = teacher.parts.get(teacher.held_out, {})
    train = teacher.parts.get("train", held_out)
    heard = [
        agreement[arm, cell, "train", "agreement"]
        for (arm, cell), settings in sheet.settings.items()
        if arm in teacher.heard_by and settings.get("data.split") == teacher.split
        if (arm, cell, "train", "agreement") in agreement
    ]
    mean = sum(heard) / len(heard) if heard else None
    noise = judge_noise(held_out, train, _find_remedies(teacher, sheet, _softens))
    capacity = judge_capacity(mean, _find_remedies(teacher, sheet, _assists))
    if not teacher.heard_by:
        capacity = "undecided", "no student hears it without an assistant between"
    where = f"{teacher.label}, split {teacher.split}"
    return [
        _sentence(where, "'noisy labels' (a teacher too sure to teach)", *noise),
        _sentence(where, "'capacity gap' (a teacher too big for the student)", *capacity),
    ]


def _sentence(where: str, what: str, verdict: str, reason: str) -> str:
    said = f"what is seen is {verdict} {what}" if verdict == "consistent with" else f"{what} is {verdict}"
    return f"{where}: {said}: {reason}."


def _find_remedies(teacher: _Teacher, sheet: Sheet, is_remedy: Any) -> list[Remedy]:
    """Return the pairs of arms of this teacher that differ in one remedy alone, the remedied one first.

    Their intervals hold at 95 % together (Bonferroni): of many remedies one would else recover accuracy by chance.
    """
    pairs = [
        (arm, other, point)
        for (arm, point), settings in sheet.settings.items()
        for (other, place), plain in sheet.settings.items()
        if point == place and arm != other and settings.get("data.split") == teacher.split
        if other in teacher.arms and is_remedy(settings, plain, _differing(settings, plain))
    ]
    level = 1 - 0.05 / max(len(pairs), 1)
    seeds = [(sheet.seeds(arm, at, "test_top1"), sheet.seeds(other, at, "test_top1")) for arm, other, at in pairs]
    intervals = [paired_shares(ours, theirs, level) for ours, theirs in seeds]
    return [Remedy(arm, other, one) for (arm, other, _), one in zip(pairs, intervals, strict=True)]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[Path]:
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


def _softens(settings: Mapping[str, Any], plain: Mapping[str, Any], paths: set[Path]) -> bool:
    """Whether the first is the second with a softer teacher: a loss that does not see its scale, a higher temperature,
    calibration, or smaller logits; one of them alone. A loss brings its weights, options and temperature with it."""
    if plain.get("distill.loss") not in PLAIN:
        return False
    if "distill.loss" in paths:
        return settings["distill.loss"] in ROBUST and all(_comes_with_loss(settings, path) for path in paths)
    if paths == {"distill.temperature"}:
        one, other = settings["distill.temperature"], plain["distill.temperature"]
        return isinstance(one, int | float) and isinstance(other, int | float) and one > other
    if paths == {"teacher.calibrate"}:
        return bool(settings["teacher.calibrate"])
    return paths == {"teacher.logit_scale"} and settings["teacher.logit_scale"] < plain["teacher.logit_scale"]


def _comes_with_loss(settings: Mapping[str, Any], path: Path) -> bool:
    """Whether another loss brings this difference with it: any weights and options, a temperature that is its own."""
    if path == "distill.temperature":
        return bool(settings.get(path) == LOSS_WORDS[settings["distill.loss"]].temperature)
    return path in LOSS_FIELDS or path.startswith("distill.options.")


def _assists(settings: Mapping[str, Any], plain: Mapping[str, Any], paths: set[Path]) -> bool:
    """Whether the first is the second with assistants between teacher and student."""
    return paths == {"teacher.assistants"} and bool(settings["teacher.assistants"]) and not plain["teacher.assistants"]
