"""Controls: what can be written out is written out, so that it is one job with an arm that has it so."""

from __future__ import annotations

from typing import Any

from engine.spec import Settings
from engine.spec.controls import count_epochs, from_scratch, settle_control, without_control

BASE: dict[str, Any] = {"data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}, "train": {"epochs": 8}}


def settings(**prune: Any) -> Settings:
    return Settings.model_validate({**BASE, "prune": {"ratio": 0.2, "recover_epochs": 2, **prune}})


def test_none_longer_is_the_whole_network_for_as_many_epochs() -> None:
    found = settle_control(settings(control="none_longer"))
    assert (found.prune, found.train.epochs) == (None, 10)
    assert settle_control(settings(control="none_longer", ratio=0.0)).prune is not None


def test_chance_is_a_criterion_where_layers_give_alike() -> None:
    assert settle_control(settings(control="random")) == settings(criterion="random")
    whole = settings(control="random", scope="global")
    assert settle_control(whole) is whole


def test_scratch_stays_and_trains_new_weights_for_as_many_epochs() -> None:
    asked = settings(control="scratch")
    assert settle_control(asked) is asked
    assert without_control(asked) == settings()
    assert (from_scratch(asked).train.epochs, from_scratch(asked).prune) == (10, None)
    assert count_epochs(asked) == 10
