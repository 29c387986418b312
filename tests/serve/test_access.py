"""Who may read and order: names, origins, what browsers say of a request, and the address that is listened on."""

from __future__ import annotations

import pytest

from engine.errors import XpError
from engine.home.paths import Home
from engine.serve.access import Access, make_access
from engine.serve.refusals import Refusal
from engine.serve.shapes import read_request
from engine.serve.token import Lock
from tests.serve.asking import make_scope

TOKEN = "a-token-of-sixteen-or-more"
HUB = Access(Lock(TOKEN), Access(Lock(TOKEN)).names | {"hub.example.org"}, frozenset({"hub.example.org"}))


def refused(access: Access, method: str, headers: dict[str, str]) -> int:
    try:
        access.check_source(read_request(make_scope(method, "/", headers)))
    except Refusal as found:
        return found.status
    return 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8420", "localhost:9999", "LOCALHOST", "[::1]:80", "[::1]"])
def test_own_names_pass_with_any_port(host: str) -> None:
    assert refused(Access(Lock(TOKEN)), "GET", {"host": host}) == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:8420", "", "127.0.0.1:x",
        "[::2]", "127.0.0.1@evil.example", "localhost/", "127.0.0.2", "10.0.0.1", "hub.example.org", "2130706433",
        "[::1", "localhost:1:2",
    ],
)  # fmt: skip
def test_foreign_names_are_refused(host: str) -> None:
    assert refused(Access(Lock(TOKEN)), "GET", {"host": host}) == 421


def test_a_name_that_was_allowed_passes() -> None:
    assert refused(HUB, "GET", {"host": "hub.example.org"}) == 0
    assert refused(HUB, "GET", {"host": "Hub.Example.org.:443"}) == 0
    assert refused(HUB, "GET", {"host": "x.hub.example.org"}) == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1:8420.evil.example"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8420"},
    ],
)
def test_other_sites_send_nothing(headers: dict[str, str]) -> None:
    assert refused(Access(Lock(TOKEN)), "POST", headers) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:8420", "sec-fetch-site": "same-origin"},
        {"origin": "http://localhost:7000", "host": "localhost:7000"},
    ],
)
def test_own_pages_send(headers: dict[str, str]) -> None:
    assert refused(Access(Lock(TOKEN)), "POST", headers) == 0


def test_a_proxy_may_change_the_host() -> None:
    assert refused(HUB, "POST", {"origin": "https://hub.example.org", "host": "localhost:8501"}) == 0
    assert refused(HUB, "POST", {"origin": "https://other.example.org", "host": "localhost:8501"}) == 403


def test_other_sites_only_link_here() -> None:
    site = {"sec-fetch-site": "cross-site"}
    assert refused(Access(Lock(TOKEN)), "GET", {**site, "sec-fetch-mode": "navigate"}) == 0
    assert refused(Access(Lock(TOKEN)), "GET", {**site, "sec-fetch-mode": "no-cors"}) == 403


def test_an_address_that_others_reach_needs_a_token(empty_home: Home) -> None:
    with pytest.raises(XpError, match="read everything") as said:
        make_access(empty_home, "0.0.0.0")
    assert "--token auto" in said.value.fix
    access = make_access(empty_home, "0.0.0.0", "auto")
    assert access.is_closed
    assert refused(access, "GET", {"host": "10.1.2.3:8420"}) == 0
    assert refused(access, "GET", {"host": "evil.example"}) == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_alone_may_read(empty_home: Home, host: str) -> None:
    access = make_access(empty_home, host)
    assert not access.is_closed
    assert access.lock.token == empty_home.serve_token.read_text().strip()
    assert refused(access, "GET", {"host": "10.1.2.3:8420"}) == 421


def test_a_token_closes_this_machine_too(empty_home: Home) -> None:
    access = make_access(empty_home, "127.0.0.1", TOKEN)
    assert access.is_closed
    assert access.lock.token == TOKEN


@pytest.mark.parametrize(
    "name", ["https://hub.example.org", "hub.example.org:443", "*.example.org", "", "a b", "é.org"]
)
def test_what_is_no_name_is_refused(empty_home: Home, name: str) -> None:
    with pytest.raises(XpError, match="no name"):
        make_access(empty_home, "127.0.0.1", allowed=[name])


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1:80", "300.0.0.1"])
def test_what_is_no_address_is_refused(empty_home: Home, host: str) -> None:
    with pytest.raises(XpError, match="no address"):
        make_access(empty_home, host)


def test_frames_are_those_of_names(empty_home: Home) -> None:
    assert make_access(empty_home, "127.0.0.1").frames == ()
    framed = make_access(empty_home, "127.0.0.1", allowed=["hub.example.org"], is_framed=True).frames
    assert framed == ("'self'", "https://hub.example.org:*", "http://hub.example.org:*")


def test_a_cookie_reads_and_the_token_too() -> None:
    access = Access(Lock(TOKEN), is_closed=True)
    lock = access.lock
    for headers in ({"cookie": f"a=b; {lock.cookie_name}={lock.cookie}"}, {"x-xp-token": TOKEN}):
        assert access.may_read(read_request(make_scope("GET", "/", headers)))
    for headers in ({}, {"cookie": f"{lock.cookie_name}={TOKEN}"}, {"cookie": "\x00;;=;"}, {"x-xp-token": lock.cookie}):
        assert not access.may_read(read_request(make_scope("GET", "/", headers)))
