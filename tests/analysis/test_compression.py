"""Compressed arms beside whole ones: who is held against whom, in accuracy and in every way that networks were run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.analysis.compression import Compression, read_compression
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.collect import collect
from tests.helpers.synthetic import Arm, SyntheticHome

CELL = "data.split=60/20/20"
WHERE: dict[str, Any] = {"device": "cpu", "precision": "fp32", "threads": 1}
PACE = {"whole": 1.0, "pruned": 1.25, "masked": 1.0, "chance": 1.2}
WOBBLE = (0.98, 1.01, 1.0, 1.02)
PRUNE = {"ratio": 0.2, "method": "structured", "criterion": "l1", "recover_epochs": 0}
ARMS = {
    "whole": Arm(0.9),
    "pruned": Arm(0.8, 625.0, params=17_000_000, prune=0.2, settings={"prune": PRUNE}),
    "masked": Arm(0.85, prune=0.2, settings={"prune": {**PRUNE, "method": "unstructured"}}),
    "chance": Arm(0.7, 600.0, prune=0.2, settings={"prune": {**PRUNE, "criterion": "random"}}),
}


class RoundsHome(SyntheticHome):
    """Measures every network beside the whole one, in two ways, at two batch sizes."""

    def measure(self, job: str, arm: Arm, parent: str) -> str:
        name = next(name for name, one in ARMS.items() if one.settings == arm.settings)
        whole = name == "whole"
        settings = {"network": {"arch": "whole"}, "against": None if whole else {"arch": "whole"}}
        self.job(job, "measure", {} if whole else {"parent": parent}, settings)
        attempt, journal = self.attempt(job, 1)
        with journal:
            loads = []
            for apart in (None, "onnxruntime"):
                for batch in (1, 64):
                    rates = [100.0 * batch * PACE[name] * one for one in WOBBLE]
                    about = {**WHERE, "batch_size": batch, "own": rates, "base": None if whole else [100.0 * batch] * 4}
                    loads.append({**about, **({"apart": apart} if apart else {})})
            journal.fact("rounds", loads)
            restless = {"batch_size": 1, "threads": 1, "mode": "onnxruntime", "network": "base", "spread": 0.1}
            journal.fact("machine", {"noisy": [restless] if name == "masked" else []})
            journal.measurement("infer_latency", 10.0, "ms", batch_size=1, p5=9.0, p95=12.0, n=4, **WHERE)
        self.finish(job, attempt)
        return job


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    made = RoundsHome(tmp_path_factory.mktemp("home"))
    made.experiment("paper", ARMS)
    made.experiment("plain", {"whole": ARMS["whole"]})
    collect(made.home)
    with one_snapshot(made.home) as opened:
        yield opened


@pytest.fixture(scope="module")
def found(snapshot: Snapshot) -> Compression:
    read = read_compression(snapshot, "paper", "whole")
    assert read is not None
    return read


def test_an_experiment_of_whole_arms_has_nothing_to_tell(snapshot: Snapshot) -> None:
    assert read_compression(snapshot, "plain", "whole") is None


def test_each_compressed_arm_has_its_whole_one_and_its_controls(found: Compression) -> None:
    assert {one.arm: one.whole for one in found.arms} == dict.fromkeys(("pruned", "masked", "chance"), "whole")
    pruned, masked, chance = found.at(CELL)
    assert pruned.controls == {"random": "chance", "none_longer": "whole"}
    assert pruned.missing == ["scratch"]
    assert masked.missing == ["scratch", "random"], "a mask by chance would be its control"
    assert chance.missing == []
    assert found.at("elsewhere") == []


def test_accuracies_are_compared_with_whole_and_controls(found: Compression) -> None:
    pruned = found.arms[0]
    assert pruned.changes.keys() == {"whole", "chance"}
    gain = pruned.changes["whole"].means
    assert pruned.changes["whole"].difference.mean == pytest.approx(gain[0] - gain[1])


def test_a_known_comparison_is_not_made_again(snapshot: Snapshot, found: Compression) -> None:
    known = {("pruned", CELL): found.arms[2].changes["whole"]}
    again = read_compression(snapshot, "paper", "whole", known)
    assert again is not None
    assert again.arms[0].changes["whole"] is known["pruned", CELL]


def test_every_way_has_speeds_beside_the_whole_network(found: Compression) -> None:
    assert [(one.way.name, one.smallest, one.largest) for one in found.ran] == [
        ("eager", 1, 64),
        ("onnxruntime", 1, 64),
    ]
    for one in found.ran:
        assert one.at_smallest["whole"].ratio is None
        ratio = one.at_smallest["pruned"].ratio
        assert ratio is not None
        assert ratio.ratio == pytest.approx(1.25 * math.exp(np.mean(np.log(WOBBLE))))
        assert one.at_largest["pruned"].rate.ratio == pytest.approx(64 * one.at_smallest["pruned"].rate.ratio)
        assert len(one.at_smallest["pruned"].jobs) == 3, "the networks of the seeds"


def test_a_whole_network_has_the_interval_of_its_own_rounds_or_networks(found: Compression) -> None:
    whole = found.ran[0].at_smallest["whole"].rate
    assert whole.ratio == pytest.approx(100 * math.exp(np.mean(np.log(WOBBLE))))
    assert whole.of == "networks"
    assert whole.error == pytest.approx(stats.sem([np.mean(np.log(WOBBLE))] * 3), abs=1e-12)


def test_the_front_holds_fast_and_right_arms(found: Compression) -> None:
    front = found.ran[0].front
    assert front.keys() == ARMS.keys()
    assert front["whole"] > 0.5
    assert front["pruned"] > 0.5
    assert front["chance"] < front["pruned"]


def test_what_was_measured_on_a_restless_machine_is_known_by_its_load(found: Compression) -> None:
    noisy = {(ran.way.runtime, arm) for ran in found.ran for arm, one in ran.at_smallest.items() if one.is_noisy}
    assert noisy == {("onnxruntime", "masked")}
    assert not any(one.is_noisy for ran in found.ran for one in ran.at_largest.values())


def test_arms_beyond_those_that_are_compared_are_said_not_to_be(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.analysis.compression.MOST_COMPARED", 2)
    read = read_compression(snapshot, "paper", "whole")
    assert read is not None
    assert [(one.is_compared, bool(one.changes)) for one in read.arms] == [(True, True), (True, True), (False, False)]
