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
    assert f"--port {port + 1}" in found.exception.fix
