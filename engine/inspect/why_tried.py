"""Why a trial was trained, and a final: takes an experiment's record, gives lines on how its settings were come by.

All of it stands in the record: what was drawn, by what, how far the trial went, and which trial a final trains anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.analysis.searches import EXHAUSTED
from engine.home.paths import Home
from engine.schedule.growing import REMOVED, WORD
from engine.schedule.searched import read_progress
from engine.spec.identity import canonical_json
from store.amounts import counted

Record = Mapping[str, Any]
DRAWN = {
    "random": "drawn by chance",
    "grid": "a point of the grid, whose points come in an order of chance",
    "prior": "one that the spec says to try first; what it leaves open was drawn",
}


def tried(record: Record) -> dict[str, Record]:
    """Return what was decided of each trial and final, by its arm."""
    return {str(told["trial_arm"]): told for told in record.get(WORD, {}).get("trials", ())}


def trial_lines(home: Home, record: Record, arm: str, *, with_drawn: bool = True) -> Iterator[str]:
    """Yield lines on an arm that a search tried or trains anew, with what was drawn for it; none for any other."""
    told = tried(record).get(arm)
    if told is None:
        return
    search = record["spec"][WORD]
    yield from _final_lines(home, record, told) if told["stage"] == "final" else _trial_lines(record, told, search)
    if with_drawn:
        yield from (f"  drawn: {path} = {canonical_json(value)}" for path, value in told["settings"].items())


def _trial_lines(record: Record, told: Record, search: Record) -> Iterator[str]:
    yield f"  trial {told['trial']} of arm {told['arm']} in the search of {record['name']}{_rung_text(told, search)}"
    yield f"  why these settings: {_why_text(told, search)}"
    if told["refused"] == REMOVED:
        yield "  it was removed, and does not count"
    elif told["refused"] is not None:
        yield f"  refused, and not trained: {told['refused']}"
    elif told["stage"] == "measure":
        yield "  trained only where its figures keep the bounds: these are measured first"
    for final in tried(record).values():
        if final["stage"] == "final" and (final["arm"], final["trial"]) == (told["arm"], told["trial"]):
            yield f"  its settings are trained anew as {final['trial_arm']}"


def _rung_text(told: Record, search: Record) -> str:
    fidelity = search.get("fidelity")
    if fidelity is None:
        return ""
    epochs = fidelity["epochs"]
    return f", rung {told['rung'] + 1} of {len(epochs)} ({counted(epochs[told['rung']], 'epoch')})"


def _why_text(told: Record, search: Record) -> str:
    why = str(told["why"])
    if why == "promoted":
        keep = search["fidelity"].get("keep", 3)
        return f"those of the rung before, from which one in {keep} goes on, or the best where they are too few"
    return DRAWN.get(why, f"proposed by {why}, which was told of the {told['trial']} trials of this arm before it")


def _final_lines(home: Home, record: Record, told: Record) -> Iterator[str]:
    of_arm = [one for one in tried(record).values() if one["arm"] == told["arm"] and one["stage"] != "final"]
    trained = {one["trial"] for one in of_arm if one["refused"] is None}
    count = counted(len(trained), "trial")
    metric = record["spec"][WORD].get("metric", "val_top1")
    best = f"the best by {metric}" if isinstance(metric, str) else f"on the front of {', '.join(metric)}"
    yield f"  a final of the search of {record['name']}: trial {told['trial']} of arm {told['arm']}, trained anew"
    yield f"  why these settings: {best}, of {count}{_best_text(home, record, told)}"


def _best_text(home: Home, record: Record, told: Record) -> str:
    """Say what the trial came to that a final trains anew, where the last look at the search told it."""
    known = tried(record)
    for arm in read_progress(home, str(record["name"])):
        for name, values in arm.best:
            one = known.get(name)
            if arm.arm == told["arm"] and one is not None and one["trial"] == told["trial"]:
                return f": {name} came to {', '.join(f'{metric} {value:.4g}' for metric, value in values.items())}"
    return ""


def searched_lines(record: Record, arms: Sequence[str]) -> Iterator[str]:
    """Yield a line for each searched arm on its trials, as far as they are among `arms`."""
    found = [one for one in tried(record).values() if one["stage"] != "final" and one["why"] != EXHAUSTED]
    refused = Counter(one["arm"] for one in found if one["refused"] is not None)
    for arm in dict.fromkeys(one["arm"] for one in found if one["trial_arm"] in arms):
        kept = [one for one in found if one["arm"] == arm and one["refused"] is None]
        more = f", {refused[arm]} refused" if refused[arm] else ""
        shown = next((one["trial_arm"] for one in kept), next(one["trial_arm"] for one in found if one["arm"] == arm))
        one = f"xp why {record['name']}/{shown}"
        yield f"{arm}: searched in {counted(len(kept), 'training')} of drawn settings{more}; why one of them: {one}"
