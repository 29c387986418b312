"""An engine whose pilots live in this process: a test turns them by hand, kills them, keeps them waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.home.paths import Home
from engine.launch import Handle, Launcher, Order, State, Status
from engine.launch.pilots.fleet import PENDING, Fleet
from engine.launch.pilots.folder import PilotFolder
from engine.launch.pilots.pilot import Pilot, Terms
from engine.launch.pilots.profile import Shape, SlurmProfile

EAGER = SlurmProfile(ask_seconds=60.0, list_seconds=0.5)


@dataclass
class NodeLauncher(Launcher):
    """A machine on which attempts run until a test says how they end; an attempt makes its folder, as a real one."""

    slots: list[str] = field(default_factory=lambda: ["cpu:0"])
    statuses: dict[Handle, Status] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    stopped: list[tuple[str, float]] = field(default_factory=list)

    def submit(self, order: Order) -> Handle:
        self.orders.append(order)
        order.folder.root.mkdir(parents=True)
        handle = Handle(order.job, order.attempt, str(order.folder.root))
        self.statuses[handle] = Status(State.RUNNING)
        return handle

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Status]:
        return {handle: self.statuses[handle] for handle in handles}

    def stop(self, handle: Handle, grace: float) -> None:
        self.stopped.append((handle.job, grace))

    def find(self, job: str, attempt: int, folder: str) -> Handle | None:
        return Handle(job, attempt, folder)

    def capacity(self) -> list[str]:
        return self.slots

    def end(self, job: str, exit_status: int | None = 0) -> None:
        for handle in self.statuses:
            if handle.job == job:
                self.statuses[handle] = Status(State.GONE, exit_status)


@dataclass
class FakeEngine:
    """Keeps what was asked for; `begin` lets a pilot begin, `lose` takes it away without a word."""

    home: Home
    gpus: bool = False
    states: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[Shape, int]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    nodes: dict[str, NodeLauncher] = field(default_factory=dict)
    pilots: dict[str, Pilot] = field(default_factory=dict)
    refuses: str = ""
    listed: int = 0

    def ask(self, shape: Shape, nonce: str, count: int) -> None:
        if self.refuses:
            raise OSError(self.refuses)
        self.asked.append((shape, count))
        self.states |= {f"{nonce}-{number}": PENDING for number in range(count)}

    def list_pilots(self) -> Mapping[str, str]:
        self.listed += 1
        return dict(self.states)

    def end(self, names: Sequence[str]) -> None:
        self.ended += names
        for name in names:
            self.states.pop(name, None)

    def has_gpus(self) -> bool:
        return self.gpus

    def begin(self, name: str, slots: Sequence[str] = ("cpu:0",), terms: Terms | None = None) -> Pilot:
        node = self.nodes[name] = NodeLauncher(list(slots))
        pilot = self.pilots[name] = Pilot(PilotFolder(self.home.pilots_root / name), node, terms or Terms())
        self.states[name] = "running"
        pilot.open()
        return pilot

    def lose(self, name: str) -> None:
        del self.states[name], self.pilots[name]

    def turn(self) -> None:
        for pilot in self.pilots.values():
            pilot.turn()


def look_again(fleet: Fleet) -> None:
    """Let the fleet read what was told, however short ago it last looked."""
    fleet.heard_at = fleet.felt_at = float("-inf")
    fleet.look()


def grow_quiet(fleet: Fleet, seconds: float = 30.0) -> None:
    """Let all pilots have given no sign for so long, and have that seen."""
    for view in fleet.views.values():
        view.beat_at -= seconds
        view.beat = view.folder.read_beat()
    fleet.listed_at = float("-inf")
    look_again(fleet)
