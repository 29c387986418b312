"""What an ending says of the GPUs that a job had; of single ones in test_broken_gpus.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.launch.faults import Fault
from engine.schedule.worker.gpu_watch import GpuWatch
from store.queue import RunningRow

ECC = Fault("uncorrectable ECC error encountered", True)
BOTH = RunningRow("train-1", "train", 1, "a,b@n1/p", {}, "", 0.0, "", 0.0, 0, 0, 0)


@pytest.fixture
def watch(tmp_path: Path) -> GpuWatch:
    return GpuWatch(Home(tmp_path, tmp_path / "cache"), ["a@n1/p", "b@n1/p", "c@n1/p"])


def test_of_several_nobody_knows_which_it_was(watch: GpuWatch) -> None:
    assert watch.judge(BOTH, ECC, False) == ""
    assert watch.doubts.shut == frozenset()
    assert watch.doubts.suspects == {"a@n1/p": "train-1", "b@n1/p": "train-1"}


def test_the_next_job_on_one_alone_tells(watch: GpuWatch) -> None:
    watch.judge(BOTH, ECC, False)
    alone = replace(BOTH, job="train-2", slot="b@n1/p")
    assert watch.judge(alone, ECC, False) == f"slot b@n1/p failed: {ECC.told}"
    assert list(watch.doubts.shut) == ["b@n1/p"]
    assert list(watch.doubts.suspects) == ["a@n1/p"]
    # One that was shut out stays so.
    watch.judge(BOTH, ECC, False)
    assert list(watch.doubts.shut) == ["b@n1/p"]


def test_a_job_that_ends_well_clears_all_that_it_had(watch: GpuWatch) -> None:
    watch.judge(BOTH, ECC, False)
    watch.judge(BOTH, None, True)
    watch.has_news()
    assert watch.doubts.suspects == {}
