"""The short form of controls: takes arms as they are written, gives them with an arm for each control that one names.

`controls: [scratch, random]` in an arm is two more arms, NAME_scratch and NAME_random, each of which extends it with
`prune.control` set; `controls: all` is one for each control there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.errors import Problem
from engine.load.layers import Layers
from engine.spec.prune import CONTROLS
from engine.spec.synonyms import hint_word

WORD, ALL = "controls", "all"


def control_problems(arms: Mapping[str, Any], layers: Layers) -> Iterable[Problem]:
    """Yield controls that there are not, and arms whose name is taken."""
    for arm, changes in arms.items():
        if not isinstance(changes, Mapping) or WORD not in changes:
            continue
        where, path = layers.where(("arms", arm, WORD)), f"arms.{arm}.{WORD}"
        for word in _listed(changes[WORD]):
            if word not in CONTROLS:
                yield Problem(where, path, f"there is no control {word!r}", hint_word(str(word), (*CONTROLS, ALL)))
            elif _name(arm, word) in arms:
                what = f"its control would be named {_name(arm, word)!r}, and there is such an arm"
                yield Problem(where, path, what, f"rename that arm, or leave {word} away here")


def add_controls(arms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arms with each one's controls after it."""
    found: dict[str, Any] = {}
    for arm, changes in arms.items():
        if not isinstance(changes, Mapping) or WORD not in changes:
            found[arm] = changes
            continue
        found[arm] = {key: value for key, value in changes.items() if key != WORD}
        for word in _listed(changes[WORD]):
            found[_name(arm, word)] = {"extends": arm, "prune.control": word}
    return found


def _name(arm: str, word: str) -> str:
    return f"{arm}_{word}"


def _listed(words: Any) -> list[Any]:
    if words == ALL:
        return list(CONTROLS)
    return list(dict.fromkeys(map(str, words))) if isinstance(words, list) else [words]
