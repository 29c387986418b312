"""Key blocks that a block of rows does not reach are not read: what lies there spoils nothing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.network.triton_attention.plan import Blocks, Geometry, Plan
from tests.core.network.triton_attention.walks import BANDS


@pytest.mark.parametrize("number", range(3), ids=["slide", "row", "dense"])
def test_keys_out_of_reach_are_not_read(walked: dict[str, Any], number: int) -> None:
    """Windows of 8 x 8 in blocks of 16: the last 16 keys are infinite, and so are sums of whoever reads them."""
    reach, raster = BANDS[number]
    plan = Plan(Geometry(8, 8, 1, reach, raster, 0), 1, 16, 0, Blocks(16, 16))
    sound = [plan.reached(block)[1] <= 3 for block in range(4)]
    assert walked["sound"][number] == sound
    assert any(sound) is (reach >= 0)
