"""The page that asks for the token: who knows it gets a cookie that reads, and comes to where they wanted to go."""

from __future__ import annotations

import pytest

from engine.serve.access import Access
from engine.serve.guard import Guard
from engine.serve.token import Lock
from tests.serve.asking import HOST, ask
from tests.serve.test_guard import CLOSED, ORDER, TOKEN, Inside


def test_the_token_opens_a_closed_server() -> None:
    guard = Guard(Inside(), CLOSED)
    form = {"origin": f"http://{HOST}"}
    told = ask(guard, "POST", "/login", form, f"token={TOKEN}&back=e/study%3Farm%3Da%2526b".encode())
    assert told.status == 303
    assert told.headers["location"] == "./e/study?arm=a%26b"
    cookie = told.headers["set-cookie"]
    assert cookie.endswith("; HttpOnly; SameSite=Strict")
    assert "ath=" not in cookie, "behind a proxy it would be sent to the neighbours too"
    assert TOKEN not in cookie
    kept = {"cookie": cookie.partition(";")[0]}
    assert ask(guard, "GET", "/runs", kept).text == "inside"
    assert ask(guard, "POST", "/order/cancel", {**kept, **form}).status == 401
    assert ask(guard, "POST", "/order/cancel", {**kept, **ORDER}).status == 200


def test_a_login_over_https_stays_there() -> None:
    secure = Access(Lock(TOKEN), outside=frozenset({"hub"}), is_closed=True)
    told = ask(Guard(Inside(), secure), "POST", "/login", {"origin": "https://hub"}, f"token={TOKEN}".encode())
    assert told.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "\\\\evil", "%0d%0aset-cookie:a=b", ""])
def test_a_login_leads_nowhere_else(back: str) -> None:
    told = ask(Guard(Inside(), CLOSED), "POST", "/login", None, f"token={TOKEN}&back={back}".encode())
    assert told.headers["location"].startswith("./")
    assert told.headers["location"][2:3] not in ("/", "\\")
    assert "\n" not in told.headers["location"]


@pytest.mark.parametrize("body", [b"token=wrong-wrong-wrong", b"", b"token=", b"\xff=\x00", b"&" * 500])
def test_a_wrong_login_stays_outside(body: bytes) -> None:
    told = ask(Guard(Inside(), CLOSED), "POST", "/login", {"accept": "text/html"}, body)
    assert told.status in (400, 401)
    assert "set-cookie" not in told.headers


def test_a_second_try_leads_to_the_same_place() -> None:
    told = ask(Guard(Inside(), CLOSED), "POST", "/login", None, b"token=wrong-wrong-wrong&back=e/study%3Fa%3D%2522")
    assert 'value="e/study?a=%22"' in told.text
    assert "not the token" in told.text


def test_a_foreign_login_is_refused() -> None:
    told = ask(Guard(Inside(), CLOSED), "POST", "/login", {"origin": "http://evil.example"}, f"token={TOKEN}".encode())
    assert told.status == 403
