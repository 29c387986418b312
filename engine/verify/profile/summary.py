"""A profile in numbers: takes timings, gives each part's mean, median, spread and share, and what timing itself costs.

Shares are of the mean, because means add up to the whole; medians and percentiles say what is typical.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.verify.profile.timings import LOADER_PARTS, PARTS, Checkpoint, StepTime, Timings

LEAST_SHARE = 0.0005
"""Parts below are left out of tables: nothing was to be done."""


@dataclass(frozen=True)
class Spread:
    """Seconds over n steps; `low` and `high` are the 5th and 95th percentile."""

    mean: float
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        low, high = _percentile(values, 0.05), _percentile(values, 0.95)
        return cls(statistics.fmean(values), statistics.median(values), low, high)


@dataclass(frozen=True)
class Summary:
    """What is told of timings; all times are seconds of one step."""

    timings: Timings

    @cached_property
    def timed(self) -> list[StepTime]:
        return [step for step in self.timings.steps if step.parts is not None]

    @cached_property
    def plain(self) -> list[StepTime]:
        return [step for step in self.timings.steps if step.parts is None]

    @cached_property
    def wall(self) -> Spread:
        """A timed step as a whole."""
        return Spread.of([step.wall for step in self.timed])

    @cached_property
    def plain_wall(self) -> Spread:
        """A plain step: what training takes without a profile."""
        return Spread.of([step.wall for step in self.plain])

    @cached_property
    def parts(self) -> Mapping[str, Spread]:
        """Every part of a timed step, those of no time too."""
        return {part: Spread.of([step.parts[part] for step in self.timed if step.parts]) for part in PARTS}

    @cached_property
    def host(self) -> Mapping[str, Spread]:
        """On a GPU: the same by the host's clock; empty on a CPU."""
        held = [step.host for step in self.timed if step.host is not None]
        return {part: Spread.of([one[part] for one in held]) for part in PARTS} if held else {}

    @cached_property
    def accounted(self) -> float:
        """How much of the timed steps' time the parts add up to, a share."""
        return sum(part.mean for part in self.parts.values()) / self.wall.mean

    def share(self, *parts: str) -> float:
        return sum(self.parts[part].mean for part in parts) / self.wall.mean

    @property
    def told_parts(self) -> list[str]:
        """Return the parts that take any time worth a line."""
        held = self.host
        return [
            part for part in PARTS
            if self.share(part) >= LEAST_SHARE or (held and held[part].mean >= LEAST_SHARE * self.wall.mean)
        ]  # fmt: skip

    @cached_property
    def cost(self) -> tuple[float, float]:
        """What timing adds to a step, and how far that is known: the median over neighbours and its 95 % reach.

        The reach is that of a notch, 1.57 IQR / sqrt(n) (McGill, Tukey and Larsen 1978).
        """
        pairs = [one.wall - other.wall for one, other in zip(self.timed, self.plain, strict=False)]
        spread = _percentile(pairs, 0.75) - _percentile(pairs, 0.25)
        return statistics.median(pairs), 1.57 * spread / math.sqrt(len(pairs))

    @property
    def images_per_second(self) -> float:
        return self.timings.about.images / self.plain_wall.mean

    @property
    def cores(self) -> float:
        """How many cores the whole process kept busy, on average."""
        steps = self.timings.steps
        return sum(step.cpu for step in steps) / max(sum(step.host_wall for step in steps), 1e-9)

    @property
    def others(self) -> float:
        """How many cores other processes kept busy meanwhile; 0 where the system does not tell."""
        idle = self.timings.idle_cores
        return 0.0 if idle is None else max(0.0, self.timings.about.cores - idle - self.cores)

    @property
    def threads_at_work(self) -> float:
        """The share of the time in which the loader's threads were at work; 0 where there are none."""
        workers, whole = self.timings.about.workers, sum(step.host_wall for step in self.timings.steps)
        return sum(self.timings.beside.busy.values()) / (workers * whole) if workers else 0.0

    def beside(self, clock: str) -> Mapping[str, float]:
        """Return the seconds a step that the loader took beside it, by part; `clock` is thread, busy or device."""
        held: Mapping[str, float] = getattr(self.timings.beside, clock)
        return {part: held[part] / len(self.timings.steps) for part in LOADER_PARTS if held.get(part)}

    @property
    def card_idle(self) -> float | None:
        """The share of a plain step in which a GPU does nothing; None where nobody tells.

        Kernels take as long under a profiler, which only slows the host: so their time is held against a step without.
        """
        card = self.timings.card
        return None if card is None or card.busy is None else max(0.0, 1.0 - card.busy / self.plain_wall.mean)

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the mean checkpoint."""
        saves = self.timings.checkpoints
        waits, beside = ([getattr(save, name) for save in saves] for name in ("waits", "beside"))
        return Checkpoint(waits=statistics.fmean(waits), beside=statistics.fmean(beside))

    @property
    def save_steps(self) -> float:
        """Return the steps between two checkpoints: an epoch's, or as many as go into train.save_minutes."""
        about = self.timings.about
        return min(about.epoch_steps, max(1.0, about.save_seconds / self.plain_wall.mean))

    @property
    def checkpoint_share(self) -> float:
        """How much of a step its part of a checkpoint would be."""
        return self.checkpoint.waits / self.save_steps / self.plain_wall.mean


def _percentile(values: Sequence[float], at: float) -> float:
    """Return a percentile, interpolated between neighbours."""
    ordered = sorted(values)
    place = at * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
