"""Requests as they come, without a client that mends them: an application is asked in this process, with raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

HOST = "127.0.0.1:8420"


@dataclass(frozen=True)
class Told:
    """An answer: names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(app: ASGIApp, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Told:
    """Return what an application answers to a target as it stands in a request line."""
    return asyncio.run(ask_within(app, method, target, headers, body))


async def ask_within(
    app: ASGIApp, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Told:
    """The same, in a loop that runs: for several requests at once."""
    sent: list[Message] = []
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if given:
            return given.pop()
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(make_scope(method, target, headers, len(body)), receive, send)
    told = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Told(sent[0]["status"], told, b"".join(one.get("body", b"") for one in sent[1:]))


def make_scope(method: str, target: str, headers: Mapping[str, str] | None = None, length: int = 0) -> dict[str, Any]:
    """A request as uvicorn hands it on; Host and Content-Length are there unless they are given."""
    path, _, query = target.partition("?")
    usual = {"host": HOST, **({"content-length": str(length)} if length else {})}
    pairs = {**usual, **{name.lower(): value for name, value in (headers or {}).items()}}
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "scheme": "http", "server": ("127.0.0.1", 8420), "client": ("127.0.0.1", 50000),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs.items()],
    }  # fmt: skip
