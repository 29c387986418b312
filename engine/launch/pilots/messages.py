"""What a scheduler and a pilot say to each other: takes lines of JSON, gives them typed, or None for what is damaged.

Orders: run an attempt, stop one, write its stacks, leave. Told: what the pilot is (once, at its start), what became of
attempts, that it takes no more (`closing`) and that all of it has ended (`closed`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Text = Annotated[str, Field(max_length=10_000)]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]


class Message(BaseModel):
    """Words of other versions are left out."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class RunOrder(Message):
    """Run an attempt in one of the pilot's slots; `slot` is its whole name, as the scheduler has it."""

    do: Literal["run"] = "run"
    job: Text
    attempt: Count
    slot: Text
    ooms: Count = 0
    cache: Text


class StopOrder(Message):
    """Ask an attempt to end, and kill it `grace` seconds later."""

    do: Literal["stop"] = "stop"
    job: Text
    attempt: Count
    grace: Annotated[float, Field(ge=0, le=1e6)]


class StacksOrder(Message):
    """Have an attempt write its threads' stacks into its log."""

    do: Literal["stacks"] = "stacks"
    job: Text
    attempt: Count


class LeaveOrder(Message):
    """Take no more attempts, and end when those that run have ended."""

    do: Literal["leave"] = "leave"


class Opened(Message):
    """What a pilot is: its machine, its process and the slots that it has, by its own machine's names for them."""

    told: Literal["opened"] = "opened"
    node: Text
    host: Text
    boot_id: Text
    pid: Count
    start: Count
    slots: list[Text]


class Began(Message):
    """An attempt has a process on the pilot's machine."""

    told: Literal["began"] = "began"
    job: Text
    attempt: Count
    pid: Count
    start: Count


class Ended(Message):
    """An attempt's process is gone; the words of engine.launch.Status."""

    told: Literal["ended"] = "ended"
    job: Text
    attempt: Count
    exit: Annotated[int, Field(ge=-255, le=255)] | None = None
    has_started: bool = True
    is_oom: bool = False


class Closing(Message):
    """No more orders are taken, and why."""

    told: Literal["closing"] = "closing"
    why: Text = ""


class Closed(Message):
    """Everything of the pilot has ended."""

    told: Literal["closed"] = "closed"


M = TypeVar("M", bound=Message)


def _read(kinds: Mapping[str, type[M]], word: str, line: Mapping[str, Any]) -> M | None:
    kind = kinds.get(str(line.get(word)))
    try:
        return None if kind is None else kind.model_validate(dict(line))
    except ValidationError:
        return None


def read_order_line(line: Mapping[str, Any]) -> Message | None:
    return _read(ORDERS, "do", line)


def read_told_line(line: Mapping[str, Any]) -> Message | None:
    return _read(TOLD, "told", line)


ORDERS: Mapping[str, type[Message]] = {"run": RunOrder, "stop": StopOrder, "stacks": StacksOrder, "leave": LeaveOrder}
TOLD: Mapping[str, type[Message]] = {
    "opened": Opened,
    "began": Began,
    "ended": Ended,
    "closing": Closing,
    "closed": Closed,
}
