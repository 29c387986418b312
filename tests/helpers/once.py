"""What is costly and the same for all processes of a test run: made by the first, read by the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from filelock import FileLock


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[], Any]) -> Any:
    """Return what `make` gives, which is JSON; of several processes of pytest-xdist one makes it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    made = factory.getbasetemp().parent / f"{name}.json"
    with FileLock(f"{made}.lock"):
        if not made.exists():
            made.write_text(json.dumps(make()))
    return json.loads(made.read_text())
