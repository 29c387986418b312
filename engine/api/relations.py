"""`xp.results`, `cells`, `curves`, `sql`: takes experiments or a query, gives DataFrames, Arrow tables or rows.

DataFrames need pandas and Arrow tables pyarrow; both come with the extra `notebook`. Rows are dicts and need neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal

from engine.analysis.snapshot import QUERIES, Snapshot, one_snapshot
from engine.api.arguments import as_names, as_text, check_metric
from engine.api.places import AnyHome, find_fresh, find_home
from engine.errors import QueryError, XpError, closest_hint
from engine.home.access import written_as_home
from store.metrics import METRICS

Format = Literal["pandas", "arrow", "rows"]
Rows = list[dict[str, Any]]
Table = Any
"""A pandas.DataFrame, a pyarrow.Table or rows, by the format that was asked for."""
PACKAGES = {"pandas": "pandas", "arrow": "pyarrow", "rows": ""}
PLACES = ("experiment", "arm", "cell", "seed", "split", "run", "state")
ROWS = 10_000


def results(
    experiments: str | Sequence[str],
    home: AnyHome = None,
    *,
    metrics: Sequence[str] | None = None,
    format: Format = "pandas",
) -> Table:
    """Return a row for each run of the experiments, with arm, cell, seed and its figures, all taken in first.

    Figures are `metrics`, by default all that any of these runs has, in the units of `xp explain METRIC`: accuracies
    are fractions. A figure that a run lacks is null. Raises QueryError for an unknown experiment or metric.
    """
    for name in metrics or ():
        if name not in METRICS:
            raise QueryError(f"there is no metric {name!r}", where="xp.results", fix=closest_hint(name, METRICS))
    listed = as_names(experiments, "xp.results")
    with _open(home, format) as snapshot:
        values = {"names": _check_names(snapshot, listed)}
        rows = snapshot.ask("api_results", **values)
        held = [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]
        told = [name for name in held if name not in PLACES] if metrics is None else metrics
        return _take(snapshot, "api_results", values, format, [*PLACES, *told])


def cells(experiments: str | Sequence[str], home: AnyHome = None, *, format: Format = "pandas") -> Table:
    """Return a row for each metric of each arm at each cell: n, mean, std, and the 95 % interval over seeds.

    One seed has neither a spread nor an interval. Raises QueryError for an unknown experiment.
    """
    listed = as_names(experiments, "xp.cells")
    with _open(home, format) as snapshot:
        return _take(snapshot, "api_cells", {"names": _check_names(snapshot, listed)}, format)


def curves(
    experiments: str | Sequence[str], metric: str = "val_top1", home: AnyHome = None, *, format: Format = "pandas"
) -> Table:
    """Return what trainings logged under a name, a row for each run and epoch, from epoch 0; of pruned arms the
    student's (`role` student) and its recovery's (`role` prune).

    Raises QueryError for an unknown experiment, or a name under which none of these has logged anything.
    """
    listed = as_names(experiments, "xp.curves")
    check_metric(metric, home)
    with _open(home, format) as snapshot:
        names = _check_names(snapshot, listed)
        known = {row["name"] for row in snapshot.ask("api_curve_names", names=names)}
        if metric not in known:
            fix = closest_hint(metric, known) if known else "wait until a training has logged an epoch"
            what = f"no training of {', '.join(names)} has logged {metric!r}"
            raise QueryError(what, where="xp.curves", fix=fix)
        return _take(snapshot, "api_curves", {"names": names, "metric": metric}, format)


def sql(query: str, home: AnyHome = None, *, fresh: bool = False, limit: int = ROWS) -> Rows:
    """Return the rows of one read-only statement by the names of their columns; `fresh` takes in what jobs wrote first.

    Raises QueryError for a query that is refused, and, because a part would pass for the whole, for one that has more
    than `limit` rows or two columns of one name.
    """
    from engine.analysis.query import fetch_rows

    as_text(query, "a query", "xp.sql", 'xp.sql("select * from results")')
    place = find_home(home)
    with written_as_home(place.root):
        found = fetch_rows(place, query, fresh=fresh, most=limit)
    if found.truncated:
        raise QueryError(f"there are more than {limit:,} rows", fix="select fewer, or ask for more with limit=")
    twice = next((name for name, count in Counter(found.columns).items() if count > 1), None)
    if twice is not None:
        raise QueryError(f"two columns are called {twice!r}", fix=f"give one another name, as in: {twice} as other")
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


@contextmanager
def _open(home: AnyHome, style: Format) -> Iterator[Snapshot]:
    """Give the newest results. Raises XpError, before anything is read, for a format that is none or cannot be had."""
    if style not in PACKAGES:
        raise XpError(f"there is no format {style!r}", where="xp", fix=closest_hint(style, PACKAGES))
    package = PACKAGES[style]
    if package and find_spec(package) is None:
        fix = "pip install 'xp-engine[notebook]', or ask for format=\"rows\""
        raise XpError(f"this needs {package}, which is not installed", where=f"format={style!r}", fix=fix)
    with one_snapshot(find_fresh(home)) as snapshot:
        yield snapshot


def _check_names(snapshot: Snapshot, names: list[str]) -> list[str]:
    for name in names:
        snapshot.check_experiment(name)
    return names


def _take(
    snapshot: Snapshot, query: str, values: Mapping[str, Any], style: Format, columns: Sequence[str] | None = None
) -> Table:
    """Return the answer of a query of ours in a format, with some of its columns alone if any are named."""
    if style == "rows":
        rows = snapshot.ask(query, **values)
        return rows if columns is None else [{name: row[name] for name in columns} for row in rows]
    asked = snapshot.db.sql((QUERIES / f"{query}.sql").read_text(), params=dict(values))
    if style == "arrow":
        table: Table = asked.to_arrow_table()
        return table if columns is None else table.select(list(columns))
    frame: Table = asked.df()
    return frame if columns is None else frame[list(columns)]
