"""What is left of a card for images: never what libraries take beside torch. The step itself is tried on the stub."""

from __future__ import annotations

import pytest
import torch

from engine.core.train.room import free_bytes

GIB = 1 << 30


@pytest.mark.parametrize(("free", "left"), [(79, 74.5), (4.5, 0), (1, 0)])
def test_a_reserve_is_kept(monkeypatch: pytest.MonkeyPatch, free: float, left: float) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (round(free * GIB), 80 * GIB))
    assert free_bytes(torch.device("cuda")) == round(left * GIB)
