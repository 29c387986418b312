"""Outcomes together: a conjunction of three values, and what was not run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.report.paper.outcomes import Outcome, Word, combine


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "refuted", "not run"], "refuted"),
        (["holds", "undecided"], "undecided"),
        (["holds", "not run"], "undecided"),
        (["undecided", "not run"], "undecided"),
        (["not run", "not run"], "not run"),
        ([], "not run"),
    ],
)
def test_a_saying_holds_where_all_that_decides_it_does(words: Sequence[Word], verdict: Word) -> None:
    assert combine([Outcome(word, "") for word in words]) == verdict


def test_an_opposite_turns_what_is_decided_alone() -> None:
    turned = [Outcome(word, "").turned().verdict for word in ("holds", "refuted", "undecided", "not run")]
    assert turned == ["refuted", "holds", "undecided", "not run"]
