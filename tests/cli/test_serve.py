"""`xp serve`: what it needs, and what it says when it cannot begin."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.cli import serve as command
from engine.errors import XpError
from engine.home.paths import open_home
from engine.serve.access import Access


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_home(tmp_path, create=True)
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "uvicorn" else name)
    found = CliRunner().invoke(app, ["--home", str(tmp_path), "serve"])
    assert isinstance(found.exception, XpError)
    assert "uvicorn" in found.exception.what
    assert found.exception.fix == "pip install 'xp-engine[serve]'"


def test_a_port_in_use_names_another(tmp_path: Path) -> None:
    open_home(tmp_path, create=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = CliRunner().invoke(app, ["--home", str(tmp_path), "serve", "--port", str(port)])
    assert isinstance(found.exception, XpError)
    assert f"127.0.0.1:{port}" in found.exception.what
    free = int(found.exception.fix.split()[1])
    assert found.exception.fix.startswith(f"--port {free} is free")
    with socket.create_server(("127.0.0.1", free)):
        assert free != port


def test_other_machines_come_with_a_token_alone(tmp_path: Path) -> None:
    open_home(tmp_path, create=True)
    found = CliRunner().invoke(app, ["--home", str(tmp_path), "serve", "--host", "0.0.0.0"])
    assert isinstance(found.exception, XpError)
    assert "--token auto" in found.exception.fix


def test_how_it_is_used_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        "engine.serve.starting.run_server", lambda home, port, access, tell, host: handed.append((port, access, host))
    )
    open_home(tmp_path, create=True)
    words = [
        "--port",
        "8501",
        "--host",
        "::1",
        "--token",
        "a-token-of-sixteen",
        "--allow-host",
        "hub.example.org",
        "--frame",
    ]
    CliRunner().invoke(app, ["--home", str(tmp_path), "serve", *words], catch_exceptions=False)
    port, access, host = handed[0]
    assert (port, host) == (8501, "::1")
    assert isinstance(access, Access)
    assert access.lock.token == "a-token-of-sixteen"
    assert access.outside == {"hub.example.org"}
    assert access.is_closed
    assert access.frames[0] == "'self'"
