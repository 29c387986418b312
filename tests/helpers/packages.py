"""Packages of the extras: marks the tests that need some."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def has(*names: str) -> pytest.MarkDecorator:
    """Skip where a package is absent, which the extra `dev` brings."""
    absent = [name for name in names if find_spec(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)} not installed")
