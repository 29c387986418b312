"""A case of attention is named by all that decides its speed; a pair of times wins by more than noise."""

from __future__ import annotations

import pytest

from engine.core.network.backend_times import Pair, case_of
from tests.core.network.nets import dense, longformer


def test_cases_that_differ_in_speed_have_names_of_their_own() -> None:
    modules = [dense(), longformer(), longformer(radius=1), longformer(pattern="block", tile=3), longformer(8),
               longformer(pattern="row"), longformer(dim=32), longformer(globals=2)]  # fmt: skip
    names = [case_of(module, precision) for module in modules for precision in ("bf16", "fp32")]
    assert len(set(names)) == len(names)
    assert case_of(longformer(bias="separate"), "bf16") == case_of(longformer(projections="shared"), "bf16")


@pytest.mark.parametrize(("mine", "others", "wins"), [(1.0, 2.0, True), (0.95, 1.0, True), (0.96, 1.0, False)])
def test_who_wins_does_so_by_a_margin(mine: float, others: float, wins: bool) -> None:
    assert Pair(mine, others).wins is wins
