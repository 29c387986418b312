"""Where a queue is: a file, or a schema on a server that a small file names; never the wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from store.queue import Queue, QueueFault
from store.queue.place import (
    VARIABLE,
    QueueRefused,
    check_address,
    find_server,
    hide_password,
    read_schema,
    write_schema,
)

URL = "postgresql+psycopg://me:secret@host:5433/xp"
SET = {VARIABLE: URL}


def test_without_an_address_it_is_the_file(tmp_path: Path) -> None:
    assert find_server(tmp_path / "queue.db", {}) is None
    (tmp_path / "queue.db").touch()
    assert find_server(tmp_path / "queue.db", {}) is None


def test_an_address_decides_where_there_is_nothing_yet(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    assert find_server(path, SET) is None, "who only looks makes nothing"
    assert not path.exists()
    made = find_server(path, SET, makes=True)
    assert made is not None
    assert json.loads(path.read_text()) == {"queue": "postgresql", "schema": made.schema}
    assert find_server(path, SET) == made
    assert "secret" not in path.read_text() + repr(made) + made.shown


def test_the_first_of_two_schemas_counts(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    assert write_schema(path) == write_schema(path) == read_schema(path)
    assert [one.name for one in tmp_path.iterdir()] == ["queue.db"]


def test_an_address_and_a_home_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Queue(tmp_path / "file.db"):
        pass
    with pytest.raises(QueueRefused, match="is a file") as caught:
        find_server(tmp_path / "file.db", SET)
    assert "xp rebuild --queue moves it" in caught.value.fix
    write_schema(tmp_path / "server.db")
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(QueueFault, match="XP_QUEUE is not set"):
        Queue.open_readonly(tmp_path / "server.db")


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql://host", "postgresql://host:x/db", "nonsense"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(QueueRefused, match="is no address of a PostgreSQL database") as caught:
        check_address(url)
    assert "postgresql+psycopg://USER" in caught.value.fix


@pytest.mark.parametrize("url", [URL, "postgresql://host/db", "postgresql+psycopg:///db?host=/run/postgresql"])
def test_addresses_of_databases_are_taken(url: str) -> None:
    check_address(url)


@pytest.mark.parametrize("told", ["{", '{"schema": "public; DROP"}', "{}", '{"schema": 3}'])
def test_a_damaged_file_names_no_schema(tmp_path: Path, told: str) -> None:
    (tmp_path / "queue.db").write_text(told)
    with pytest.raises(QueueRefused, match="damaged"):
        read_schema(tmp_path / "queue.db")


def test_a_password_is_hidden() -> None:
    assert hide_password(URL) == "postgresql+psycopg://me@host:5433/xp"
    assert hide_password("postgresql://host/db") == "postgresql://host/db"
