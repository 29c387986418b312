"""A training whose numbers are no longer finite ends where it is, and leaves its last good state."""

from __future__ import annotations

import math

import pytest
import torch

from engine.core.data.pack import Pack
from engine.core.train.loop import Loop
from engine.core.train.soundness import Diverged

from .toy import Notes, make_loop


def poison_at_step_8(loop: Loop, notes: Notes) -> None:
    """Let a weight be no number after the eighth step."""

    def poison(phase: str) -> None:
        if notes.step == 8:
            with torch.no_grad():
                next(loop.network.parameters()).fill_(math.nan)

    notes.on_beat = poison


def test_a_loss_that_is_not_finite_ends_it_and_no_bad_state_is_saved(pack: Pack) -> None:
    notes = Notes()
    loop = make_loop(pack, notes)

    poison_at_step_8(loop, notes)
    with pytest.raises(Diverged):
        loop.run()
    assert all(torch.isfinite(value).all() for _, state in notes.saved for value in state["network"].values())
    assert notes.saved[-1][0] <= 8


def test_bad_weights_behind_a_finite_loss_are_not_saved(pack: Pack) -> None:
    notes = Notes(stop_at=2)
    loop = make_loop(pack, notes)

    def poison(phase: str) -> None:
        with torch.no_grad():
            next(loop.network.parameters()).fill_(math.inf)

    notes.on_beat = poison
    with pytest.raises(Diverged):
        loop.run()
    assert notes.saved == []


def test_where_it_diverged_is_said(pack: Pack) -> None:
    notes = Notes()
    loop = make_loop(pack, notes)

    poison_at_step_8(loop, notes)
    with pytest.raises(Diverged, match=r"the training loss is not finite \(step 9, epoch 2 of 3\)"):
        loop.run()


@pytest.mark.parametrize("name", ["running_mean", "running_var"])
def test_a_bad_statistic_of_batch_norm_is_not_saved_either(pack: Pack, name: str) -> None:
    notes = Notes(stop_at=2)
    loop = make_loop(pack, notes)

    def poison(phase: str) -> None:
        getattr(loop.network[1], name).fill_(math.inf)  # type: ignore[index]

    notes.on_beat = poison
    with pytest.raises(Diverged, match="a weight"):
        loop.run()
    assert notes.saved == []


def test_a_validation_loss_that_is_not_finite_ends_it_before_anything_is_logged(pack: Pack) -> None:
    notes = Notes()
    loop = make_loop(pack, notes)

    def poison(phase: str) -> None:
        if phase == "validate":
            loop.network[5].bias.data[0] = math.nan  # type: ignore[index]

    notes.on_beat = poison
    assert loop.recipe.val_loader is not None
    with pytest.raises(Diverged, match="validation"):
        loop.run()
    assert notes.metrics == []


def test_bad_weights_after_the_last_step_end_it_before_they_are_validated(pack: Pack) -> None:
    notes = Notes()
    loop = make_loop(pack, notes)

    def poison(phase: str) -> None:
        if notes.step == 6:
            with torch.no_grad():
                next(loop.network.parameters()).fill_(math.inf)

    notes.on_beat = poison
    with pytest.raises(Diverged, match="a weight is not finite"):
        loop.run()
    assert "validate" not in notes.phases
