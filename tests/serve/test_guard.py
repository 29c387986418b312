"""The guard: what stands before an application answers for it, and what it fails on shows nothing of its inside."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from engine.serve.access import Access
from engine.serve.guard import MOST_BODY, Guard
from engine.serve.token import Lock
from tests.serve.asking import HOST, ask, ask_within, make_scope

TOKEN = "a-token-of-sixteen-or-more"
ORDER = {"x-xp-token": TOKEN, "origin": f"http://{HOST}"}
OPEN = Access(Lock(TOKEN))
CLOSED = Access(Lock(TOKEN), is_closed=True)


class Inside:
    """An application that notes what reaches it, and fails where it is told to."""

    def __init__(self, **headers: str) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.headers = headers
        self.waits = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fails":
            raise ValueError(f"{TOKEN}\nin /secret/place")
        body = b"" if scope["path"].endswith("/live") else (await receive())["body"]
        self.seen.append((scope["path"], body))
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"inside", "more_body": scope["path"] == "/breaks"})
        if scope["path"] == "/breaks":
            raise ValueError("in its midst")
        if scope["path"].endswith("/live"):
            await self.waits.wait()


def test_who_reads_is_passed_on() -> None:
    inside = Inside()
    assert ask(Guard(inside, OPEN), "GET", "/runs").text == "inside"
    assert inside.seen == [("/runs", b"")]


def test_an_order_with_the_token_is_passed_on() -> None:
    inside = Inside()
    assert ask(Guard(inside, OPEN), "POST", "/order/cancel", ORDER, b"id=study").status == 200
    assert inside.seen == [("/order/cancel", b"id=study")]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {}),
        (401, {"x-xp-token": ""}),
        (401, {"x-xp-token": TOKEN[:-1]}),
        (401, {"x-xp-token": TOKEN + " "}),
        (401, {"x-xp-token": TOKEN.upper()}),
        (401, {"cookie": f"x-xp-token={TOKEN}"}),
        (403, {**ORDER, "origin": "http://evil.example"}),
        (403, {**ORDER, "sec-fetch-site": "cross-site"}),
        (421, {**ORDER, "host": "evil.example"}),
    ],
)
def test_an_order_without_right_is_not(status: int, headers: dict[str, str]) -> None:
    inside = Inside()
    assert ask(Guard(inside, OPEN), "POST", "/order/cancel", headers, b"id=study").status == status
    assert inside.seen == []


def test_every_answer_forbids_the_browser() -> None:
    for told in (
        ask(Guard(Inside(), OPEN), "GET", "/"),
        ask(Guard(Inside(), OPEN), "GET", "/fails"),
        ask(Guard(Inside(), OPEN), "TRACE", "/"),
        ask(Guard(Inside(content_security_policy="default-src *", cache_control="public"), OPEN), "GET", "/"),
    ):
        policy = told.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert policy.endswith("frame-ancestors 'none'")
        assert "unsafe" not in policy
        assert told.headers["x-content-type-options"] == "nosniff"
        assert told.headers["referrer-policy"] == "no-referrer"
        assert told.headers["cache-control"] == "no-store"
        assert told.headers["x-frame-options"] == "DENY"


def test_frames_are_allowed_by_name() -> None:
    told = ask(Guard(Inside(), Access(Lock(TOKEN), frames=("'self'", "https://hub:*"))), "GET", "/")
    assert told.headers["content-security-policy"].endswith("frame-ancestors 'self' https://hub:*")
    assert "x-frame-options" not in told.headers


def test_a_failure_shows_nothing_inside(caplog: pytest.LogCaptureFixture) -> None:
    told = ask(Guard(Inside(), OPEN), "GET", "/fails", {"accept": "text/html"})
    assert told.status == 500
    assert "secret" not in told.text
    assert "Traceback" not in told.text + caplog.text
    assert "ValueError" in caplog.text
    assert TOKEN not in caplog.text
    assert len(caplog.records) == len(caplog.text.splitlines()) == 1


def test_what_was_begun_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    assert ask(Guard(Inside(), OPEN), "GET", "/breaks").text == "inside"
    assert "in its midst" in caplog.text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("text/html,*/*", "text/html"), ("application/json", "application/json"), ("", "text/plain")],
)
def test_a_refusal_has_the_form_asked_for(accept: str, kind: str) -> None:
    told = ask(Guard(Inside(), OPEN), "GET", "/?q=%zz", {"accept": accept})
    assert told.headers["content-type"].startswith(kind)
    assert told.headers["connection"] == "close"
    assert "encoded" in told.text
    if kind == "application/json":
        assert set(json.loads(told.text)) == {"error", "fix"}


def test_a_refusal_is_one_clean_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ask(Guard(Inside(), OPEN), "POST", f"/a%0d%0aroot%1b[2J{TOKEN}" + "x" * 3000)
    text = caplog.records[0].getMessage()
    assert text.startswith("refused 400 POST /a root\\x1b[2J<token>xxx")
    assert text.isprintable()
    assert len(text) < 400


def test_a_body_has_an_end() -> None:
    guard = Guard(Inside(), OPEN)
    assert ask(guard, "POST", "/order/cancel", ORDER, b"x" * MOST_BODY).status == 200
    assert ask(guard, "POST", "/order/cancel", ORDER, b"x" * (MOST_BODY + 1)).status == 413
    assert ask(guard, "POST", "/order/cancel", {**ORDER, "content-length": "9" * 40}, b"x").status == 413
    assert ask(guard, "POST", "/order/cancel", {**ORDER, "content-length": "100000"}, b"x").status == 413
    assert ask(guard, "POST", "/order/cancel", {**ORDER, "content-length": "1"}, b"x" * 99_999).status == 413


def test_a_slow_body_is_given_up() -> None:
    inside, sent = Inside(), []

    async def receive() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = make_scope("POST", "/order/cancel", {**ORDER, "transfer-encoding": "chunked"})
    asyncio.run(Guard(inside, OPEN, body_within=0.1)(scope, receive, send))
    assert sent[0]["status"] == 408
    assert inside.seen == []


def test_a_body_that_breaks_off_gives_no_order() -> None:
    inside = Inside()
    given: list[Any] = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"id=st", "more_body": True}]

    async def receive() -> Message:
        return dict(given.pop())

    async def send(message: Message) -> None: ...

    asyncio.run(Guard(inside, OPEN)(make_scope("POST", "/order/cancel", ORDER, 8), receive, send))
    assert inside.seen == []


def test_streams_are_counted() -> None:
    async def listen() -> list[int]:
        inside = Inside()
        guard = Guard(inside, OPEN, most_streams=2)
        waiting = [asyncio.create_task(ask_within(guard, "GET", "/live")) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await ask_within(guard, "GET", "/live")
        assert refused.headers["retry-after"]
        assert (await ask_within(guard, "GET", "/")).status == 200
        inside.waits.set()
        await asyncio.gather(*waiting)
        return [refused.status, (await ask_within(guard, "GET", "/live")).status]

    assert asyncio.run(listen()) == [503, 200]


def test_a_stream_is_only_listened_to() -> None:
    assert ask(Guard(Inside(), OPEN), "HEAD", "/live").status == 405


def test_a_closed_server_shows_its_door_alone() -> None:
    inside = Inside()
    guard = Guard(inside, CLOSED)
    told = ask(guard, "GET", "/e/study?arm=a%26b", {"accept": "text/html"})
    assert told.status == 401
    assert 'value="e/study?arm=a%26b"' in told.text
    assert 'action="../login"' in told.text
    assert told.headers["referrer-policy"] == "same-origin", "else the form would come from nowhere"
    assert ask(guard, "GET", "/live").status == 401
    assert ask(guard, "HEAD", "/").status == 401
    assert ask(guard, "POST", "/order/cancel", {"origin": f"http://{HOST}"}).status == 401
    assert inside.seen == []
    assert ask(guard, "GET", "/static/style.css").status == 200


def test_other_kinds_of_connections_are_closed() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    asyncio.run(Guard(Inside(), OPEN)({**make_scope("GET", "/"), "type": "websocket"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
