"""Controls of pruned arms: takes settings whose `prune.control` says which one, gives what they come to.

`none_longer` and `random` are other words for settings that could be written out, and become those, so that they are
one job with an arm that has them written out. `scratch`, and `random` of what is chosen over all layers, need the
pruned arm's own result.
"""

from __future__ import annotations

from engine.spec.experiment import Settings


def settle_control(settings: Settings) -> Settings:
    """Return the settings with a control that can be written out written out."""
    prune = settings.prune
    if prune is None or not settings.is_pruned or prune.control is None:
        return settings
    if prune.control == "none_longer":
        return unpruned(settings)
    if prune.control == "random" and prune.scope == "layer":
        written = prune.model_copy(update={"control": None, "criterion": "random"})
        return settings.model_copy(update={"prune": written})
    return settings


def unpruned(settings: Settings) -> Settings:
    """Return the settings of the network that is not pruned, for as many epochs in all."""
    train = settings.train.model_copy(update={"epochs": count_epochs(settings)})
    return settings.model_copy(update={"train": train, "prune": None})


def count_epochs(settings: Settings) -> int:
    """Return the epochs that a run's network is trained for, those after pruning included."""
    prune = settings.prune
    return settings.train.epochs + (prune.recover_epochs if prune is not None and settings.is_pruned else 0)


def without_control(settings: Settings) -> Settings:
    """Return the settings of the arm that this one is a control of."""
    assert settings.prune is not None, "only what is pruned has a control"
    return settings.model_copy(update={"prune": settings.prune.model_copy(update={"control": None})})


def from_scratch(settings: Settings) -> Settings:
    """Return the settings of a network of another's widths: its own first weights, as many epochs in all."""
    fresh = settings.student.model_copy(update={"weights": "none"})
    return unpruned(settings).model_copy(update={"student": fresh})
