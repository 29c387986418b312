"""What a machine is asked and what its answers say of networks that were not tried."""

from __future__ import annotations

import pytest

from engine.plan.cost.speeds import DEFAULT_FEED, DEFAULT_RATES, STEP_FORWARDS, FeedSpeed, Speed, Speeds
from tests.plan.cost.conftest import make_feed, make_probe

TRIED = Speed(macs=2e6, params=1e5, saved=1e6, forward=0.002, step=0.007, single=0.004)


def test_a_network_that_was_tried_goes_as_it_did() -> None:
    speeds = Speeds({make_probe(): TRIED}, {})
    assert [speeds.seconds(make_probe(), way) for way in ("forward", "step", "single")] == [0.002, 0.007, 0.004]
    assert speeds.macs(make_probe()) == 2e6


def test_of_two_tries_the_one_with_the_nearer_batch_counts() -> None:
    other = TRIED.model_copy(update={"forward": 0.001})
    speeds = Speeds({make_probe(batch=8): TRIED, make_probe(batch=256): other}, {})
    assert speeds.seconds(make_probe(batch=128, trains=False), "forward") == 0.001
    assert speeds.seconds(make_probe(batch=4, trains=False), "forward") == 0.002


def test_twice_the_threads_take_not_quite_half() -> None:
    found = Speeds({make_probe(threads=2): TRIED}, {}).seconds(make_probe(threads=1), "step")
    assert 0.007 * 1.5 < found < 0.007 * 2


def test_another_network_is_scaled_by_its_macs() -> None:
    speeds, larger = Speeds({make_probe(): TRIED}, {}), make_probe(dims=[32, 64, 96, 128])
    assert speeds.seconds(larger, "step") == pytest.approx(0.007 * larger.macs / 2e6)


def test_one_that_was_only_counted_is_scaled_too() -> None:
    huge = make_probe(image_size=64)
    speeds = Speeds({make_probe(): TRIED, huge: Speed(macs=8e6, params=1e5, saved=0)}, {})
    assert speeds.seconds(huge, "forward") == pytest.approx(0.002 * 4)


def test_another_device_says_nothing() -> None:
    on_gpu = make_probe().__class__(**{**vars(make_probe()), "device": "gpu"})
    speeds = Speeds({on_gpu: TRIED}, {})
    macs = speeds.macs(make_probe())
    assert speeds.seconds(make_probe(), "step") == macs * STEP_FORWARDS / DEFAULT_RATES["cpu"]


def test_images_of_another_size_come_by_their_area() -> None:
    speeds = Speeds({}, {make_feed(32): FeedSpeed(train=0.001, evaluate=0.0005, pack=0.01)})
    assert speeds.feed(make_feed(64)) == FeedSpeed(train=0.004, evaluate=0.002, pack=0.01)
    assert Speeds({}, {}).feed(make_feed()) == DEFAULT_FEED
