"""`xp.compare`: paired, fresh, and fair unless one asks otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from engine import api
from engine.errors import QueryError
from engine.home.paths import Home


def test_comparison_is_first_minus_second(results: Home) -> None:
    (found,) = api.compare("paper/b", "paper/a", home=results)
    assert (found.metric, found.arms) == ("test_top1", ("b", "a"))
    assert found.difference.mean == pytest.approx(found.means[0] - found.means[1])
    assert found.difference.mean > 0.3
    assert api.compare("paper/b", "paper/a", "params", results)[0].is_exact


def test_new_rows_are_taken_in_before_comparing(results: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("engine.collect.collect", lambda home, wait: calls.append((home, wait)))
    api.compare("paper/b", "paper/a", home=results)
    assert calls == [(results, 60.0)]


def test_unfair_comparison_is_refused_unless_anyway(results: Home) -> None:
    with pytest.raises(QueryError, match="not comparable"):
        api.compare("paper/odd", "paper/a", home=results)
    (found,) = api.compare("paper/odd", "paper/a", home=results, anyway=True)
    assert found.unfair


def test_one_arm_alone_is_refused_with_what_to_write(results: Home) -> None:
    with pytest.raises(QueryError, match=r'two arms are compared(.|\n)*xp.compare\("paper/a", "EXPERIMENT/ARM"\)'):
        api.compare("paper/a", home=results)
