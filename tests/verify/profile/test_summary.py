"""A summary adds up: shares of the mean, percentiles, what timing costs, how often checkpoints come."""

from __future__ import annotations

import numpy as np
import pytest

from engine.verify.profile.summary import Spread, Summary
from tests.verify.profile.making import COMPUTING, summary


def test_a_spread_has_the_percentiles_of_numpy() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 9.0, 3.0]
    found = Spread.of(values)
    told = (found.mean, found.median, found.low, found.high)
    assert told == pytest.approx((np.mean(values), np.median(values), *np.percentile(values, [5, 95])))


def test_shares_add_up_and_parts_of_no_time_are_not_told() -> None:
    found = summary(COMPUTING)
    assert found.told_parts == ["forward", "backward", "optimizer"]
    assert sum(found.share(part) for part in found.told_parts) == pytest.approx(1.0) == found.accounted
    assert found.share("backward") == pytest.approx(0.6)


def test_time_that_no_part_has_is_missing_from_what_is_accounted_for() -> None:
    timings = summary(COMPUTING).timings
    longer = [step.model_copy(update={"wall": 0.2}) for step in timings.steps]
    assert Summary(timings.model_copy(update={"steps": longer})).accounted == pytest.approx(0.5)


def test_the_cost_of_timing_is_that_of_neighbours() -> None:
    cost, reach = summary(COMPUTING, cost=0.004).cost
    assert [cost, reach] == pytest.approx([0.004, 0.0])


def test_the_speed_is_that_of_plain_steps() -> None:
    assert summary(COMPUTING, cost=0.02).images_per_second == pytest.approx(64 / 0.08)


@pytest.mark.parametrize(
    ("epoch", "seconds", "steps"), [(50, 600.0, 50), (1_000_000, 600.0, 6000), (1_000_000, 0.01, 1)]
)
def test_a_checkpoint_comes_with_each_epoch_and_each_so_many_minutes(epoch: int, seconds: float, steps: float) -> None:
    found = summary(COMPUTING, epoch_steps=epoch, save_seconds=seconds, waits=0.05)
    assert found.save_steps == pytest.approx(steps)
    assert found.checkpoint_share == pytest.approx(0.05 / steps / 0.1)


def test_threads_at_work_are_of_all_threads_and_all_steps() -> None:
    found = summary(COMPUTING, workers=2, beside={"render": 0.6, "augment": 0.4})
    assert found.threads_at_work == pytest.approx(0.5)
    assert found.beside("busy") == pytest.approx({"render": 0.06, "augment": 0.04})
    assert summary(COMPUTING, workers=0).threads_at_work == 0.0


def test_cores_are_shared_between_us_others_and_idleness() -> None:
    found = summary(COMPUTING, cpu=0.15, idle=1.5)
    assert [found.cores, found.others] == pytest.approx([1.5, 1.0])
    assert summary(COMPUTING, idle=None).others == 0.0


def test_idle_time_is_what_kernels_leave_of_a_plain_step() -> None:
    found = summary(COMPUTING, cost=0.02, kind="gpu", card={"busy": 0.06})
    assert found.card_idle == pytest.approx(0.25)
    assert summary(COMPUTING, kind="gpu", card={"busy": 0.2}).card_idle == 0.0
    assert summary(COMPUTING, kind="gpu", card={}).card_idle is summary(COMPUTING).card_idle is None
