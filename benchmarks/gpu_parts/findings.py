"""What a part tells, and where it runs: takes words, gives findings as lines of JSON that survive a crash."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["held", "failed", "measured", "goal", "missed", "not measured", "not built", "not judged"]
BAD: tuple[Verdict, ...] = ("failed",)
"""What makes the command end with 1. A goal that is missed is told and fails nothing."""
STUB = "XP_STUB"  # where a runtime plays the card: no number is real there
NO_NUMBERS = "the card is played: no number is real"


@dataclass(frozen=True)
class Finding:
    """One line of the result; `peer` is what it is held against, `goal` what is hoped for (at least)."""

    part: str
    case: str
    figure: str
    verdict: Verdict
    value: float | None = None
    unit: str = ""
    peer: float | None = None
    goal: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Place:
    """Where a part runs: the device, whether a stub plays it, a folder of its own, and until when (monotonic)."""

    device: Literal["cuda", "cpu"]
    folder: Path
    until: float

    @property
    def is_stub(self) -> bool:
        return STUB in os.environ and self.device == "cuda"

    @property
    def is_real(self) -> bool:
        """Whether a GPU does the work, so that its speed means something."""
        return self.device == "cuda" and not self.is_stub

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.until - time.monotonic()


class Teller:
    """Writes findings of one part to a file, each at once."""

    def __init__(self, part: str, path: Path, place: Place) -> None:
        self.part, self.path, self.place = part, path, place

    def tell(
        self, case: str, figure: str, verdict: Verdict, value: float | None = None, unit: str = "",
        peer: float | None = None, goal: float | None = None, note: str = "",
    ) -> None:  # fmt: skip
        found = Finding(self.part, case, figure, verdict, value, unit, peer, goal, note)
        with open(self.path, "a") as file:
            file.write(json.dumps(asdict(found)) + "\n")

    def judge(
        self, case: str, figure: str, is_held: bool, value: float | None = None, unit: str = "", note: str = ""
    ) -> None:
        """Tell whether a fact holds; on a stub nothing is judged."""
        verdict: Verdict = "not judged" if self.place.is_stub else "held" if is_held else "failed"
        if self.place.is_stub:
            value, note = None, NO_NUMBERS
        self.tell(case, figure, verdict, value, unit, note=note)

    def measure(
        self, case: str, figure: str, value: float, unit: str, peer: float | None = None, goal: float | None = None,
        note: str = "",
    ) -> None:  # fmt: skip
        """Tell a speed or a size, and whether it comes up to the goal; no GPU, no such figure."""
        if not self.place.is_real:
            why = NO_NUMBERS if self.place.is_stub else "no GPU"
            self.tell(case, figure, "not measured", unit=unit, goal=goal, note=why)
            return
        verdict: Verdict = "measured" if goal is None else "goal" if value >= goal else "missed"
        self.tell(case, figure, verdict, value, unit, peer, goal, note)

    @contextmanager
    def case(self, case: str) -> Iterator[None]:
        """Let a case that raises fail alone."""
        try:
            yield
        except Exception as error:
            told = (str(error).splitlines() or [""])[0][:200]
            self.tell(case, "runs", "failed", note=f"{type(error).__name__}: {told}")


Part = Callable[[Place, Teller], None]


def read_findings(path: Path) -> list[Finding]:
    """Return what a part has told; a line that was cut off by its end does not count."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(Finding(**json.loads(line)))
        except ValueError:
            continue
    return found
