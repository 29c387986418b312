"""The child that looks at searches says why a look failed, until the next one does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import XpError
from engine.home.paths import open_home
from engine.schedule.growing import DUE, mark_search
from engine.schedule.searched import read_problem
from engine.search import __main__ as looking


def test_why_a_look_failed_is_told_until_one_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = open_home(tmp_path / "home", create=True)
    home.experiment("study").mkdir(parents=True)
    mark_search(home, "study", DUE)
    monkeypatch.setattr("sys.argv", ["search", "--home", str(home.root)])

    def fail(*_: Any) -> bool:
        raise XpError("it cannot be drawn", fix="draw something else")

    monkeypatch.setattr(looking, "advance", fail)
    assert looking.main() == 1
    assert read_problem(home, "study") == "it cannot be drawn\nfix: draw something else"
    monkeypatch.setattr(looking, "advance", lambda *_: True)
    assert looking.main() == 0
    assert read_problem(home, "study") == ""


def test_a_search_that_is_over_has_no_problem(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    home.experiment("study").mkdir(parents=True)
    home.search_mark("study", ".problem").write_text("it could not be drawn")
    assert read_problem(home, "study") == ""
