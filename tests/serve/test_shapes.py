"""Shapes of requests: what can be read in two ways is refused, what browsers send is not."""

from __future__ import annotations

import pytest

from engine.serve.refusals import Refusal
from engine.serve.shapes import MOST_ADDRESS, MOST_HEADERS, MOST_WORDS, read_request
from tests.serve.asking import make_scope


def status_of(method: str, target: str, headers: dict[str, str] | None = None, length: int = 0) -> int:
    """Return what a request is refused with, 0 where it is not."""
    try:
        read_request(make_scope(method, target, headers, length))
    except Refusal as refused:
        return refused.status
    return 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_usual_methods_pass(method: str) -> None:
    assert status_of(method, "/runs?arm=a%20b&split=60%2F20%2F20&q=%C3%A9") == 0


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "get", "G\x1b"])
def test_other_methods_do_nothing(method: str) -> None:
    assert status_of(method, "/") == 405


@pytest.mark.parametrize(
    "target",
    [
        "/../queue.db", "/static/../../queue.db", "/static/%2e%2e/x", "/static/..%2fx", "/static/%2e%2e%2fx", "/./x",
        "/static/..%5cx", "/static/..\\x", "//etc/passwd", "/static//etc/passwd", "http://other/", "*", "", "/e/a%2Fb",
        "/e/%00", "/e/a%0d%0ab", "/e/%zz", "/e/%", "/e/%2", "/e/%ff", "/e/%c0%ae%c0%ae", "/e/%ed%a0%80", "/e/%7f",
        "/?q=%00", "/?q=%", "/?q=%ff", "/?q=%zz",
    ],
)  # fmt: skip
def test_no_address_of_a_page_is_refused(target: str) -> None:
    assert status_of("GET", target) == 400


def test_an_address_has_an_end() -> None:
    assert status_of("GET", "/" + "a" * (MOST_ADDRESS - 1)) == 0
    assert status_of("GET", "/" + "a" * MOST_ADDRESS) == 414
    assert status_of("GET", "/?q=" + "a" * MOST_ADDRESS) == 414
    assert status_of("GET", "/sql?q=" + "a" * 32_000) == 0, "a query may be longer"
    assert status_of("GET", "/sql/csv?q=" + "a" * 33_000) == 414


def test_a_query_has_so_many_words() -> None:
    assert status_of("GET", "/?" + "&".join(["a"] * MOST_WORDS)) == 0
    assert status_of("GET", "/?" + "&".join(["a"] * (MOST_WORDS + 1))) == 400


def test_headers_have_an_end() -> None:
    assert status_of("GET", "/", {f"x-{number}": "" for number in range(MOST_HEADERS)}) == 431
    assert status_of("GET", "/", {"cookie": "a" * 17_000}) == 431


@pytest.mark.parametrize("name", ["host", "content-length", "x-xp-token", "origin"])
def test_headers_that_decide_stand_once(name: str) -> None:
    scope = make_scope("POST", "/order/cancel", {name: "1"})
    scope["headers"].append((name.encode(), b"2"))
    with pytest.raises(Refusal, match="twice"):
        read_request(scope)


def test_cookies_may_come_in_two_lines() -> None:
    scope = make_scope("GET", "/", {"cookie": "a=1"})
    scope["headers"].append((b"Cookie", b"b=2"))
    assert read_request(scope).header("cookie") == "a=1; b=2"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "3", "transfer-encoding": "chunked"},
        {"transfer-encoding": "gzip, chunked"},
        {"transfer-encoding": "xchunked"},
        {"content-length": "+3"},
        {"content-length": "0x3"},
        {"content-length": "-1"},
        {"content-length": "3, 3"},
    ],
)
def test_a_body_has_one_end(headers: dict[str, str]) -> None:
    assert status_of("POST", "/order/cancel", headers) == 400


def test_who_reads_sends_no_body() -> None:
    assert status_of("GET", "/", length=10) == 400
    assert status_of("GET", "/", {"transfer-encoding": "chunked"}) == 400
    assert status_of("GET", "/", {"content-length": "0"}) == 0
