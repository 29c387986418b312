"""Pairs mixed by the kernel have the host's bytes; an odd last image stays."""

from __future__ import annotations

import pytest

from tests.core.data.kernels.compared import MIXES


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("count", [16, 7, 1])
def test_pairs_have_the_hosts_bytes(compared: dict[str, bool], name: str, count: int) -> None:
    assert compared[f"{name} of {count}"]
