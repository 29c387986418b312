"""Whether results are of the spec at hand: takes a spec and the results, says where the newest submission differs.

A name stands for what was submitted last, also with `--set`, so that the arms of a file may be others than the arms
whose numbers are there. How a job is done (settings marked ASIDE) makes no other results.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from engine.analysis.held import places_of
from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.analysis.things import Mismatch, same_form
from engine.home.paths import Home
from engine.spec import Spec
from engine.spec.cells import expand_cells
from engine.spec.dotted import flatten_settings

Settings = Mapping[str, Any]


def list_departures(results: Home | Snapshot, spec: Spec) -> list[str]:
    """Return a sentence for each arm of `spec` whose results are of other settings, at the first point that is so."""
    with one_snapshot(results) as snapshot:
        rows = snapshot.ask("report_runs", name=spec.name)
    stored = {(row["arm"], row["cell"]): row["settings"] for row in reversed(rows) if row["settings"]}
    told: dict[str, str] = {}
    for cell in expand_cells(spec):
        ours = flatten_settings(cell.settings.model_dump(mode="json", by_alias=True))
        theirs = stored.get((cell.arm, cell.cell))
        found = list(_differing(ours, flatten_settings(json.loads(theirs)))) if theirs else []
        if found and cell.arm not in told:
            told[cell.arm] = _sentence(cell.arm, found)
    return list(told.values())


def _differing(ours: Settings, theirs: Settings) -> Iterator[Mismatch]:
    """Yield what differs; a word that an older record does not have is as its default is."""
    for path in sorted({*ours, *theirs}):
        places = list(places_of(path))
        if same_form(ours.get(path)) == same_form(theirs.get(path)) or any(place.is_aside for place in places):
            continue
        if path in theirs or not any(place.info.default == ours[path] for place in places):
            yield Mismatch(path, ours.get(path), theirs.get(path))


def _sentence(arm: str, found: list[Mismatch]) -> str:
    left = len(found) - 1
    return say("other_spec", arm=arm, what=found[0], more=say("other_words", left=left) if left else "")
