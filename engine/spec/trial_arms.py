"""Trials as arms: takes a spec and what was drawn for its arms, gives the spec in which each of them is an arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.spec import Spec
from engine.spec.cells import merge_trees, nest_paths
from engine.spec.search import Search

Drawn = Mapping[str, tuple[str, Mapping[str, Any]]]
"""By the name of a trial: the arm that it is a trial of, and by dotted paths what it changes of it."""


def drawn_arms(spec: Spec, drawn: Drawn) -> dict[str, Any]:
    """Return the arms that trials are."""
    return {name: merge_trees(spec.arms.get(arm, {}), nest_paths(settings)) for name, (arm, settings) in drawn.items()}


def only_drawn(spec: Spec, drawn: Drawn, seeds: Sequence[int]) -> Spec:
    """Return the spec of trials alone. No baseline: a trial is measured by itself."""
    return spec.model_copy(update={"arms": drawn_arms(spec, drawn), "seeds": list(seeds), **UNSEARCHED})


def with_drawn(spec: Spec, drawn: Drawn) -> Spec:
    """Return the spec with trials beside its own arms, and without a search."""
    own = {arm: spec.arms.get(arm, {}) for arm in spec.arm_names}
    return spec.model_copy(update={"arms": {**own, **drawn_arms(spec, drawn)}, **UNSEARCHED})


def trial_words(search: Search, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial of a record changes of its arm: what was drawn, and on a rung how long it is."""
    fidelity = search.fidelity
    if fidelity is None or told["stage"] == "final":
        return dict(told["settings"])
    return {**told["settings"], **fidelity.words(told["rung"])}


UNSEARCHED: Mapping[str, Any] = {"baseline": None, "claims": [], "search": None}
