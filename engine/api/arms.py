"""`xp.compare`: takes two arms, gives their paired comparison at each point of the matrix."""

from __future__ import annotations

from engine.analysis.compare import Comparison, compare_arms
from engine.api.places import AnyHome, find_fresh
from engine.errors import QueryError


def compare(
    first: str, second: str = "", metric: str = "test_top1", home: AnyHome = None, *, anyway: bool = False
) -> list[Comparison]:
    """Compare `EXPERIMENT/ARM` with `EXPERIMENT/ARM`, once for each point of the matrix, as first - second.

    Raises QueryError when they are not comparable; with `anyway` each comparison's `unfair` says so instead.
    """
    if not second:
        fix = f'xp.compare("{first}", "EXPERIMENT/ARM"), or xp.results(...) for one alone'
        raise QueryError(f"two arms are compared, and {first} is one", fix=fix)
    return compare_arms(find_fresh(home), first, second, metric, anyway=anyway)
