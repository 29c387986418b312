"""Which controls a pruned arm has: takes the settings of an experiment's arms, names them, and those that are missing.

What a pruned network can do may come of its widths, of its longer training, or of any units having gone. Three controls
tell: its widths with new weights for as many epochs (Liu et al. 2019, arXiv 1810.05270), the whole network trained for
as many, and as much taken away by chance. An arm is a control by its settings, whatever it is called; and so is the
whole network known that a compressed arm (pruned, masked, quantised) is held against.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot
from engine.analysis.things import is_pruned, same_form, total_epochs, without_idle
from engine.spec.dotted import flatten_settings
from engine.spec.prune import CONTROLS, Control

Settings = Mapping[str, Any]
Form = frozenset[tuple[str, str]]
CHANCE = "random"
CONTROL, CRITERION = "prune.control", "prune.criterion"
QUANTISED = "quantize"
COMPRESSING = ("prune.", QUANTISED)


def read_settings(snapshot: Snapshot, experiment: str) -> dict[tuple[str, str], Settings]:
    """Return the settings of each arm at each point of an experiment, by dotted path."""
    rows = snapshot.ask("arm_settings", experiment=experiment)
    return {(row["arm"], row["cell"]): flatten_settings(json.loads(row["settings"] or "{}")) for row in rows}


@dataclass(frozen=True)
class Arms:
    """The arms of one point of the matrix by their settings, for one to find another that differs in no more."""

    settings: Mapping[str, Settings]

    @cached_property
    def _names(self) -> dict[Form, list[str]]:
        found: dict[Form, list[str]] = {}
        for name, tree in self.settings.items():
            found.setdefault(_form_of(tree), []).append(name)
        return found

    def like(self, wanted: Settings, *, but: str = "") -> str | None:
        """Return the first arm that comes to these settings, other than `but`; None where there is none."""
        return next((name for name in self._names.get(_form_of(wanted), ()) if name != but), None)

    def controls(self, arm: str) -> dict[Control, str]:
        """Return the arm that is each control of a pruned one, of those that it has; none for one that is a control."""
        own = self.settings.get(arm, {})
        if not is_pruned(own) or _is_control(own):
            return {}
        found = {word: self._control(word, own, arm) for word in CONTROLS}
        return {word: name for word, name in found.items() if name is not None}

    def missing(self, arm: str) -> list[Control]:
        """Return the controls that a pruned arm lacks; none for one that is a control."""
        own = self.settings.get(arm, {})
        if not is_pruned(own) or _is_control(own):
            return []
        found = self.controls(arm)
        needed = [name for name in CONTROLS if name != "scratch" or own.get("prune.when") != "before"]
        return [name for name in needed if name not in found]

    def _control(self, control: Control, own: Settings, arm: str) -> str | None:
        if control == "none_longer":
            whole = {path: value for path, value in own.items() if not path.startswith("prune.")}
            return self.like({**whole, "train.epochs": total_epochs(own)}, but=arm)
        if control == "random":
            return self.like({**own, CRITERION: CHANCE}, but=arm) or self.like({**own, CONTROL: CHANCE}, but=arm)
        return self.like({**own, CONTROL: control}, but=arm)

    def whole(self, arm: str, baseline: str | None) -> str | None:
        """Return the whole arm that a compressed one is held against; None where there is none.

        All else is the same: the network that was compressed itself, else the one that was trained for as many epochs
        in all. Where no arm is that, the baseline, if that is whole.
        """
        own = self.settings.get(arm, {})
        if not is_compressed(own):
            return None
        bare = {path: value for path, value in own.items() if not path.startswith(COMPRESSING)}
        for epochs in (own.get("train.epochs"), total_epochs(own)):
            found = self.like({**bare, "train.epochs": epochs})
            if found is not None:
                return found
        return None if baseline is None or is_compressed(self.settings.get(baseline, own)) else baseline


def control_notes(known: Mapping[tuple[str, str], Settings], arms: Iterable[str], cell: str) -> list[str]:
    """Return what a reader must know of those of `arms` that are pruned and lack a control at `cell`."""
    here = Arms({arm: settings for (arm, point), settings in known.items() if point == cell})
    told = []
    for arm in dict.fromkeys(arms):
        missing = here.missing(arm)
        if missing:
            which = ", or ".join(say(f"control_{control}") for control in missing)
            told.append(say("no_control", arm=arm, which=which))
    return told


def missing_controls(settings: Mapping[str, Settings], arm: str) -> list[Control]:
    """Return the controls that a pruned arm lacks among arms with these settings; none for one that is a control."""
    return Arms(settings).missing(arm)


def is_compressed(settings: Settings) -> bool:
    """Whether a network is pruned, masked or quantised."""
    return is_pruned(settings) or any(path.startswith(QUANTISED) and value for path, value in settings.items())


def _is_control(settings: Settings) -> bool:
    return settings.get(CONTROL) is not None or settings.get(CRITERION) == CHANCE


def _form_of(settings: Settings) -> Form:
    """Return what two arms with nothing between them have in common: a word that is not set is none."""
    return frozenset((path, same_form(value)) for path, value in without_idle(settings).items() if value is not None)
