"""Bad requests, as they come from other sites, other users and scanners: each is refused in words and in a line of the
log, changes nothing in the home, shows nothing of its inside, and the server goes on to answer."""

from __future__ import annotations

import json
import logging
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.serve.access import LOCAL_NAMES, Access
from engine.serve.app import make_app
from engine.serve.connections import Connection
from engine.serve.guard import MOST_BODY, MOST_STREAMS, Guard
from engine.serve.routes import PAGES
from engine.serve.site import Site
from engine.serve.token import Lock
from tests.helpers.synthetic import Arm, SyntheticHome
from tests.serve.asking import HOST, ask
from tests.serve.conftest import published
from tests.serve.listening import connect, exchange, listening, read_all, until

TOKEN = "a-token-of-sixteen-or-more"
MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"
ORDER = {"x-xp-token": TOKEN, "origin": f"http://{HOST}", "content-type": "application/x-www-form-urlencoded"}
CANCEL = "/order/cancel"


@dataclass(frozen=True)
class Bad:
    """A request and what it is refused with."""

    status: int
    target: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def name(self) -> str:
        told = [self.method, self.target, *self.headers.values(), self.body.decode("latin-1")]
        return re.sub(r"[^\w./%-]+", "_", " ".join(told))[:70]


def order(status: int, body: bytes = b"id=study", target: str = CANCEL, **changed: str) -> Bad:
    """An order that is right but for what is changed."""
    return Bad(
        status, target, "POST", {**ORDER, **{name.replace("_", "-"): value for name, value in changed.items()}}, body
    )


