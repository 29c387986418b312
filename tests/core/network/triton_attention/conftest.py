"""What several files here ask: what the interpreter does by default, done once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.network.triton_attention import walks
from tests.core.network.triton_attention.interpreter import WHY_NOT, interpret
from tests.helpers.once import once


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The answers of `walks.default`."""
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    found: dict[str, Any] = once(tmp_path_factory, "walked", lambda: interpret(walks.default))
    return found
