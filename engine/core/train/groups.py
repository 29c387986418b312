"""Groups of batches: takes how many batches an optimizer step has, gives where a group begins and what a batch weighs.

A group is a batch that goes through the network in parts: its gradient is that of the mean loss over its images. The
last group of an epoch has the batches that are left, and none reaches over an epoch's end.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.data.loader import TrainLoader


@dataclass(frozen=True)
class Groups:
    """The batches of an epoch, `size` to an optimizer step; the last batch and the last group may be shorter."""

    size: int
    batches: int
    batch_size: int
    images: int

    @classmethod
    def of(cls, loader: TrainLoader, size: int) -> Groups:
        batches = loader.steps_per_epoch
        # A last image that would be alone is left out by the loader.
        return cls(size, batches, loader.batch_size, min(len(loader.rows), batches * loader.batch_size))

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        return -(-self.batches // self.size)

    def begins(self, batch: int) -> bool:
        """Return whether batch number `batch` of an epoch is the first of its group."""
        return batch % self.size == 0

    def ends(self, batch: int) -> bool:
        """Return whether batch number `batch` of an epoch is the last of its group."""
        return (batch + 1) % self.size == 0 or batch + 1 == self.batches

    def count(self, batch: int) -> int:
        """Return how many images batch number `batch` of an epoch has."""
        return min(self.batch_size, self.images - batch * self.batch_size)

    def share(self, batch: int) -> float:
        """Return what the images of this batch are of all images in its group."""
        first = batch - batch % self.size
        edges = (first, min(first + self.size, self.batches), batch, batch + 1)
        begin, end, mine, after = (min(edge * self.batch_size, self.images) for edge in edges)
        return (after - mine) / (end - begin)
