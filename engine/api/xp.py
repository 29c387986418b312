"""What `import xp` finds: engine.api by its short name. An installation lays this file beside engine/ and store/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import api

if TYPE_CHECKING:
    from engine.api import *  # noqa: F403  editors complete what __getattr__ hands out below

__doc__ = api.__doc__
__all__ = api.__all__


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
