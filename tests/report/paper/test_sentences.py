"""Every sentence of a paper's page: a case where it is true and appears, and one where it must not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.report.paper import cover
from engine.report.paper.arithmetic import COMPUTED
from engine.report.paper.beside import Beside, Match, _note
from engine.report.paper.evidence import Evidence, Record
from engine.report.paper.judging import Settled, settle
from engine.report.paper.sentences import SENTENCES
from engine.spec.paper import Conditions, Saying
from tests.analysis.answering import Answers
from tests.helpers.sentences import pattern, stray_sentences, template_sentences
from tests.report.paper.printed import printed_rows
from tests.report.rows import make_rows, run_row

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "engine" / "report" / "paper"
Told = Callable[[], str]
PRINTED = printed_rows()
BARE = {**PRINTED[0], "against": None}


def counted(name: str, **changed: Any) -> Told:
    rows = [{**row, **changed} for row in PRINTED]
    return lambda: COMPUTED[name](rows).line


def settled(*decided_by: Mapping[str, Any], found: Mapping[str, Evidence] | None = None) -> Told:
    def told() -> str:
        saying = Saying.model_validate({"id": "one", "says": "s", "decided_by": list(decided_by)})
        record = Record(Answers(), PRINTED, Conditions(), found or {})
        (one,) = settle([saying], record)
        return " ".join(outcome.line for outcome in one.outcomes)

    return told


def evidence(name: str = "first") -> Evidence:
    from engine.report.sheet import Sheet

    return Evidence(name, Sheet(make_rows([run_row("a", 0, test_top1=0.5)])), {}, [])


def beside(found: int) -> Told:
    return lambda: cover._beside_text(Beside((), 3, found))


def note(row: Mapping[str, Any], match: Match | None = None) -> Told:
    return lambda: " ".join(_note(row, match))


FIRST = {"first": evidence()}
EFFECT = {"effect": {"experiment": "first", "plus": ["a"], "minus": ["b"], "expect": "less"}}
NEAR = Match(evidence(), (("a", "default"), ("b", "default")), ["64 px"])
LEAD: Mapping[str, str] = {
    name: SENTENCES[name].partition("{")[0] for name in ("page_of", "how_judged", "beside")
}  # in the lead of every page: their cases are those of test_cover
CASES: dict[str, tuple[Told, Told]] = {
    "counted": (counted("memories"), settled({"text": "holds"})),
    "read": (settled({"text": "holds"}), settled({"text": "undecided"})),
    "no_telling": (settled({"text": "undecided"}), settled({"text": "holds"})),
    "no_experiment": (settled({"claim": "first/x"}), settled({"claim": "first/x"}, found=FIRST)),
    "no_claim": (settled({"claim": "first/x"}, found=FIRST), settled({"claim": "first/x"})),
    "no_grid": (settled(EFFECT, found=FIRST), settled(EFFECT)),
    "params_line": (counted("second_projections"), counted("work_of_two_sets")),
    "macs_line": (counted("work_of_two_sets"), counted("second_projections")),
    "tokens_line": (counted("work_of_two_sets"), counted("second_projections")),
    "speeds_line": (counted("throughputs"), counted("throughputs", value=None)),
    "splits_line": (counted("throughputs"), counted("throughputs", value=None)),
    "memory_line": (counted("memories"), counted("memories", value=None)),
    "twice_line": (counted("memories"), counted("memories", value=None)),
    "above_line": (counted("small_above_large"), counted("small_above_large", value=None)),
    "side_line": (counted("windows_and_memory"), counted("windows_and_memory", value=None)),
    "set_line": (counted("windows_and_memory"), counted("windows_and_memory", value=None)),
    "size_line": (counted("teacher_sizes"), counted("teacher_sizes", model="other")),
    "luck_line": (counted("luck_of_images"), counted("luck_of_images", change=50.0)),
    "no_luck": (counted("luck_of_images", change=50.0), counted("luck_of_images")),
    "nothing_printed": (counted("memories", value=None), counted("memories")),
    "none_corresponds": (beside(0), beside(1)),
    "some_correspond": (beside(1), beside(0)),
    "nearest": (note(PRINTED[0], NEAR), note(PRINTED[0])),
    "would_be": (note(PRINTED[0]), note(BARE)),
}
STORED = ("turned", "claim_line", "no_data", "effect_line")  # need runs: test_judging and test_cover have their cases


def test_every_sentence_has_both_cases() -> None:
    assert {*CASES, *LEAD, *STORED} == SENTENCES.keys()


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_sentence_stands_where_it_is_true_and_nowhere_else(name: str) -> None:
    true, other = CASES[name]
    sentence = pattern(SENTENCES[name].removesuffix("."))
    assert re.search(sentence, true(), re.DOTALL)
    assert not re.search(sentence, other(), re.DOTALL)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "engine" / "report" / "paper").glob("*.py")), ids=lambda file: file.stem
)
def test_no_sentence_stands_elsewhere(file: Path) -> None:
    assert stray_sentences(file) == []


@pytest.mark.parametrize("file", sorted((ROOT / "templates").glob("paper.*")), ids=lambda file: file.name)
def test_templates_say_nothing_of_their_own(file: Path) -> None:
    assert template_sentences(file) == []


def test_a_saying_without_deciders_was_not_run() -> None:
    saying = Saying(id="one", says="s")
    assert settle([saying], Record(Answers(), PRINTED, Conditions())) == [Settled(saying, "not run", [])]
