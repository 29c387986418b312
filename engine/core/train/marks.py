"""Marks: takes the name of what a training has just done; without a clock, as in every job, it is not even looked at.

The time between two marks belongs to the part that the second one names, so that the parts of a step are the whole of
it. What has a clock is `xp profile` (engine/verify/profile), which puts its own in the place of `Marks`.
"""

from __future__ import annotations


class Marks:
    """What the loop tells of where it is; nobody listens to this one."""

    def begin(self) -> None:
        """An epoch begins: what was since the last step belongs to none."""

    def mark(self, part: str) -> None:
        """What was since the last mark was `part`."""

    def end_step(self) -> None:
        """An optimizer step is done, with all that comes between it and the next one."""
