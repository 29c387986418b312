"""Faults that a person wrote: found on their line or refused; what of a change is shown."""

from __future__ import annotations

import pytest

from tests.mutants.texts import apply_mutant, diff_of, textual_mutant

SOURCE = "é = 1\nif a:\n    b = 1\n"


def test_a_given_fault_begins_on_its_line() -> None:
    mutant = textual_mutant(SOURCE, "a.py", 2, "a:\n    b", "c:\n    b")
    assert apply_mutant(SOURCE, mutant) == "é = 1\nif c:\n    b = 1\n"
    assert (mutant.line, diff_of(SOURCE, mutant)) == (2, "-if a:\n+if c:")


@pytest.mark.parametrize(("line", "old"), [(1, "b = 1"), (3, "é"), (9, "b"), (0, "é"), (1, "")])
def test_a_fault_elsewhere_is_refused(line: int, old: str) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        textual_mutant(SOURCE, "a.py", line, old, "new")
