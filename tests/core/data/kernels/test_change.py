"""Operations, jitter and erasing by the kernels have the host's bytes, at every level and for images of one colour."""

from __future__ import annotations

import pytest

from engine.core.data.augment import OPERATIONS
from tests.core.data.kernels.compared import LEVELS, STEPS


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_the_hosts_bytes_at_every_level(compared: dict[str, bool], name: str) -> None:
    assert [level for level in LEVELS if not compared[f"{name} {level}"]] == []


@pytest.mark.parametrize("name", STEPS)
def test_a_step_has_the_hosts_bytes(compared: dict[str, bool], name: str) -> None:
    assert compared[name]
