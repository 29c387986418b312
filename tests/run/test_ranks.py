"""How many processes an order has, what each of them is, and that only the first one writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.data.share import ALONE, Share
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Order
from engine.launch.ranks import Rank
from engine.run.ranks import Helper, begin_together, count_ranks, meet, open_attempt, order_of
from engine.spec.job_settings import TrainSettings
from tests.run.bench import TRAIN_JOB, write_spec


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path, tmp_path / "cache")
    write_spec(made.job("train-1"), "train", {"pack": "pack-1"}, TRAIN_JOB)
    return made


def order(home: Home, slot: str, job: str = "train-1", **resources: Any) -> Order:
    write_json(home.job("train-1").details, {"resources": {"gpus": 0, **resources}})
    return Order(home, job, 1, slot)


def test_a_training_has_a_process_for_each_gpu_of_its_slot(home: Home) -> None:
    assert count_ranks(order(home, "GPU-a,GPU-b,GPU-c@n1/p")) == 3
    assert count_ranks(order(home, "GPU-a", ranks=2)) == 1


def test_on_the_cpu_as_many_as_are_asked_for(home: Home) -> None:
    assert count_ranks(order(home, "cpu:0", ranks=2)) == 2
    assert count_ranks(order(home, "cpu:0")) == 1


def test_no_other_job_has_more_than_one(home: Home) -> None:
    assert [count_ranks(order(home, "GPU-a,GPU-b", job)) for job in ("targets-1", "measure-1", "strange-1")] == [
        1,
        1,
        1,
    ]


def test_details_that_are_damaged_are_the_attempts_to_tell(home: Home) -> None:
    here = order(home, "cpu:0")
    home.job("train-1").details.write_text("{")
    assert count_ranks(here) == 1


def test_each_rank_has_a_gpu_of_its_own(home: Home, tmp_path: Path) -> None:
    whole = order(home, "GPU-a,GPU-b@n1/p")
    slots = [order_of(whole, Rank(number, 2, tmp_path)).slot for number in range(2)]
    assert slots == ["GPU-a@n1/p", "GPU-b@n1/p"]
    assert order_of(order(home, "cpu:0"), Rank(1, 2, tmp_path)).slot == "cpu:0"


def test_a_helper_writes_nothing_into_the_home(home: Home, tmp_path: Path) -> None:
    here = order(home, "cpu:0", ranks=2)
    before = sorted(home.root.rglob("*"))
    helper = open_attempt(here, Rank(1, 2, tmp_path / "scratch"))
    helper.metric("val_loss", 1.0, 1, 0)
    helper.beat("train", step=1)
    helper.save({"network": {}}, 1)
    helper.journal.fact("split", {})
    helper.settle(None)
    assert isinstance(helper, Helper)
    assert [path for path in sorted(home.root.rglob("*")) if "scratch" not in path.parts] == before
    assert helper.share == Share(1, 2)
    assert helper.settings(TrainSettings)


def test_the_first_rank_is_the_attempt_itself(home: Home, tmp_path: Path) -> None:
    first, alone = open_attempt(order(home, "cpu:0"), Rank(0, 2, tmp_path)), open_attempt(order(home, "cpu:0"), None)
    assert first.folder.root == alone.folder.root == home.job("train-1").attempt(1).root
    assert (first.share, alone.share) == (Share(0, 2), ALONE)


def test_one_process_meets_nobody(home: Home) -> None:
    attempt = open_attempt(order(home, "cpu:0"), None)
    meet(attempt, None)  # type: ignore[arg-type]
    begin_together(attempt, None, 8)  # type: ignore[arg-type]
    assert attempt.ranks is None
