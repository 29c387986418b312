"""Speeds that are kept: asked for once, of the networks that matter most, and never in the way of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from engine.home.paths import Home
from engine.plan.cost import calibration
from engine.plan.cost.calibration import MOST_PROBES, calibrate, kept_speeds
from tests.plan.cost.conftest import make_feed, make_probe

SPEED = {"macs": 1e6, "params": 1e5, "saved": 1e6, "forward": 0.1, "step": 0.3, "single": 0.2}
FEED = {"train": 0.1, "evaluate": 0.2, "pack": 0.3}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    questions: list[dict[str, Any]] = []

    def answer(_: str, question: dict[str, Any]) -> dict[str, Any]:
        questions.append(question)
        return {"probes": [SPEED for _ in question["probes"]], "feeds": [FEED for _ in question["feeds"]]}

    monkeypatch.setattr(calibration, "run_child", answer)
    return questions


def test_what_is_known_is_not_asked_again(home: Home, asked: list[Any]) -> None:
    told: list[str] = []
    for _ in range(2):
        calibrate(home, [make_probe()], [make_feed()], told.append)
    calibrate(home, [make_probe(), make_probe(64)], [make_feed()], told.append)
    assert [(len(one["probes"]), len(one["feeds"])) for one in asked] == [(1, 1), (1, 0)]
    assert len(told) == 2
    assert told[0].startswith("calibrating: how fast 1 network")
    speeds = kept_speeds(home, [make_probe(), make_probe(64), make_probe(96)], [make_feed()])
    assert len(speeds.networks) == 2
    assert speeds.seconds(make_probe(), "step") == 0.3
    assert speeds.feed(make_feed()).pack == 0.3


def test_another_torch_is_tried_anew(home: Home, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    calibrate(home, [make_probe()], [], lambda _: None)
    monkeypatch.setattr(calibration, "package_version", lambda name: "another")
    assert not kept_speeds(home, [make_probe()], []).networks
    calibrate(home, [make_probe()], [], lambda _: None)
    assert len(asked) == 2


def test_of_many_networks_the_first_few_are_tried(home: Home, asked: list[Any]) -> None:
    probes = [make_probe(32 + 8 * number) for number in range(20)]
    for _ in range(2):
        calibrate(home, probes, [], lambda _: None)
    assert [len(one["probes"]) for one in asked] == [MOST_PROBES]


def test_a_child_that_fails_leaves_what_there_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "run_child", lambda module, question: None)
    told: list[str] = []
    calibrate(home, [make_probe()], [make_feed()], told.append)
    assert told[1].endswith("is a guess, and may be far off")
    assert not kept_speeds(home, [make_probe()], [make_feed()]).networks


@pytest.mark.parametrize("damage", ["{", '{"a": 1}', "[]"])
def test_a_damaged_file_is_as_none(home: Home, asked: list[Any], damage: str) -> None:
    home.speeds.parent.mkdir(parents=True, exist_ok=True)
    home.speeds.write_text(damage)
    calibrate(home, [make_probe()], [], lambda _: None)
    assert len(kept_speeds(home, [make_probe()], []).networks) == 1
