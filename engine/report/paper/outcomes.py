"""What one thing decides of a saying, and what all of them come to together: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Word = Literal["holds", "refuted", "undecided", "not run"]
TURNED: dict[Word, Word] = {"holds": "refuted", "refuted": "holds"}


@dataclass(frozen=True)
class Outcome:
    """What one decider comes to: its verdict, the line that says why, and where it was found (at what size).

    `source` names the runs behind it; `where` is empty for what is of no run.
    """

    verdict: Word
    line: str
    where: str = ""
    source: str = ""

    def turned(self) -> Outcome:
        """Return it for a saying that holds where this is refuted."""
        return replace(self, verdict=TURNED.get(self.verdict, self.verdict))


def combine(outcomes: Sequence[Outcome]) -> Word:
    """Return the verdict of a saying that holds where all of its outcomes do.

    Three-valued: one that is refuted refutes; what is not run leaves open what the others cannot decide alone.
    """
    words = {one.verdict for one in outcomes}
    if not words - {"not run"}:
        return "not run"
    if "refuted" in words:
        return "refuted"
    return "holds" if words == {"holds"} else "undecided"
