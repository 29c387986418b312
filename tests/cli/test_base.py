"""What every command shares: the home that is meant, wherever it is named."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from engine.cli import app, base
from engine.home.paths import Home
from tests.cli.test_jobs import home
from tests.helpers.queueing import make_home

__all__ = ["home"]


def test_a_home_before_the_command_counts_unless_one_stands_after_it(home: Home, tmp_path: Path) -> None:
    other = make_home(tmp_path / "other")
    answer = CliRunner().invoke(app, ["--home", str(home.root), "status", "--json"])
    assert [view["experiment"] for view in json.loads(answer.stdout)["experiments"]] == ["one"]
    answer = CliRunner().invoke(app, ["--home", str(home.root), "status", "--json", "--home", str(other.root)])
    assert json.loads(answer.stdout)["experiments"] == []
    base.choose_home(None)
