"""The dashboard and the examination of a home whose queue is on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine.home.paths import Home
from engine.inspect.doctor import OF_A_HOME, Finding
from engine.serve.app import make_app
from engine.serve.site import Site
from store.queue.place import VARIABLE
from tests.cluster.postgres_site import PostgresSite, in_folder
from tests.helpers.queueing import Probe, make_home, states, submit_probes

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresSite]:
    with in_folder(syncs=False) as site:
        yield site


@pytest.fixture
def home(server: PostgresSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv(VARIABLE, server.url)
    made = make_home(tmp_path)
    submit_probes(made, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    return made


def find_queue(home: Home) -> Finding:
    return dict(OF_A_HOME)["queue.db"](home)


def test_doctor_finds_a_queue_on_a_server_whole(home: Home) -> None:
    found = find_queue(home)
    assert (found.is_well, found.what) == (True, "whole")


def test_doctor_says_to_start_a_server_that_is_down(home: Home, server: PostgresSite) -> None:
    server.stop()
    try:
        found = find_queue(home)
    finally:
        server.start()
    assert not found.is_well
    assert found.what.startswith("its server does not answer: ")
    assert "start the server" in found.fix
    assert "rebuild" not in found.fix, "that would take the same server"


@pytest.mark.parametrize("page", ["/", "/queue", "/queue?part=now", "/runs", "/e/one"])
def test_the_dashboard_shows_a_queue_on_a_server(home: Home, page: str) -> None:
    told = TestClient(make_app(Site(home))).get(page)
    assert told.status_code == 200
    assert "Traceback" not in told.text


def test_the_dashboard_gives_orders_to_a_queue_on_a_server(home: Home) -> None:
    client = TestClient(make_app(Site(home)))
    assert "train-1" in client.get("/queue").text
    client.post("/order/pause", data={"id": ["train-1"]})
    assert states(home)["train-1"] == "paused"


def test_the_dashboard_says_that_a_server_is_down(home: Home, server: PostgresSite) -> None:
    client = TestClient(make_app(Site(home)))
    server.stop()
    try:
        told = client.get("/queue")
    finally:
        server.start()
    assert told.status_code == 503
    assert "the server of the queue does not answer" in told.text
    assert "start the server" in told.text
    assert client.get("/queue").status_code == 200, "as soon as it is there again"
