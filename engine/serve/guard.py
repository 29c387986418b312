"""What stands before the dashboard: takes an ASGI application and who may use it, gives one that answers those alone.

Every request is looked at in this order: its shape, where it comes from, whether it may read, whether it may order, its
body. What is refused is answered without the application having seen it, and logged in a line. What the application
itself fails on is answered without a word of its inside, and every answer tells the browser what it must not do.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import shorten
from engine.serve.access import Access
from engine.serve.login import LOGIN, answer_login, show_login
from engine.serve.refusals import Refusal, answer_refusal, log, note_refusal
from engine.serve.shapes import READING, Request, read_request, show_peer
from store.escape import show_text

MOST_BODY = 64 * 1024  # bytes
LARGER = {"/sql": 1 << 20}  # bytes of what may be longer
BODY_WITHIN = 10.0  # seconds from a request's headers to the end of its body
OPEN_TO_ALL = "/static/"  # style and scripts of every xp: the page that asks for the token needs them
STREAM = "text/event-stream"
STREAMS = "/live"  # what the addresses of streams end with
MOST_STREAMS = 64
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors {}"
)
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass
class Guard:
    """The application `app` for those whom `access` lets in, within the limits of this file."""

    app: ASGIApp
    access: Access
    most_streams: int = MOST_STREAMS
    body_within: float = BODY_WITHIN
    _streams: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._answer(scope, receive, _Answer(send, self.access.frames))
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        method, path = str(scope["method"]), str(scope["path"])
        try:
            await self._pass_on(scope, receive, answer)
            if answer.status >= 400:
                note_refusal(
                    answer.status, show_peer(scope), method, path, "as its answer says", self.access.lock.token
                )
        except Refusal as refused:
            note_refusal(refused.status, show_peer(scope), method, path, refused.what, self.access.lock.token)
            await self._refuse(refused, scope, receive, answer)
        except Exception as error:
            log.error("%s", describe_failure(method, path, error).replace(self.access.lock.token, "<token>"))
            await self._refuse(Refusal(500, "xp failed here", "its log says where"), scope, receive, answer)

    async def _refuse(self, refused: Refusal, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if answer.status:
            return  # what was begun cannot be taken back: the connection ends in its midst
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
        await answer_refusal(refused, str(scope["method"]), accepted)(scope, receive, answer)

    async def _pass_on(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        request = read_request(scope)
        self.access.check_source(request)
        if self.access.is_closed and (request.path == LOGIN or not self._may_read(request)):
            await self._log_in(request, scope, receive, answer)
            return
        if not request.is_reading:
            await self.access.lock.must_fit(request.header("x-xp-token"))
        if request.path.endswith(STREAMS):
            await self._stream(request, scope, receive, answer)
            return
        body = await read_body(request, receive, self.body_within)
        await self.app(scope, _replay(body, receive), answer)

    def _may_read(self, request: Request) -> bool:
        return self.access.may_read(request) or (request.is_reading and request.path.startswith(OPEN_TO_ALL))

    async def _log_in(self, request: Request, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if request.method == "POST" and request.path == LOGIN:
            body = await read_body(request, receive, self.body_within)
            made = await answer_login(self.access, request, body)
        elif "text/html" in request.header("accept") and request.method == "GET":
            made = show_login(request.path, bytes(scope["query_string"]).decode("latin-1"))
        else:
            await self.access.lock.must_fit(request.header("x-xp-token"))
            raise Refusal(404, "there is nothing at this address")
        await made(scope, receive, answer)

    async def _stream(self, request: Request, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if request.method != "GET":
            raise Refusal(405, "a stream is only listened to", "use GET", {"allow": "GET"})
        if self._streams >= self.most_streams:
            raise Refusal(503, "too many pages are open", "close some of them", {"retry-after": "10"})
        self._streams += 1
        try:
            await self.app(scope, receive, answer)
        finally:
            self._streams -= 1


class _Answer:
    """What an application sends, with the headers that every answer has."""

    def __init__(self, send: Send, frames: tuple[str, ...]) -> None:
        self._send = send
        self._frames = frames
        self.status = 0  # none was sent yet

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            message = {**message, "headers": self._with_guards(message.get("headers", ()))}
        await self._send(message)

    def _with_guards(self, given: Any) -> list[tuple[bytes, bytes]]:
        found = self._guards()
        names = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in given}
        # An answer may ask for more than all do, never for less: files of others come into a sandbox.
        policy = names.get("content-security-policy", "")
        if policy.startswith("sandbox;"):
            found["content-security-policy"] = f"{policy}; frame-ancestors {self._ancestors()}"
        if names.get("referrer-policy") == "same-origin":
            found["referrer-policy"] = "same-origin"
        if names.get("cache-control") == "no-cache":
            found["cache-control"] = "no-cache"
        kept = [(name, value) for name, value in given if name.lower().decode("latin-1") not in found]
        return [*kept, *((name.encode(), value.encode("latin-1")) for name, value in found.items())]

    def _guards(self) -> dict[str, str]:
        framing = {} if self._frames else {"x-frame-options": "DENY"}
        return {**ALWAYS, **framing, "content-security-policy": POLICY.format(self._ancestors())}

    def _ancestors(self) -> str:
        return " ".join(self._frames) or "'none'"


async def read_body(request: Request, receive: Receive, seconds: float) -> bytes:
    """Return the whole body of a request; raises Refusal for one that is too large, too slow or cut off."""
    if request.method in READING:
        return b""
    most = LARGER.get(request.path, MOST_BODY)
    too_large = Refusal(413, f"the body has more than {most:,} bytes", "send less at once")
    if int(request.header("content-length").lstrip("0")[:12] or 0) > most:
        raise too_large
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Refusal(400, "the request broke off")
                parts.append(message.get("body", b""))
                if sum(map(len, parts)) > most:
                    raise too_large
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise Refusal(408, f"the body did not come within {seconds:g} s", "send it again") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read as if it came now, and after it what else comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return left.pop() if left else await receive()

    return give


def describe_failure(method: str, path: str, error: BaseException) -> str:
    """Return what failed and where, in one line: no traceback, since others may read along in the terminal."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{place[0].filename}:{place[0].lineno}" if place else "an unknown place"
    text = f"failed {method} {shorten(path, 200)}: {type(error).__name__}: {shorten(str(error), 400)} (at {where})"
    return show_text(" ".join(text.split()))
