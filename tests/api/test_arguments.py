"""An argument of the wrong type is told: what it is, where, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from engine import api
from engine.errors import XpError
from engine.home.paths import Home

WRONG: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "a home that is a number": (lambda of: of.cells("paper", 3), "a home is a path or a Home, not int (3)", "home"),
    "a home that is a list": (
        lambda of: of.results("p", ["a"]),
        "a home is a path or a Home, not list (['a'])",
        "home",
    ),
    "a name that is a number": (lambda of: of.cells(3), "named by a text, not by int (3)", "xp.cells"),
    "a number among names": (lambda of: of.report(["a", 3]), "named by a text, not by int (3)", "xp.report"),
    "no name": (lambda of: of.results([]), "no experiment is named", "xp.results"),
    "a metric that is a number": (lambda of: of.curves("a", 3), "a metric is a text, not int (3)", "xp.curves"),
    "a query that is a number": (lambda of: of.sql(3), "a query is a text, not int (3)", "xp.sql"),
    "a spec that is a number": (lambda of: of.plan(3), "a spec is a file or a mapping, not int (3)", "xp.load"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_type_is_told_with_its_fix(name: str) -> None:
    call, what, where = WRONG[name]
    with pytest.raises(XpError) as caught:
        call(cast("Any", api))
    assert what in str(caught.value.what)
    assert where in str(caught.value.where)
    assert caught.value.fix


@pytest.mark.parametrize("kind", [str, Path, Home])
def test_a_home_in_the_place_of_a_metric_is_told(tmp_path: Path, kind: Any) -> None:
    given: Any = Home(tmp_path, tmp_path) if kind is Home else kind(tmp_path)
    with pytest.raises(XpError) as caught:
        api.curves("paper", given)
    assert "the second argument is a metric" in caught.value.what
    assert caught.value.fix == f'name it: xp.curves("quickstart", home={str(tmp_path)!r})'
