"""Every sentence of a report: a case where it is true and appears, and one where it must not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import engine.report
from engine.analysis.agreement import Following
from engine.core.distill.answers import Likeness
from engine.report.pointing import Pointed, looking_text
from engine.report.remedies import find_assisted, softer_advice
from engine.report.sentences import SENTENCES
from engine.report.sheet import Sheet
from engine.report.teacher_notes import calibration_notes, teacher_notes
from engine.report.teachers import _judged_note, _notes, _Teacher
from engine.report.verdicts import Look, Remedy, judge_capacity, judge_following, judge_noise, remedy_text
from tests.helpers.sentences import pattern, stray_sentences, template_sentences
from tests.report.chart_cases import CHART_CASES
from tests.report.compression_cases import COMPRESSION_CASES
from tests.report.imported_cases import IMPORTED_CASES
from tests.report.map_cases import MAP_CASES
from tests.report.note_cases import NOTE_CASES
from tests.report.search_cases import SEARCH_CASES
from tests.report.test_pointing import map_row
from tests.report.test_pointing import notes as pointing_notes
from tests.report.test_remedies import TAUGHT, sheet, tree
from tests.report.test_teachers import PLAIN, section, teacher_rows
from tests.report.test_verdicts import ALONE, CALM, HELPED, KNOWN, SHARP, UNCLEAR, WORSE, following

Told = Callable[[], str]
# The code that a notebook is made of, and what its cells are for: nothing of what came out.
OF_NOTEBOOKS = ("notebook.py", "notebook.cells.j2")


def noise(look: Look, *remedies: Remedy) -> Told:
    def told() -> str:
        found = judge_noise(look, KNOWN, remedies, "")
        return " ".join([SENTENCES[found.word].format(teacher="t", what="w", reason=found.reason), *found.advice])

    return told


def gap(*remedies: Remedy, is_direct: bool = True) -> Told:
    def told() -> str:
        found = judge_capacity(KNOWN, remedies, "", is_direct=is_direct)
        return " ".join([SENTENCES[found.word].format(teacher="t", what="w", reason=found.reason), *found.advice])

    return told


def twins(taught: list[float], untaught: list[float], part: str = "test") -> Told:
    def told() -> str:
        control = judge_following([following(taught, untaught, part)], "t")
        return f"{control.text} {control.advice}"

    return told


def teacher(part: str, *, is_unknown: bool = False, figures: dict[str, float] | None = None) -> _Teacher:
    arms = frozenset({"a"})
    return _Teacher("j", "s", "t", arms, arms, False, False, is_unknown, {part: {"top1": 0.5, **(figures or {})}})


def judged(part: str, *, is_unknown: bool = False) -> Told:
    return lambda: _judged_note(teacher(part, is_unknown=is_unknown))


def notes(drawn: tuple[str, ...] = (), said: str = "", **figures: float) -> Told:
    return lambda: " ".join(_notes([teacher("test", figures=figures)], drawn, [said]))


def helped(between: list[float | None]) -> Told:
    def told() -> str:
        taught = type(TAUGHT)(TAUGHT.arms, TAUGHT.split, TAUGHT.accuracy, {"helped": between})
        (found,) = find_assisted(taught, sheet(helped=tree(teacher={"assistants": ["a"]})))
        return found.condition

    return told


def softer(made: Callable[[], Sheet], arm: str) -> Told:
    return lambda: softer_advice({arm}, made())


def section_of(heard_by: str) -> Told:
    return lambda: " ".join(section(teacher_rows("targets-1", {"test": CALM}, heard_by=heard_by), PLAIN).sentences)


def roles(**more: Any) -> Told:
    return lambda: " ".join(section(teacher_rows("targets-1", {"test": CALM}, **more), PLAIN).table.notes)


def taken(unseen: dict[str, float], **whole: float) -> Told:
    return lambda: " ".join(teacher_notes("lite0", {"all": {"seen_share": 0.5, **whole}, "unseen": unseen}))


def calibrated(by: float) -> Told:
    return lambda: " ".join(calibration_notes({("a", "c", "val", "calibration"): by}))


def near(kl: float) -> Following:
    likeness = {0: Likeness(0.5, kl)}
    return Following("plain", "alone", "default", "test", 10, likeness, likeness)


def students(*followings: Following) -> Told:
    rows = [{"arm": "plain", "cell": "default", "part": "train", "name": "agreement", "mean": 0.9}]
    more = {"students": rows, "followings": followings}

    def told() -> str:
        found = section(teacher_rows("targets-1", {"test": CALM}), PLAIN, **more).students
        return " ".join(found.notes) if found else ""

    return told


CLOSER, FARTHER, OPEN = twins([0.1, 0.11], [0.5, 0.52]), twins([0.5, 0.52], [0.1, 0.11]), twins([0.1, 0.9], [0.5, 0.5])
NO_TWIN, ONE_SEED, NOT_KEPT = twins([0.1], [0.2], "train"), twins([0.1], [0.5]), twins([], [])
LOST = {**SHARP, "fitted_temperature": 0.0}
HEARD, MOVING, ROBUST = (
    sheet,
    lambda: sheet(o=tree(temperature={"from": 1, "to": 2})),
    lambda: sheet(o=tree(loss="lskd")),
)


def looking(p: float, chance_p: float) -> Told:
    return lambda: looking_text(Pointed("a", 0, 12, 10, 0, 9, 2.5, 3.0), p, chance_p)


def boxed(cropped: int = 0, **row: None) -> Told:
    return lambda: pointing_notes({**map_row("a", cropped=cropped), **row})


KNOWN_HEAD = {"head_top1": 0.7, "head_error": 0.07, "head_images": 337.0, "known_top1": 0.75}
CASES: dict[str, tuple[Told, Told]] = {
    "sure": (noise(Look(SHARP, SHARP)), noise(Look({}, {}))),
    "no_fit": (noise(Look(LOST, CALM)), noise(Look({}, {}))),
    "not_examined": (noise(Look({}, {})), noise(Look(LOST, CALM))),
    "one_hot": (noise(Look(CALM, SHARP)), noise(Look(CALM, CALM))),
    "closer": (CLOSER, OPEN), "farther": (FARTHER, OPEN), "as_close": (OPEN, CLOSER), "figures": (CLOSER, NOT_KEPT),
    "no_interval": (ONE_SEED, CLOSER), "no_answers": (NOT_KEPT, ONE_SEED), "no_untaught": (NO_TWIN, NOT_KEPT),
    "add_untaught": (NO_TWIN, CLOSER), "add_answers": (NOT_KEPT, ONE_SEED), "add_seeds": (gap(UNCLEAR), gap(WORSE)),
    "remedy": (lambda: remedy_text(HELPED), lambda: remedy_text(ALONE)),
    "remedy_alone": (lambda: remedy_text(ALONE), lambda: remedy_text(HELPED)),
    "no_remedy": (gap(), gap(HELPED)), "not_direct": (gap(is_direct=False), gap()),
    "between": (helped([0.7]), helped([0.95])), "not_between": (helped([0.95]), helped([0.7])),
    "between_unknown": (helped([]), helped([0.95])),
    "supported": (gap(HELPED), gap(WORSE)), "not_supported": (gap(WORSE), gap(HELPED)), "open": (gap(), gap(WORSE)),
    "add_softer": (softer(HEARD, "plain"), softer(MOVING, "o")),
    "add_calibrated": (softer(MOVING, "o"), softer(HEARD, "plain")),
    "add_hinton": (softer(ROBUST, "o"), softer(HEARD, "plain")),
    "add_assistant": (section_of("plain"), section_of("")), "add_direct": (section_of(""), section_of("plain")),
    "other_images": (noise(Look(CALM, CALM, is_unknown=True)), noise(Look(CALM, CALM))),
    "centre_note": (notes(), judged("test")),
    "share_note": (notes(sure_share=0.5), notes()), "sure_note": (notes(signed_ece=0.5), notes()),
    "entropy_note": (notes(entropy=0.5), notes()), "wrong_note": (notes(wrong_entropy=0.5), notes(entropy=0.5)),
    "contradicted_note": (notes(contradicted=0.5), notes()),
    "unseen_note": (judged("test"), judged("test", is_unknown=True)),
    "unknown_note": (judged("all", is_unknown=True), judged("val")), "seen_note": (judged("train"), judged("val")),
    "diagram_note": (notes(("test",)), notes()),
    "teacher_role": (roles(), roles(is_reference=True)), "reference_role": (roles(is_reference=True), roles()),
    "known_accuracy": (taken(KNOWN_HEAD), taken({})), "no_known_accuracy": (taken({}), taken(KNOWN_HEAD)),
    "other_size": (taken({}, image_size=64.0, own_image_size=224.0), taken({}, image_size=224.0, own_image_size=224.0)),
    "enlarged": (taken({}, enlarged_share=0.5), taken({}, enlarged_share=0.0)),
    "sharpened": (calibrated(0.5), calibrated(1.5)),
    "students_note": (students(), roles()), "untaught_note": (students(near(0.1)), students()),
    "interval_note": (lambda: notes(said=remedy_text(HELPED))(), lambda: notes(said=remedy_text(ALONE))()),
    "closer_note": (lambda: notes(said=CLOSER())(), lambda: notes(said=NO_TWIN())()),
    "looks": (looking(0.01, 0.001), looking(0.2, 0.001)), "looks_somewhere": (looking(0.2, 0.01), looking(0.2, 0.2)),
    "looks_open": (looking(0.2, 0.2), looking(0.01, 0.01)),
    "boxed": (boxed(), boxed(boxes=None)), "pointing_note": (boxed(), boxed(boxes=None)),
    "mass_note": (boxed(), boxed(boxes=None)), "cropped_away": (boxed(cropped=1), boxed()),
}  # fmt: skip


ALL = {**CASES, **NOTE_CASES, **CHART_CASES, **COMPRESSION_CASES, **MAP_CASES, **IMPORTED_CASES, **SEARCH_CASES}
FOLDER = Path(engine.report.__file__).parent
TEMPLATES = FOLDER.parent.parent / "templates"
HEADINGS = (
    "What differs between the arms", "Is the teacher over-confident?", "How near the students came to it",
    "In SQL: `xp sql", 'xp sql "select', "<svg role=", "select n, mean, std", "select seed, a.test_top1",
    "where experiment =", "Reliability and confidence of the teachers",
)  # fmt: skip
HYPOTHESES = ("'noisy labels'", "'capacity gap'")


def strays(found: list[str]) -> list[str]:
    known = (*HEADINGS, *HYPOTHESES)
    return [text for text in found if not text.lstrip("# ").startswith(known)]


def test_every_sentence_has_both_cases() -> None:
    assert ALL.keys() == SENTENCES.keys()


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_sentence_stands_where_it_is_true(name: str) -> None:
    assert re.search(pattern(SENTENCES[name]), ALL[name][0]())


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_sentence_is_absent_where_it_is_not(name: str) -> None:
    assert not re.search(pattern(SENTENCES[name]), ALL[name][1]())


@pytest.mark.parametrize(
    "file",
    sorted(
        file for file in [*FOLDER.glob("*.py"), *(FOLDER / "charts").rglob("*.py")] if file.name not in OF_NOTEBOOKS
    ),
    ids=lambda file: str(file.relative_to(FOLDER)),
)
def test_no_sentence_stands_elsewhere(file: Path) -> None:
    """What is not in the catalogue has no cases, and nobody has asked when it is false."""
    assert strays(stray_sentences(file)) == []


@pytest.mark.parametrize(
    "file", sorted(file for file in TEMPLATES.glob("*.j2") if file.name not in OF_NOTEBOOKS), ids=lambda file: file.name
)
def test_templates_say_nothing_of_their_own(file: Path) -> None:
    assert strays(template_sentences(file)) == []


def test_plus_minus_means_half_an_interval_everywhere() -> None:
    said = {name: text for name, text in SENTENCES.items() if "±" in text}
    told = {name for name, text in said.items() if re.search("half of (the|its) 95 % interval", text)}
    assert set(said) - told == {"once_note", "few_note", "spread_note", "wide_note"}, "these say why there is none"
