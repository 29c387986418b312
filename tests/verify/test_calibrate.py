"""A machine that is tried: seconds of small networks, counts of large ones, nothing of those that cannot be."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from engine.core.data.loader import CACHE_BYTES
from engine.core.measure import count_macs, count_params
from engine.core.network.build import build_network
from engine.plan.cost.work import CALIBRATION_IMAGES, KEPT_PIXELS
from engine.run import training
from engine.verify import calibrate
from engine.verify.calibrate import answer, try_networks
from tests.plan.cost.conftest import make_feed, make_probe


@pytest.fixture(autouse=True)
def _as_before() -> object:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


def test_a_small_network_is_tried_in_every_way() -> None:
    asked = {
        "probes": [asdict(make_probe()), asdict(make_probe(trains=False))], "feeds": [asdict(make_feed(is_photo=True))],
        "slot": "", "seconds": 0.1,
    }  # fmt: skip
    told = json.loads(json.dumps(answer(asked)))
    trained, asked_only = told["probes"]
    built = build_network(make_probe().student, 10, 32)
    assert (trained["macs"], trained["params"]) == (count_macs(built, 32), count_params(built))
    assert trained["saved"] > 10_000
    assert 0 < trained["forward"] < trained["step"]
    assert trained["single"] > trained["forward"]
    assert asked_only["step"] is None
    assert all(0 < told["feeds"][0][way] < 1 for way in ("train", "evaluate", "pack"))


def test_a_large_network_is_counted_and_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calibrate.LONGEST, "cpu", 1000.0)
    (found,) = try_networks([make_probe()], "", 0.1)
    assert found is not None
    assert found.macs > 1000
    assert (found.forward, found.step, found.single) == (None, None, None)


def test_a_network_that_cannot_be_has_no_speed() -> None:
    assert try_networks([make_probe(heads=[1, 3, 3, 4])], "", 0.1) == [None]


def test_what_a_plan_counts_with_is_what_jobs_do() -> None:
    assert (KEPT_PIXELS, CALIBRATION_IMAGES) == (CACHE_BYTES, training.CALIBRATION_IMAGES)
