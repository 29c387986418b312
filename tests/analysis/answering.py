"""A snapshot without a store: takes a function of query and values, gives its rows as the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.snapshot import Snapshot
from engine.home.paths import Home

NOWHERE = Home(Path("nowhere"), Path("nowhere"))
Answer = Callable[[str, Mapping[str, Any]], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, eq=False)
class Answers(Snapshot):
    """Every query is answered by `answer`; the names of those that were asked are in `asked`."""

    home: Home = NOWHERE
    db: Any = None
    answer: Answer = lambda _query, _values: ()
    asked: list[str] = field(default_factory=list)
    trainings: Sequence[Mapping[str, Any]] = ()

    def ask(self, query: str, **values: Any) -> list[dict[str, Any]]:
        if query == "trainings":  # whose training is known or not is a question beside all others
            return [dict(row) for row in self.trainings]
        self.asked.append(query)
        return [dict(row) for row in self.answer(query, values)]


def note_queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list in which each query stands that is asked of the store from now on."""
    asked: list[str] = []
    real = Snapshot._ask

    def note(self: Snapshot, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        asked.append(query)
        return real(self, query, values)

    monkeypatch.setattr(Snapshot, "_ask", note)
    return asked


def image_row(job: str, right: Iterable[bool], samples: Sequence[object], labels: Sequence[int]) -> dict[str, Any]:
    """What the store tells of a job's test images: their names, and what tells these and their labels from others."""
    told = repr((list(samples), list(labels)))
    return {"job": job, "samples": list(samples), "images": told, "correct": "".join(str(int(one)) for one in right)}
