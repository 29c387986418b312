"""Behind others: below a prefix that a proxy takes away, as JupyterHub does, and through another port, as ssh does,
every link, event and order of a page leads where it should."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest

from engine.home.paths import Home
from engine.serve.access import Access, make_access
from engine.serve.app import make_app
from engine.serve.guard import Guard
from engine.serve.routes import PAGES
from engine.serve.site import Site
from tests.helpers.synthetic import Arm, SyntheticHome
from tests.serve.conftest import published
from tests.serve.listening import SECONDS, listening

PREFIX = "/user/x/proxy/8501"
HUB = "hub.example.org"
ADDRESS = re.compile(r'(?:href|src|action|hx-get|hx-post|data-live|data-root|data-points)="([^"]*)"')
MOST = 5  # addresses of one page that are followed; that all of them lead somewhere is shown without a proxy


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.unfinish(made.experiment("study", {"a": Arm(), "b": Arm(0.7)})[2])
    return published(made.home)


@pytest.fixture(scope="module")
def access(home: Home) -> Access:
    return make_access(home, "127.0.0.1", allowed=[HUB])


@pytest.fixture(scope="module")
def port(home: Home, access: Access) -> Iterator[int]:
    with listening(Guard(make_app(Site(home)), access)) as found:
        yield found


@contextmanager
def forwarding(port: int, prefix: str = "") -> Iterator[int]:
    """Hand connections on to a port, without the prefix in the first line; one request for each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, port, prefix), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        # What waits for a connection is woken by one.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(SECONDS)


def _serve(listener: socket.socket, port: int, prefix: str) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # it was closed
            return
        threading.Thread(target=_forward, args=(client, port, prefix), daemon=True).start()


def _forward(client: socket.socket, port: int, prefix: str) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        head = client.recv(65536)
        method, target, rest = head.split(b" ", 2)
        assert target.startswith(prefix.encode() + b"/"), "this would not have come to us"
        server.sendall(b" ".join([method, target[len(prefix) :], rest]))
        back = threading.Thread(target=_pour, args=(client, server), daemon=True)
        back.start()
        _pour(server, client)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side has gone
        pass


Place = tuple[int, str, str, str]  # port, prefix, host, scheme


@pytest.fixture(scope="module", params=["prefix", "port"])
def place(request: pytest.FixtureRequest, port: int) -> Iterator[Place]:
    """Where a browser finds the server: below a prefix of a hub that speaks https, or at another port."""
    prefix = PREFIX if request.param == "prefix" else ""
    with forwarding(port, prefix) as found:
        yield (found, prefix, HUB, "https") if prefix else (found, "", f"localhost:{found}", "http")


def request_of(
    place: Place, method: str, target: str, body: str = "", **headers: str
) -> tuple[int, dict[str, str], str]:
    port, _, host, _ = place
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)) as line:
        words = {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method, target, body or None, {"Host": host, "Connection": "close", **words})
        told = line.getresponse()
        return told.status, dict(told.getheaders()), told.read().decode("utf-8", "replace")


def addresses_in(text: str) -> set[str]:
    found = {unescape(one).partition("#")[0] for one in ADDRESS.findall(text)}
    return {one for one in found if one}


@pytest.mark.parametrize("path", PAGES)
def test_every_address_of_a_page_stays_below(place: Place, home: Home, path: str) -> None:
    run = json.loads(home.records("study")[0].read_text())["runs"][0]["run"]
    here = place[1] + path.replace("{experiment}", "study").replace("{run}", run)
    status, _, text = request_of(place, "GET", here)
    assert status in (200, 400)
    targets = {
        address: urljoin(f"http://any{here}", address).removeprefix("http://any") for address in addresses_in(text)
    }
    assert [address for address, target in targets.items() if not target.startswith(place[1] + "/")] == []
    followed = [target for target in sorted(targets.values()) if re.search("/static/|/queue$|/runs$|/$", target)]
    assert followed or "<html" not in text
    for target in followed[:MOST]:
        assert request_of(place, "GET", target)[0] == 200, target


def test_events_come_through(place: Place) -> None:
    text = request_of(place, "GET", place[1] + "/")[2]
    live = re.findall(r'data-live="([^"]+)"', text)[0]
    target = urljoin(f"http://any{place[1]}/", live).removeprefix("http://any")
    port, _, host, _ = place
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as line:
        line.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n".encode())
        told = b""
        while b"retry:" not in told:
            told += line.recv(4096)
    assert b"text/event-stream" in told


def test_orders_come_through(place: Place, access: Access) -> None:
    _, prefix, host, scheme = place
    source = {"Origin": f"{scheme}://{host}", "Sec_Fetch_Site": "same-origin"}
    form = {"Content_Type": "application/x-www-form-urlencoded", "X_XP_Token": access.lock.token}
    for verb in ("cancel", "retry"):
        status, headers, _ = request_of(place, "POST", f"{prefix}/order/{verb}", "id=study", **source, **form)
        assert status == 200, headers
    foreign = {**source, "Origin": "https://evil.example"}
    assert request_of(place, "POST", f"{prefix}/order/cancel", "id=study", **foreign, **form)[0] == 403


def test_a_login_leads_back_below_the_prefix(home: Home, tmp_path: Path) -> None:
    closed = make_access(home, "127.0.0.1", "a-token-of-sixteen-or-more", [HUB])
    with listening(Guard(make_app(Site(home)), closed)) as port, forwarding(port, PREFIX) as found:
        place = (found, PREFIX, HUB, "https")
        here = f"{PREFIX}/e/study"
        status, _, text = request_of(place, "GET", here, Accept="text/html")
        assert status == 401
        action = urljoin(f"http://any{here}", re.findall(r'action="([^"]+)"', text)[0]).removeprefix("http://any")
        back = re.findall(r'name="back" value="([^"]*)"', text)[0]
        form = f"token={closed.lock.token}&back={back}"
        status, headers, _ = request_of(place, "POST", action, form, Origin=f"https://{HUB}")
        assert status == 303
        told = {name.lower(): value for name, value in headers.items()}
        assert urljoin(f"http://any{action}", told["location"]) == f"http://any{here}"
        assert "Secure" in told["set-cookie"]
        assert request_of(place, "GET", here, Cookie=told["set-cookie"].partition(";")[0])[0] == 200
