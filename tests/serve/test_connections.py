"""Connections: who sends slowly, nothing, or what is no HTTP is closed, and one too many is told when to come again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from engine.serve.access import LOCAL_NAMES, Access
from engine.serve.connections import Connection
from engine.serve.guard import Guard
from engine.serve.token import Lock
from tests.serve.listening import connect, exchange, listening, read_all, until

TOKEN = "a-token-of-sixteen-or-more"
HEAD = b"GET /quick HTTP/1.1\r\nhost: localhost\r\n"


class Short(Connection):
    """A connection of little patience."""

    most = 5
    within = 0.3


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/long":
        await asyncio.sleep(2 * Short.within)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"well"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with listening(Guard(inside, Access(Lock(TOKEN), LOCAL_NAMES), body_within=0.3), Short) as found:
        yield found


def test_a_request_is_answered(port: int) -> None:
    assert exchange(port, HEAD + b"connection: close\r\n\r\n").endswith(b"well")


def test_who_says_nothing_is_closed(port: int) -> None:
    with connect(port) as line:
        assert read_all(line).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("before", [b"", HEAD + b"\r\n"], ids=["first", "second"])
def test_a_dripping_request_is_given_up(port: int, before: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with connect(port) as line:
        line.sendall(before)
        begun = time.monotonic()
        try:
            for sign in b"GET / HTTP/1.1\r\nx-header: " + b"a" * 10_000:
                line.sendall(bytes([sign]))
                time.sleep(0.02)
        except OSError:  # it is closed, in the midst of what we send
            pass
        assert time.monotonic() - begun < 60
    assert "no request came within 0.3 s" in caplog.text


def test_a_dripping_body_is_given_up(port: int) -> None:
    head = f"POST /x HTTP/1.1\r\nhost: localhost\r\nx-xp-token: {TOKEN}\r\ncontent-length: 9\r\n\r\n"
    with connect(port) as line:
        line.sendall(head.encode() + b"id=")
        assert read_all(line).startswith(b"HTTP/1.1 408 ")


def test_a_long_answer_is_waited_for(port: int) -> None:
    assert exchange(port, b"GET /long HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").endswith(b"well")


def test_one_too_many_comes_again(port: int) -> None:
    lines = [connect(port) for _ in range(Short.most)]
    time.sleep(0.05)
    with connect(port) as late:
        told = read_all(late)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 5\r\n" in told
    for line in lines:
        line.close()
    until(lambda: exchange(port, HEAD + b"connection: close\r\n\r\n").endswith(b"well"))


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00\x00\r\n\r\n", b"hello world\r\n\r\n"],
)
def test_what_is_no_http_is_refused(port: int, sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    told = exchange(port, sent)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert [one.getMessage() for one in caplog.records if "no HTTP" in one.getMessage()]
    assert "Traceback" not in caplog.text
