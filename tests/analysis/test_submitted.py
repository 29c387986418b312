"""Results that are of other settings than the spec at hand says: told arm by arm, and silence where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.submitted import list_departures
from engine.load import load_spec
from engine.spec import Spec
from engine.spec.cells import expand_cells
from tests.analysis.answering import Answers

TEXT = """
name: paper
data: {source: digits, image_size: 32}
student: {arch: tiny_vit_5m}
arms: {a: {}, b: {train.lr: 0.002}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    file = tmp_path / "paper.yaml"
    file.write_text(TEXT)
    return load_spec(file)


def departures(spec: Spec, lr: float = 0.002, **words: Any) -> list[str]:
    """Of a submission whose arm b had this rate, and whose section `train` had these words."""
    rows = []
    for cell in expand_cells(spec):
        tree = cell.settings.model_dump(mode="json", exclude={"resources"})
        tree["train"] |= words | ({"lr": lr} if cell.arm == "b" else {})
        rows += [{"arm": cell.arm, "cell": cell.cell, "seed": seed, "settings": json.dumps(tree)} for seed in (0, 1)]
    return list_departures(Answers(answer=lambda _query, _values: rows), spec)


def test_results_of_this_spec_need_no_word(spec: Spec) -> None:
    assert departures(spec) == []


def test_an_arm_that_was_submitted_with_another_setting_is_named(spec: Spec) -> None:
    what = "the results of b are not of this spec: train.lr is 0.002 against 0.006 as it was submitted"
    assert departures(spec, 0.006) == [what]


def test_of_several_settings_one_is_told_and_the_others_are_counted(spec: Spec) -> None:
    first, second = departures(spec, 0.006, epochs=99)
    assert first.endswith("train.epochs is 10 against 99 as it was submitted")
    assert second.endswith("against 99 as it was submitted, and 1 more settings differ")


def test_how_a_job_is_done_and_arms_that_were_not_submitted_are_no_departure(spec: Spec) -> None:
    assert departures(spec, memory="lean") == []
    assert list_departures(Answers(answer=lambda _query, _values: []), spec) == []
