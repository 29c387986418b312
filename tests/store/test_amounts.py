"""An amount is said as a person says it: one of a thing, several things, thousands with their comma."""

from __future__ import annotations

import pytest

from store.amounts import counted


@pytest.mark.parametrize(("count", "told"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1200, "1,200 runs")])
def test_only_one_of_a_thing_goes_without_s(count: int, told: str) -> None:
    assert counted(count, "run") == told
