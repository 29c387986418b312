"""One process's share of each batch: takes how many processes there are, gives which images of a batch are whose.

Batches are cut between pairs, because partners of mixup and CutMix are neighbours; so they are mixed with the same
images however many processes there are. A batch of fewer pairs than processes is not cut: each takes all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Share:
    """That of process `rank` (from 0) of `ranks`."""

    rank: int = 0
    ranks: int = 1

    def is_cut(self, count: int) -> bool:
        """Return whether a batch of `count` images is cut, and not seen whole by each."""
        return self.ranks > 1 and count // 2 >= self.ranks

    def edges(self, count: int) -> list[int]:
        """Return where a batch that is cut is cut: the share of rank r lies from edge r to edge r + 1."""
        pairs = count // 2
        return [*(2 * (pairs * rank // self.ranks) for rank in range(self.ranks)), count]

    def sizes(self, count: int) -> list[int]:
        """Return how many images of a batch each rank has, whole ones included."""
        if not self.is_cut(count):
            return [count] * self.ranks
        edges = self.edges(count)
        return [after - before for before, after in pairwise(edges)]

    def own(self, count: int) -> slice:
        """Return which images of a batch are this rank's."""
        if not self.is_cut(count):
            return slice(0, count)
        edges = self.edges(count)
        return slice(edges[self.rank], edges[self.rank + 1])

    def largest(self, count: int) -> int:
        """Return how many images the largest share of a batch has."""
        return max(self.sizes(count))


ALONE = Share()
