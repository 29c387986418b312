"""The kernels' gradients are the reference's, of tokens and of every parameter."""

from __future__ import annotations

from typing import Any

from tests.core.network.triton_attention.test_forward import GRADIENTS
from tests.core.network.triton_attention.walks import CASES


def test_gradients_equal_the_reference(walked: dict[str, Any]) -> None:
    assert [case["gradients"] < GRADIENTS for case in walked["compared"]] == [True] * len(CASES)
