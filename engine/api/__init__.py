"""For notebooks and scripts: `import xp` gives what the commands do as functions, and the networks as torch modules.

    import xp
    spec = xp.load_spec("specs/quickstart.yaml", ["train.epochs=2"])
    xp.submit(spec).warnings # a scheduler works on it beside the notebook; what is most likely not meant
    xp.sql("select arm, mean from cells where metric = 'test_top1'") # a dict for each row
    xp.compare("quickstart/sparse", "quickstart/original") # paired statistics, or why it would be unfair
    xp.open_snapshot(".xp").sql("from results").df() # duckdb's own connection; .df() needs pandas
    network = xp.build_network(spec.student, num_classes=10, image_size=56)

A name loads its room when it is first touched: `import xp` loads no torch, timm or duckdb. Homes are a path or a Home;
without one it is XP_HOME, else ./.xp, as for the commands. Mistakes raise xp.XpError, which says what, where, the fix.

    xp  the module that an installation has as `xp`
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.analysis.compare import Comparison
    from engine.core.network.build import build_network, load_timm_weights
    from engine.errors import XpError
    from engine.home.paths import Home, open_home
    from engine.load import load_spec
    from engine.plan import make_plan
    from engine.schedule.submit import Submission
    from engine.spec import Spec
    from store.results import open_snapshot

__all__ = [
    "XpError", "build_network", "compare", "load_spec", "load_timm_weights", "make_plan", "open_home",
    "open_snapshot", "sql", "submit",
]  # fmt: skip
OWNERS = {
    "XpError": "engine.errors",
    "build_network": "engine.core.network.build",
    "load_spec": "engine.load",
    "load_timm_weights": "engine.core.network.build",
    "make_plan": "engine.plan",
    "open_home": "engine.home.paths",
    "open_snapshot": "store.results",
}
ROWS = 10_000


def __getattr__(name: str) -> Any:
    """Load the room that owns a name when somebody first asks for it."""
    if name not in OWNERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(OWNERS[name]), name)


def __dir__() -> list[str]:
    return __all__


def submit(
    spec: Spec | str | Path, home: Home | str | Path | None = None, *, priority: int | None = None, start: bool = True
) -> Submission:
    """Queue what a spec (or its file) needs and is not done, and see that a scheduler works on it unless not `start`.

    Returns how many jobs are new and done, and in `warnings` what the command would warn of: weights of unknown
    training, say. Raises DataError where data, weights or a variable are missing.
    """
    from engine.home.access import written_as_home
    from engine.load import load_spec
    from engine.plan import make_plan
    from engine.schedule.submit import submit_plan
    from engine.schedule.worker import start_detached

    place = _find_home(home, create=True)
    with written_as_home(place.root):
        done = submit_plan(make_plan(load_spec(spec) if isinstance(spec, str | Path) else spec, place), place, priority)
        if start and done.new:
            start_detached(place)
    return done


def compare(
    first: str,
    second: str,
    metric: str = "test_top1",
    home: Home | str | Path | None = None,
    *,
    anyway: bool = False,
) -> list[Comparison]:
    """Compare `EXPERIMENT/ARM` with `EXPERIMENT/ARM`, once for each point of the matrix, as first - second.

    Raises QueryError when they are not comparable; with `anyway` each comparison's `unfair` says so instead.
    """
    from engine.analysis.compare import compare_arms
    from engine.collect import collect
    from engine.home.access import written_as_home

    place = _find_home(home)
    with written_as_home(place.root):
        collect(place, wait=60.0)
    return compare_arms(place, first, second, metric, anyway=anyway)


def sql(
    query: str, home: Home | str | Path | None = None, *, fresh: bool = False, limit: int = ROWS
) -> list[dict[str, Any]]:
    """Return the rows of one read-only statement by the names of their columns; `fresh` takes in what jobs wrote first.

    Raises QueryError for a query that is refused, and, because a part would pass for the whole, for one that has more
    than `limit` rows or two columns of one name.
    """
    from engine.analysis.query import fetch_rows
    from engine.errors import QueryError
    from engine.home.access import written_as_home

    place = _find_home(home)
    with written_as_home(place.root):
        found = fetch_rows(place, query, fresh=fresh, most=limit)
    if found.truncated:
        raise QueryError(f"there are more than {limit:,} rows", fix="select fewer, or ask for more with limit=")
    twice = next((name for name, count in Counter(found.columns).items() if count > 1), None)
    if twice is not None:
        raise QueryError(f"two columns are called {twice!r}", fix=f"give one another name, as in: {twice} as other")
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def _find_home(home: Home | str | Path | None, *, create: bool = False) -> Home:
    from engine.home.paths import Home, open_home

    return home if isinstance(home, Home) else open_home(home, create=create)
