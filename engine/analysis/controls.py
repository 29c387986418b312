"""Which controls a pruned arm has: takes the settings of an experiment's arms, names those that are missing.

What a pruned network can do may come of its widths, of its longer training, or of any units having gone. Three controls
tell: its widths with new weights for as many epochs (Liu et al. 2019, arXiv 1810.05270), the whole network trained for
as many, and as much taken away by chance. An arm is a control by its settings, whatever it is called.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot
from engine.analysis.things import is_pruned, same_form, total_epochs, without_idle
from engine.spec.dotted import flatten_settings
from engine.spec.prune import CONTROLS, Control

Settings = Mapping[str, Any]
CHANCE = "random"
CONTROL, CRITERION = "prune.control", "prune.criterion"


def read_settings(snapshot: Snapshot, experiment: str) -> dict[tuple[str, str], Settings]:
    """Return the settings of each arm at each point of an experiment, by dotted path."""
    rows = snapshot.ask("arm_settings", experiment=experiment)
    return {(row["arm"], row["cell"]): flatten_settings(json.loads(row["settings"] or "{}")) for row in rows}


def control_notes(known: Mapping[tuple[str, str], Settings], arms: Iterable[str], cell: str) -> list[str]:
    """Return what a reader must know of those of `arms` that are pruned and lack a control at `cell`."""
    here = {arm: settings for (arm, point), settings in known.items() if point == cell}
    told = []
    for arm in dict.fromkeys(arms):
        missing = missing_controls(here, arm)
        if missing:
            which = ", or ".join(say(f"control_{control}") for control in missing)
            told.append(say("no_control", arm=arm, which=which))
    return told


def missing_controls(settings: Mapping[str, Settings], arm: str) -> list[Control]:
    """Return the controls that a pruned arm lacks among arms with these settings; none for one that is a control."""
    own = settings.get(arm, {})
    if not is_pruned(own) or _is_control(own):
        return []
    needed = [name for name in CONTROLS if name != "scratch" or own.get("prune.when") != "before"]
    others = [found for name, found in settings.items() if name != arm]
    return [name for name in needed if not any(_is_this(name, own, other) for other in others)]


def _is_control(settings: Settings) -> bool:
    return settings.get(CONTROL) is not None or settings.get(CRITERION) == CHANCE


def _is_this(control: Control, own: Settings, other: Settings) -> bool:
    """Whether another arm is this control of a pruned one: all else is the same."""
    if control == "none_longer":
        whole = {path: value for path, value in own.items() if not path.startswith("prune.")}
        return not is_pruned(other) and _alike(other, {**whole, "train.epochs": total_epochs(own)})
    if control == "random":
        return _alike(other, {**own, CRITERION: CHANCE}) or _alike(other, {**own, CONTROL: CHANCE})
    return _alike(other, {**own, CONTROL: control})


def _alike(one: Settings, other: Settings) -> bool:
    first, second = without_idle(one), without_idle(other)
    return all(same_form(first.get(path)) == same_form(second.get(path)) for path in {*first, *second})