TRAVERSAL = [
    Bad(status, target)
    for status, target in (
        (400, "/static/../../../queue.db"), (400, "/static/%2e%2e/%2e%2e/queue.db"), (400, "/static/..%2f..%2fqueue"),
        (400, "/static/%2e%2e%2fserve.token"), (400, "/static/..%5c..%5cserve.token"), (400, "/static/....//token"),
        (404, "/static/%252e%252e/serve.token"), (400, "/static//etc/passwd"), (404, "/static/C:/windows/win.ini"),
        (400, "/static/%c0%ae%c0%ae/serve.token"), (400, "/e/../../etc/passwd"), (400, "/run/..%2f..%2fqueue.db"),
        (404, "/.git/config"), (404, "/serve.token"), (404, "/queue.db"), (400, "file:///etc/passwd"),
        (400, "/static/./x"), (404, "/static/.%20./x"), (404, "/static/"), (404, "/static/vendor"),
    )
]  # fmt: skip
TOKENS = [
    Bad(401, CANCEL, "POST", {}, b"id=study"),
    order(401, x_xp_token=""),
    order(401, x_xp_token=TOKEN[:-1]),
    order(401, x_xp_token=TOKEN + "x"),
    order(401, x_xp_token=TOKEN.upper()),
    order(401, x_xp_token="é" * 30),
    Bad(401, f"{CANCEL}?token={TOKEN}", "POST", {"origin": f"http://{HOST}"}, b"id=study"),
    Bad(401, CANCEL, "POST", {"origin": f"http://{HOST}"}, f"id=study&token={TOKEN}&X-XP-Token={TOKEN}".encode()),
    Bad(401, CANCEL, "POST", {"cookie": f"xp-token={TOKEN}", "origin": f"http://{HOST}"}, b"id=study"),
    Bad(401, CANCEL, "POST", {"authorization": f"Bearer {TOKEN}"}, b"id=study"),
]
SITES = [
    order(403, origin="http://evil.example"),
    order(403, origin="null"),
    order(403, origin="http://127.0.0.1:8888"),
    order(403, origin=f"http://{HOST}.evil.example"),
    order(403, origin=f"https://evil.example#{HOST}"),
    order(403, sec_fetch_site="cross-site"),
    order(403, sec_fetch_site="same-site"),
    Bad(403, "/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}),
    Bad(403, "/live", headers={"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}),
]
NAMES = [
    Bad(421, "/", headers={"host": host})
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "evil.example:8420",
        "[::2]:8420",
        "localhost@evil",
        "0.0.0.0",
    )
] + [order(421, host="evil.example", origin="http://evil.example")]
SIZES = [
    Bad(414, "/?q=" + "a" * 9000),
    Bad(414, "/" + "a" * 9000),
    Bad(400, "/runs?" + "&".join(["arm=x"] * 500)),
    Bad(431, "/", headers={f"x-{number}": "a" for number in range(150)}),
    Bad(431, "/", headers={"cookie": "a" * 20_000}),
    order(413, b"id=" + b"a" * MOST_BODY),
    order(413, b"id=study", content_length="99999999999999999999"),
    order(400, b"&".join([b"id=study"] * 1000)),
]
METHODS = [
    Bad(405, "/", method) for method in ("OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "PROPFIND", "get")
] + [
    Bad(405, CANCEL), Bad(405, CANCEL, "HEAD"), order(405, target="/"), order(405, target="/live"),
    Bad(405, "/live", "HEAD"),
    Bad(405, CANCEL, "OPTIONS", {"origin": "http://evil.example", "access-control-request-method": "POST"}),
]  # fmt: skip
ENCODINGS = [
    Bad(400, target)
    for target in (
        "/e/%", "/e/%4", "/e/%zz", "/e/%u0041", "/e/%ff%fe", "/e/%ed%a0%80", "/e/%00", "/e/study%00.html",
        "/e/a%0d%0aSet-Cookie:a", "/e/%1b[2J", "/?q=%00", "/?q=%", "/?q=%ff", "/runs?%00=a", "/e/%7f", "/e/a%09b",
    )
]  # fmt: skip
SMUGGLING = [
    order(400, transfer_encoding="chunked", content_length="8"),
    order(400, transfer_encoding="gzip, chunked", content_length=""),
    order(400, transfer_encoding="chunked, chunked", content_length=""),
    order(400, content_length="+8"),
    order(400, content_length="8 "),
    order(400, content_length="0x8"),
    Bad(400, "/", headers={"content-length": "30"}, body=b"POST /order/cancel HTTP/1.1\r\n\r\n"),
    Bad(400, "http://127.0.0.1:8420/order/cancel"),
    Bad(400, "*"),
]
WORDS = [
    order(422, body)
    for body in (
        b"id=nothing", b"id=../../etc", b"id=%00", b"id=%3Cscript%3E", b"id=%27%3B%20drop%20table%20jobs", b"id=%ff",
        b"id=*", b"id=" + b"9" * 5000,
    )
] + [
    order(404, b"id=study", target="/order/explode"),
    order(404, b"id=study", target="/order/cancel/study"),
    Bad(404, "/e/study/nothing/at/all"),
    Bad(404, "/nothing"),
    Bad(404, "/runs/"),
    Bad(404, "/?part=__init__"),
    Bad(404, "/?part=" + MARKUP.replace("<", "%3C").replace(">", "%3E").replace('"', "%22").replace(" ", "%20")),
]  # fmt: skip
BAD = [*TRAVERSAL, *TOKENS, *SITES, *NAMES, *SIZES, *METHODS, *ENCODINGS, *SMUGGLING, *WORDS]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a job that could be cancelled, and names that are markup."""
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    runs = made.experiment("study", {MARKUP: Arm(), "other": Arm(0.7)}, title=MARKUP)
    made.unfinish(runs[2])
    return published(made.home)


@pytest.fixture(scope="module")
def app(home: Home) -> Guard:
    return Guard(make_app(Site(home)), Access(Lock(TOKEN), LOCAL_NAMES), most_streams=4)


@pytest.fixture(autouse=True)
def _guesses_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.serve.token.FIRST_WAIT", 0.0)


def state_of(home: Home) -> tuple[list[str], dict[str, tuple[int, int]]]:
    """Every row of the queue, and every other file of the home by size and time."""
    with closing(sqlite3.connect(f"{home.queue_db.as_uri()}?mode=ro", uri=True)) as db:
        rows = list(db.iterdump())
    files = [path for path in home.root.rglob("*") if path.is_file() and not path.name.startswith("queue.db")]
    return rows, {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_there_are_as_many_as_were_asked_for() -> None:
    assert len({(bad.method, bad.target, str(bad.headers), bad.body) for bad in BAD}) >= 80


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_request_changes_nothing(app: Guard, home: Home, bad: Bad, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    before = state_of(home)
    told = ask(app, bad.method, bad.target, {"accept": "text/html", **bad.headers}, bad.body)
    assert told.status == bad.status
    assert state_of(home) == before
    lines = [one.getMessage() for one in caplog.records if one.name == "xp.serve"]
    assert len(lines) == 1
    assert lines[0].startswith(f"refused {bad.status} ")
    assert lines[0].isprintable()
    assert len(lines[0]) < 500
    assert TOKEN not in lines[0] + told.text
    assert "Traceback" not in caplog.text + told.text
    assert "<script>alert" not in told.text or told.headers["content-type"].startswith("text/plain")
    assert not re.search(r"/root|/tmp/|site-packages|\.py\b", told.text), (
        "what lies on this machine is nobody's business"
    )
    assert "access-control-allow-origin" not in told.headers
    assert told.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"id=", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"\x00\xff\xfe", "application/x-www-form-urlencoded"),
        (b'{"id": "study"}', "application/json"),
        (b"id=study", "text/plain"),
        (b"id=study", ""),
    ],
)
def test_an_order_for_nothing_changes_nothing(app: Guard, home: Home, body: bytes, kind: str) -> None:
    before = state_of(home)
    told = ask(app, "POST", CANCEL, {**ORDER, "content-type": kind}, body)
    assert told.status in (200, 422)
    assert json.loads(told.headers["hx-trigger"])["said"]["good"] is False
    assert state_of(home) == before


def test_the_right_order_is_carried_out(tmp_path: Path) -> None:
    """Else nothing above would show that anything could have been changed."""
    made = SyntheticHome(tmp_path)
    made.unfinish(made.experiment("study", {"a": Arm(), "b": Arm(0.7)})[2])
    place = published(made.home)
    before = state_of(place)
    app = Guard(make_app(Site(place)), Access(Lock(TOKEN), LOCAL_NAMES))
    assert ask(app, "POST", CANCEL, ORDER, b"id=study").status == 200
    assert state_of(place) != before


def run_of(home: Home) -> str:
    return str(json.loads(home.records("study")[0].read_text())["runs"][0]["run"])


@pytest.mark.parametrize("path", PAGES)
def test_markup_in_names_stays_text(app: Guard, home: Home, path: str) -> None:
    told = ask(app, "GET", path.replace("{experiment}", "study").replace("{run}", run_of(home)))
    assert told.status < 500
    assert "<script>alert" not in told.text
    assert "<img src=x" not in told.text
    assert "49" not in re.findall(r"onerror=alert\(2\)&gt;(\d+)", told.text)


def test_no_page_asks_another_machine(app: Guard, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, lambda *words: asked.append(words))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **more: asked.append(words))
    for path in PAGES:
        assert ask(app, "GET", path.replace("{experiment}", "study").replace("{run}", run_of(home))).status < 500
    assert asked == []


QUERIES = [
    "drop table runs", "delete from raw.runs", "copy runs to '/tmp/x.csv'", "select * from read_text('/etc/passwd')",
    "attach '/tmp/x.db'", "install httpfs", "set threads = 64", "select getenv('HOME')",
    "pragma database_list; drop view cells", "select '" + MARKUP + "'", "\x1b[2J", "select", "",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_sql_writes_and_reads_nothing_else(app: Guard, home: Home, query: str) -> None:
    from urllib.parse import quote

    before = state_of(home)
    told = ask(app, "GET", f"/sql?part=answer&q={quote(query)}")
    assert told.status < 500
    assert state_of(home) == before
    assert "root:" not in told.text
    assert "<script>alert" not in told.text


class Few(Connection):
    most = 20
    within = 5.0


@pytest.fixture(scope="module")
def port(app: Guard) -> Iterator[int]:
    with listening(app, Few) as found:
        yield found


def answers(port: int) -> bool:
    return exchange(port, b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").startswith(
        b"HTTP/1.1 200 "
    )


def raw(*lines: str, body: str = "") -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


SMUGGLED = f"POST {CANCEL} HTTP/1.1\r\nhost: localhost\r\nx-xp-token: wrong\r\ncontent-length: 8\r\n\r\nid=study"
WIRE = {
    "two lengths": raw("POST /x HTTP/1.1", "host: localhost", "content-length: 3", "content-length: 4", body="abcd"),
    "length and chunks": raw(
        "POST /x HTTP/1.1",
        "host: localhost",
        "content-length: 4",
        "transfer-encoding: chunked",
        body="0\r\n\r\n" + SMUGGLED,
    ),
    "odd coding": raw("POST /x HTTP/1.1", "host: localhost", "transfer-encoding: xchunked", body="0\r\n\r\n"),
    "blank before colon": raw("POST /x HTTP/1.1", "host: localhost", "content-length : 5", body="abcde"),
    "bare line feed": b"GET / HTTP/1.1\nhost: evil.example\n\n",
    "two hosts": raw("GET / HTTP/1.1", "host: localhost", "host: evil.example"),
    "no host": raw("GET / HTTP/1.1"),
    "old without host": raw("GET / HTTP/1.0"),
    "whole address": raw("GET http://localhost/ HTTP/1.1", "host: localhost"),
    "bad chunk": raw(
        "POST /x HTTP/1.1", "host: localhost", f"x-xp-token: {TOKEN}", "transfer-encoding: chunked", body="zz\r\n"
    ),
    "huge chunk": raw(
        "POST /x HTTP/1.1",
        "host: localhost",
        f"x-xp-token: {TOKEN}",
        "transfer-encoding: chunked",
        body="f" * 30 + "\r\n",
    ),
    "body of a reader": raw("GET / HTTP/1.1", "host: localhost", f"content-length: {len(SMUGGLED)}", body=SMUGGLED),
    "nul in a header": raw("GET / HTTP/1.1", "host: localhost", "x: a\0b"),
    "endless header": raw("GET / HTTP/1.1", "host: localhost", "x: " + "a" * 100_000),
    "no version": b"GET /\r\n\r\n",
    "other version": raw("GET / HTTP/3.7", "host: localhost"),
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
}


@pytest.mark.parametrize("name", WIRE)
def test_nothing_is_smuggled(port: int, home: Home, name: str, caplog: pytest.LogCaptureFixture) -> None:
    before = state_of(home)
    told = exchange(port, WIRE[name])
    assert re.match(rb"HTTP/1\.1 (4\d\d|501|505) ", told)
    assert told.count(b"HTTP/1.1 ") == 1, "the rest was taken for a second request"
    assert b"Traceback" not in told
    assert state_of(home) == before
    assert "refused" in caplog.text
    assert answers(port)


def test_open_streams_do_not_stop_pages(port: int) -> None:
    lines = []
    for _ in range(4):
        lines.append(connect(port))
        lines[-1].sendall(raw("GET /live HTTP/1.1", "host: localhost"))
        assert lines[-1].recv(15).startswith(b"HTTP/1.1 200")
    with connect(port) as late:
        late.sendall(raw("GET /live HTTP/1.1", "host: localhost"))
        told = read_all(late)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in told
    assert answers(port)
    for line in lines:
        line.close()

    def streams_again() -> bool:
        with connect(port) as line:
            line.sendall(raw("GET /live HTTP/1.1", "host: localhost"))
            return line.recv(15).startswith(b"HTTP/1.1 200")

    until(streams_again)


def test_five_hundred_connections_are_survived(port: int) -> None:
    lines: list[socket.socket] = []
    for _ in range(500):
        lines.append(connect(port))
    for line in lines:
        line.close()
    until(lambda: answers(port))


def test_streams_are_fewer_than_connections() -> None:
    assert Connection.most > MOST_STREAMS, "open pages would leave no connection for others"
