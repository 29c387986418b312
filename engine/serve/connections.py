"""One connection of a browser: takes bytes, and closes who sends them too slowly, sends none, or is one too many.

The guard sees a request once its headers are there; what comes before that is bounded here. A connection costs a file
that is open, of which a process has a thousand or so.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.serve.refusals import note_refusal

MOST_CONNECTIONS = 200
HEADERS_WITHIN = 10.0  # seconds
LINES = {408: "Request Timeout", 503: "Service Unavailable"}


class Connection(H11Protocol):
    """A connection of uvicorn's with an end to its patience."""

    most = MOST_CONNECTIONS
    within = HEADERS_WITHIN

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(503, "too many connections", "retry-after: 5\r\n")
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        note_refusal(400, self._who, "-", "-", "this is no HTTP, or HTTP that can be read in two ways")
        super().send_400_response(msg)

    def _watch(self) -> None:
        """Give a request that has begun, or a connection without one, its time; none to a body, which the guard has."""
        if self.conn.their_state is not h11.IDLE:
            self._rest()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.within, self._give_up)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        # A request may have been answered since, and another not have begun: uvicorn closes it in its own time.
        if self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None:
            self._refuse(408, f"no request came within {self.within:g} s")

    def _refuse(self, status: int, what: str, more: str = "") -> None:
        note_refusal(status, self._who, "-", "-", what)
        body = f"{what}\n"
        head = f"HTTP/1.1 {status} {LINES[status]}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}{more}connection: close\r\n\r\n{body}".encode("ascii"))
        self.transport.close()

    @property
    def _who(self) -> str:
        return self.client[0] if self.client else "an unknown peer"
