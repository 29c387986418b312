"""Charts that grow: takes the lines of a chart and how far a browser has them, gives what came since, or all anew.

A line of one network grows at its end, so that what is new is sent alone, as {"cursor", "more": [{"at", "x", "y"}]}:
`at` counts the chart's series, and x and y come behind what is drawn. A mean over seeds changes along the whole of it,
and comes anew each time. So does a chart whose next job has begun, or that was drawn of something else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np

from engine.serve.curves import AXES, MANY, WIDTH, Along, Ending, Line, columns, make_chart, place, value_factor
from engine.serve.deltas import Series, Watched
from engine.serve.site import Site
from engine.serve.view import Raw


@dataclass(frozen=True)
class Drawn:
    """What a browser has: of each series where it goes on, and the cursor of its jobs' points."""

    name: str
    along: Along
    endings: tuple[Ending, ...]
    cursor: str


def show_chart(site: Site, lines: Sequence[Line], name: str, along: Along, cursor: str) -> Raw:
    """Return what came since `cursor`, or the whole chart. Raises StoreError for damaged results."""
    if not _can_grow(lines):
        return replace(make_chart(site, lines, name, along), cursor="").as_raw()
    drawn = read_drawn(cursor) if cursor else None
    if drawn and (drawn.name, drawn.along) == (name, along) and (more := _find_more(site, lines, drawn)):
        return more
    chart = make_chart(site, lines, name, along)
    grown = Drawn(name, along, tuple(chart.endings), chart.cursor)
    return replace(chart, cursor=write_drawn(grown)).as_raw()


def _can_grow(lines: Sequence[Line]) -> bool:
    """Whether each line is one network's, no job is of two, and all of them are read by cursor."""
    jobs = [job for line in lines for chain in line.chains for job in chain.jobs]
    return len(jobs) <= MANY and len(set(jobs)) == len(jobs) and all(len(line.chains) == 1 for line in lines)


def _find_more(site: Site, lines: Sequence[Line], drawn: Drawn) -> Raw | None:
    """Return what came since, None where that is not all at the ends of what is drawn."""
    jobs = tuple(job for line in lines for job in line.chains[0].jobs)
    gpus = {job: line.chains[0].gpus for line in lines for job in line.chains[0].jobs}
    delta = site.deltas.ask(Watched(jobs, (drawn.name,), AXES[drawn.along], WIDTH), drawn.cursor)
    places = {ending.job: at for at, ending in enumerate(drawn.endings)}
    if any(one.job not in places or one.is_anew or not np.isfinite(one.y).all() for one in delta.series):
        return None
    more = [_grow(one, places[one.job], drawn, gpus[one.job]) for one in delta.series if len(one.x)]
    told = {"cursor": write_drawn(replace(drawn, cursor=delta.cursor)), "more": more}
    return Raw(json.dumps(told, allow_nan=False).encode(), "application/json")


def _grow(one: Series, at: int, drawn: Drawn, gpus: float) -> dict[str, Any]:
    ending = drawn.endings[at]
    x = place(one.x, ending.first, drawn.along, gpus) + ending.begin
    keep = np.diff(x, append=np.inf) > 0  # the last value of a place is its value
    return {"at": at, **columns((x[keep], one.y[keep]), value_factor(drawn.name))}


def write_drawn(drawn: Drawn) -> str:
    """Return it as a text that can stand in an address."""
    return base64.urlsafe_b64encode(json.dumps(asdict(drawn), separators=(",", ":")).encode()).decode()


def read_drawn(text: str) -> Drawn | None:
    """Return what a browser has drawn; None for a text that nobody wrote here."""
    try:
        told = json.loads(base64.urlsafe_b64decode(text))
        endings = tuple(Ending(str(one["job"]), float(one["begin"]), float(one["first"])) for one in told["endings"])
        return Drawn(str(told["name"]), cast(Along, told["along"]), endings, str(told["cursor"]))
    except (ValueError, TypeError, KeyError):
        return None
