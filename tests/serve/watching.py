"""A browser as a test plays it: asks with its cursor and draws what comes."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.serve.deltas import Delta, Watched
from engine.serve.site import Site


@dataclass
class Browser:
    """What a browser has drawn of some jobs: (job, name) -> its points."""

    site: Site
    watched: Watched
    cursor: str = ""
    drawn: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)

    def poll(self) -> Delta:
        delta = self.site.deltas.ask(self.watched, self.cursor)
        self.cursor = delta.cursor
        for one in delta.series:
            points = list(zip(one.x.tolist(), one.y.tolist(), strict=True))
            self.drawn[one.job, one.name] = points if one.is_anew else self.drawn[one.job, one.name] + points
        return delta

    def steps(self, job: str, name: str = "train_loss") -> list[float]:
        return [x for x, _ in self.drawn.get((job, name), [])]
