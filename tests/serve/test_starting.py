"""Starting: a port that is taken is said with one that is free, and what is printed opens in a browser."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn

from engine.errors import XpError
from engine.home.paths import Home
from engine.serve import readings, starting
from engine.serve.site import Site
from engine.serve.starting import WARMED, CalmServer, listen, show_address, warm_up


def test_a_port_taken_names_one_that_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(XpError, match=f"127.0.0.1:{port}") as said:
            listen("127.0.0.1", port)
    free = int(said.value.fix.split()[1])
    with listen("127.0.0.1", free) as found:
        assert found.getsockname()[1] == free != port


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(XpError, match=r"192\.0\.2\.1") as said:
        listen("192.0.2.1", 8420)
    assert "this machine" in said.value.fix


def test_a_port_is_free_again_at_once() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            served, _ = first.accept()
            served.close()  # this side closes first, and keeps the port for a while
            assert client.recv(1) == b""
    listen("127.0.0.1", port).close()


@pytest.mark.parametrize(
    ("host", "start"),
    [
        ("127.0.0.1", "http://127.0.0.1:8420/#"),
        ("::1", "http://[::1]:8420/#"),
        ("0.0.0.0", f"http://{socket.gethostname()}:"),
    ],
)
def test_an_address_is_one_to_open(host: str, start: str) -> None:
    shown = show_address(host, 8420, "secret")
    assert shown.startswith(start)
    assert shown.endswith("/#token=secret")


def test_what_is_opened_first_is_made_before(done_home: Home) -> None:
    site = Site(done_home)
    warm_up(site)
    with site.snapshot() as snapshot:
        assert snapshot is not None
        assert snapshot.known
    assert {f"/{path}" for path in ("", "runs", "queue")} == set(WARMED)


@pytest.mark.parametrize(("least", "running", "begun"), [(1, [], ["study"]), (1, ["train-1"], []), (1000, [], [])])
def test_the_newest_of_large_pages_is_begun_with_the_server_where_nothing_runs(
    done_home: Home, monkeypatch: pytest.MonkeyPatch, least: int, running: list[str], begun: list[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(readings, "LARGE", least)
    monkeypatch.setattr(readings, "look", lambda site, name, patience: asked.append(name))
    monkeypatch.setattr(starting, "running_jobs", lambda home: running)
    warm_up(Site(done_home))
    assert asked == begun


def test_a_home_without_anything_is_no_trouble(empty_home: Home) -> None:
    warm_up(Site(empty_home))


def test_a_server_looks_at_itself_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[int] = []
    slept: list[float] = []

    async def look(_: CalmServer, tick: int) -> bool:
        ticks.append(tick)
        return len(ticks) == 4

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(CalmServer, "on_tick", look)
    monkeypatch.setattr("engine.serve.starting.asyncio.sleep", sleep)
    asyncio.run(CalmServer(uvicorn.Config(None)).main_loop())  # type: ignore[arg-type]  # no application is asked
    assert (ticks, slept) == ([0, 5, 10, 15], [0.5, 0.5, 0.5])
