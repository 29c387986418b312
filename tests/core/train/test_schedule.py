"""The learning rate follows its formula, and is a function of the step alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from timm.scheduler import create_scheduler_v2

from engine.core.train.schedule import learning_rate
from engine.spec import Train
from engine.spec.continuing import stable_epochs

TRAIN = Train(epochs=10, lr=1e-3, min_lr=1e-5, warmup_epochs=2, weight_decay=0.05)


def test_warm_up_rises_evenly_to_the_rate() -> None:
    rates = [learning_rate(step, 5, TRAIN) for step in range(10)]
    assert rates == pytest.approx([1e-4 * (step + 1) for step in range(10)])


def test_after_warm_up_the_rate_is_a_cosine_to_min_lr() -> None:
    halfway = 10 + 20
    assert learning_rate(10, 5, TRAIN) == pytest.approx(1e-3)
    assert learning_rate(halfway, 5, TRAIN) == pytest.approx((1e-3 + 1e-5) / 2)
    assert learning_rate(50, 5, TRAIN) == pytest.approx(1e-5)
    assert learning_rate(49, 5, TRAIN) == pytest.approx(1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * 39 / 40)) / 2)


def test_the_rate_does_not_depend_on_the_batch_size() -> None:
    large = TRAIN.model_copy(update={"batch_size": 4096})
    assert learning_rate(17, 5, large) == learning_rate(17, 5, TRAIN)


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    assert learning_rate(0, 5, TRAIN.model_copy(update={"warmup_epochs": 0})) == pytest.approx(1e-3)


def test_a_least_rate_above_the_rate_is_never_reached() -> None:
    low = TRAIN.model_copy(update={"lr": 1e-6, "min_lr": 1e-5})
    assert [learning_rate(step, 5, low) for step in (10, 30, 50)] == pytest.approx([1e-6] * 3)


def test_past_its_end_the_rate_stays_and_an_epoch_of_warm_up_alone_has_no_rest() -> None:
    assert learning_rate(70, 5, TRAIN) == pytest.approx(1e-5)
    short = TRAIN.model_copy(update={"epochs": 1, "warmup_epochs": 1})
    assert learning_rate(5, 5, short) == pytest.approx(1e-3)


def rates(words: dict[str, Any], steps: int = 50) -> list[float]:
    return [learning_rate(step, 5, TRAIN.model_copy(update=words)) for step in range(steps)]


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_polynomial_falls_from_lr_to_min_lr(power: float) -> None:
    found = rates({"schedule": "poly", "power": power})
    wanted = [1e-5 + (1e-3 - 1e-5) * (1 - step / 40) ** power for step in range(40)]
    assert found[10:] == pytest.approx(wanted)
    assert rates({"schedule": "linear"}) == pytest.approx(rates({"schedule": "poly", "power": 1.0}))


def test_steps_divide_the_rate_after_their_epochs_and_never_below_min_lr() -> None:
    found = rates({"schedule": "step", "decay_epochs": 3, "decay_rate": 0.01})
    assert found[10:15] == pytest.approx([1e-3] * 5)
    assert found[15:30] == pytest.approx([1e-5] * 15)
    assert found[30:] == pytest.approx([1e-5] * 20), "min_lr"
    listed = rates({"schedule": "step", "decay_epochs": [4, 9], "decay_rate": 0.5})
    assert listed[10:] == pytest.approx([1e-3] * 10 + [5e-4] * 25 + [2.5e-4] * 5)
    assert rates({"schedule": "step"})[10:] == pytest.approx([1e-3] * 40), "every 30 epochs by default"


def test_a_constant_stays_and_tanh_is_timms() -> None:
    assert rates({"schedule": "constant"})[10:] == pytest.approx([1e-3] * 40)
    wanted = [1e-5 + 0.5 * (1e-3 - 1e-5) * (1 - math.tanh(-7 + 10 * step / 40)) for step in range(40)]
    assert rates({"schedule": "tanh"})[10:] == pytest.approx(wanted)


def test_warmup_stable_decay_is_constant_and_falls_in_a_straight_line_at_the_end() -> None:
    found = rates({"schedule": "wsd", "decay_epochs": 3})
    assert found[10:35] == pytest.approx([1e-3] * 25)
    assert found[35:] == pytest.approx([1e-3 + (1e-5 - 1e-3) * step / 15 for step in range(15)])
    assert rates({"schedule": "wsd", "decay_share": 0.3}) == found
    assert rates({"schedule": "wsd"}) == rates({"schedule": "wsd", "decay_epochs": 2}), "a fifth by default"


@pytest.mark.parametrize("words", [{"decay_epochs": 2}, {"decay_share": 0.3}])
def test_a_longer_one_begins_as_a_shorter_one_does_until_that_decays(words: dict[str, Any]) -> None:
    short, long = rates({"schedule": "wsd", **words}), rates({"schedule": "wsd", "epochs": 30, **words})
    stable = stable_epochs(TRAIN.model_copy(update={"schedule": "wsd", **words}))
    assert stable == (8 if "decay_epochs" in words else 7)
    assert short[: 5 * stable] == long[: 5 * stable]
    assert short[5 * stable + 1] < long[5 * stable + 1]


def test_a_warm_up_leaves_the_decay_what_room_there_is() -> None:
    """After pruning the epochs are others than those that the words were written for."""
    found = rates({"schedule": "wsd", "decay_epochs": 9, "epochs": 4}, steps=20)
    assert found[10:] == pytest.approx([1e-3 + (1e-5 - 1e-3) * step / 10 for step in range(10)])


@pytest.mark.parametrize("schedule", ["linear", "poly", "step", "tanh", "constant", "wsd"])
def test_the_warm_up_is_that_of_every_schedule_and_no_step_remembers_another(schedule: str) -> None:
    found = rates({"schedule": schedule})
    assert found[:10] == pytest.approx([1e-4 * (step + 1) for step in range(10)])
    train = TRAIN.model_copy(update={"schedule": schedule})
    assert [learning_rate(step, 5, train) for step in (49, 10, 31, 10)] == [found[49], found[10], found[31], found[10]]
    assert learning_rate(70, 5, train) == found[49] if schedule in ("constant", "step") else 1e-5


def test_linear_is_timms_schedule_of_whole_epochs() -> None:
    """From `timm.scheduler`'s own factory, counting updates, behind a warm-up that comes before."""
    carrier = torch.optim.SGD([torch.zeros(1)], lr=1e-3)
    words: dict[str, Any] = {"min_lr": 1e-5, "warmup_epochs": 0, "updates_per_epoch": 5, "step_on_epochs": False}
    scheduler, _ = create_scheduler_v2(carrier, "poly", num_epochs=8, decay_rate=1.0, **words)
    found = rates({"schedule": "linear"})
    for step in range(40):
        scheduler.step_update(step)
        assert carrier.param_groups[0]["lr"] == pytest.approx(found[10 + step])
