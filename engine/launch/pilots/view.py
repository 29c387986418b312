"""One pilot as the scheduler sees it: takes its folder, gives its slots, what became of its attempts, whether it lives.

"Cannot see" is not "dead": a pilot is dead only when its beat stood still and the engine says that it has ended.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from engine.launch import State, Status
from engine.launch.pilots.folder import LineReader, LineWriter, PilotFolder
from engine.launch.pilots.messages import (
    Began,
    Closed,
    Closing,
    Ended,
    LeaveOrder,
    Message,
    Opened,
    RunOrder,
    StacksOrder,
    StopOrder,
    read_order_line,
    read_told_line,
)
from engine.launch.pilots.profile import Shape, read_shape

Key = tuple[str, int]
QUIET_SECONDS = 20.0  # without a beat, of which there is one every two seconds
LOST_SECONDS = 900.0


@dataclass
class PilotView:
    """What its files have told so far. Slots get the pilot's node and name, so that they differ from all others."""

    folder: PilotFolder
    opened: Opened | None = None
    is_closing: bool = False
    is_closed: bool = False
    is_dead: bool = False
    began: dict[Key, Began] = field(default_factory=dict)
    ended: dict[Key, Status] = field(default_factory=dict)
    ordered: dict[Key, str] = field(default_factory=dict)  # attempts by the slot that they were given
    shape: Shape | None = None
    beat: int | None = None
    beat_at: float = 0.0  # our monotonic clock: two machines' clocks may differ

    def __post_init__(self) -> None:
        self.reader, self.writer = LineReader(self.folder.told), LineWriter(self.folder.orders)
        self.beat_at = time.monotonic()
        self.shape = read_shape(self.folder.shape)
        # An earlier scheduler's orders.
        for line in LineReader(self.folder.orders).read():
            order = read_order_line(line)
            if isinstance(order, RunOrder):
                self.ordered[order.job, order.attempt] = order.slot

    @property
    def name(self) -> str:
        return self.folder.name

    def hear(self) -> bool:
        """Take in what was told since the last look; return whether there was something."""
        lines = self.reader.read()
        for line in lines:
            message = read_told_line(line)
            if message is not None:
                self._take(message)
        return bool(lines)

    def _take(self, message: Message) -> None:
        if isinstance(message, Opened):
            self.opened = message
        elif isinstance(message, Began):
            self.began[message.job, message.attempt] = message
        elif isinstance(message, Ended):
            status = Status(State.GONE, message.exit, message.has_started, message.is_oom)
            self.ended[message.job, message.attempt] = status
        elif isinstance(message, Closing):
            self.is_closing = True
        elif isinstance(message, Closed):
            self.is_closing = self.is_closed = True

    def feel(self) -> None:
        """Look for a beat: one small file."""
        beat = self.folder.read_beat()
        if beat != self.beat:
            self.beat, self.beat_at = beat, time.monotonic()

    def is_quiet(self) -> bool:
        """Return whether it gave no sign for so long that somebody has to ask the engine."""
        return time.monotonic() - self.beat_at > QUIET_SECONDS

    def is_lost(self) -> bool:
        """Return whether it gave no sign for so long that its machine is given back."""
        return time.monotonic() - self.beat_at > LOST_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether no attempt of it can still be told of."""
        return self.is_closed or self.is_dead

    @property
    def takes_orders(self) -> bool:
        return self.opened is not None and not self.is_closing and not self.is_dead and not self.is_quiet()

    def slots(self) -> list[str]:
        """Return the whole names of its slots, empty where it takes none."""
        if self.opened is None or not self.takes_orders:
            return []
        return [f"{slot}@{self.opened.node}/{self.name}" for slot in self.opened.slots]

    def is_idle(self) -> bool:
        return all(key in self.ended for key in self.ordered)

    # -- orders -------------------------------------------------------------------------------------------------

    def run(self, order: RunOrder) -> None:
        self.writer.write([order.model_dump()])
        self.ordered[order.job, order.attempt] = order.slot

    def stop(self, key: Key, grace: float) -> None:
        self.writer.write([StopOrder(job=key[0], attempt=key[1], grace=grace).model_dump()])

    def dump_stacks(self, key: Key) -> None:
        self.writer.write([StacksOrder(job=key[0], attempt=key[1]).model_dump()])

    def leave(self) -> None:
        self.writer.write([LeaveOrder().model_dump()])
