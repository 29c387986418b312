"""The words of a paper: one thing decides, ids are told apart, an experiment stands once."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec.paper import Conditions, Decider, Paper, Sayings

SAYING = {"id": "one", "says": "It wins."}


@pytest.mark.parametrize(
    "words", [{}, {"claim": "a/b", "text": "holds"}, {"opposite": True}, {"computed": "memories", "claim": "a/b"}]
)
def test_exactly_one_thing_decides(words: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="decide"):
        Decider.model_validate(words)
    assert Decider.model_validate({"claim": "a/b", "opposite": True}).opposite


def test_a_claim_is_named_with_its_experiment() -> None:
    with pytest.raises(ValidationError):
        Decider.model_validate({"claim": "wins"})


def test_each_saying_has_an_id_of_its_own() -> None:
    with pytest.raises(ValidationError, match="given twice"):
        Sayings.model_validate({"sayings": [SAYING, SAYING]})
    with pytest.raises(ValidationError):
        Sayings.model_validate({"sayings": []})
    assert len(Sayings.model_validate({"sayings": [SAYING, {**SAYING, "id": "two"}]}).sayings) == 2


def test_a_paper_lists_each_experiment_once() -> None:
    with pytest.raises(ValidationError, match="listed twice"):
        Paper.model_validate({"title": "t", "experiments": ["a.yaml", "a.yaml"]})
    assert Paper.model_validate({"title": "t", "experiments": ["a.yaml"]}).conditions == Conditions()
