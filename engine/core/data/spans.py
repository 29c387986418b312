"""Spans: takes the name of a piece of a loader's work, gives the context that it is done in; without a clock, nothing.

What has a clock is `xp profile` (engine/verify/profile), which puts its own in the place of `no_span`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Span = Callable[[str], AbstractContextManager[None]]
_NOTHING = nullcontext()


def no_span(part: str) -> AbstractContextManager[None]:
    """Do the work, and look at no clock."""
    return _NOTHING
