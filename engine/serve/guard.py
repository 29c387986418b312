"""What stands before the dashboard: takes an ASGI application and who may use it, gives one that answers those alone.

Every request is looked at in this order: its shape, where it comes from, whether it may read, whether it may order, its
body. What is refused is answered without the application having seen it, and logged in a line. What the application
itself fails on is answered without a word of its inside, and every answer tells the browser what it must not do.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import shorten
from engine.serve.access import Access
from engine.serve.headers import STATIC, Guarding
from engine.serve.login import LOGIN, answer_login, show_login
from engine.serve.refusals import Refusal, answer_refusal, log, note_refusal
from engine.serve.shapes import READING, Request, read_request, show_peer
from store.escape import show_text

MOST_BODY = 64 * 1024  # bytes
BODY_WITHIN = 10.0  # seconds from a request's headers to the end of its body
STREAMS = ("/live",)
MOST_STREAMS = 64


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
            guarding = Guarding(self.access.frames, self.access.is_closed)
            await self._answer(scope, receive, _Answer(send, str(scope["path"]), guarding))
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
        if request.path in STREAMS:
            await self._stream(request, scope, receive, answer)
            return
        body = await read_body(request, receive, self.body_within)
        await self.app(scope, _replay(body, receive), answer)

    def _may_read(self, request: Request) -> bool:
        return self.access.may_read(request) or (request.is_reading and request.path.startswith(STATIC))

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
    """What an application sends to a path, with the headers that every answer has."""

    def __init__(self, send: Send, path: str, guarding: Guarding) -> None:
        self._send = send
        self._path = path
        self._guarding = guarding
        self.status = 0  # none was sent yet

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            message = {**message, "headers": self._guarding.guard(message.get("headers", ()), self._path)}
        await self._send(message)


async def read_body(request: Request, receive: Receive, seconds: float) -> bytes:
    """Return the whole body of a request; raises Refusal for one that is too large, too slow or cut off."""
    if request.method in READING:
        return b""
    too_large = Refusal(413, f"the body has more than {MOST_BODY:,} bytes", "send less at once")
    if int(request.header("content-length").lstrip("0")[:12] or 0) > MOST_BODY:
        raise too_large
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Refusal(400, "the request broke off")
                parts.append(message.get("body", b""))
                if sum(map(len, parts)) > MOST_BODY:
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
