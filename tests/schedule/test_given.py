"""Orders as they are kept: by job, or many in one line; what is torn is left out."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from engine.schedule import given
from engine.schedule.given import keep_order, keep_priority, read_orders, read_priority
from engine.schedule.worker import rebuild_queue
from store.queue import Queue
from tests.helpers.queueing import Probe, make_home, states, submit_probes


def test_an_order_about_few_jobs_stands_in_each_of_their_folders(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    keep_order(home, "pause", ["train-1", "train-2"])
    keep_order(home, "resume", ["train-1"])
    assert not home.control.exists()
    kept = read_orders(home, ["train-1", "train-2"])
    assert {job: [one.order for one in orders] for job, orders in kept.items()} == {
        "train-1": ["pause", "resume"],
        "train-2": ["pause"],
    }


def test_an_order_about_many_is_one_line_and_a_queue_made_anew_obeys_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "MANY", 1)
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe(f"train-{number}") for number in range(3)])
    keep_order(home, "pause", ["train-0", "train-1"])
    keep_order(home, "resume", ["train-1"])
    assert len(home.control.read_text().splitlines()) == 1
    assert not home.job("train-0").control.exists()
    rebuild_queue(home)
    assert states(home) == {"train-0": "paused", "train-1": "queued", "train-2": "queued"}


def test_torn_lines_are_left_out(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    whole = json.dumps({"order": "cancel", "at": 1.0, "jobs": ["train-1"]})
    home.control.write_text(f'{whole}\n{{"order": "pau\n[]\n{{"order": "pause"}}\n{{"order": "pause", "at": "x"}}\n')
    assert [one.order for one in read_orders(home, ["train-1"])["train-1"]] == ["cancel"]
    assert read_orders(home, ["other"]) == {"other": []}


def test_a_priority_outlives_the_queue_and_holds_until_a_later_submission(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1")], priority=2)
    keep_priority(home, "one", 5)
    keep_priority(home, "other", 9)
    keep_priority(home, "one", 7)
    with open(home.control, "a") as handle:
        handle.write('{"order": "priority", "experiment": "one", "pri')
    rebuild_queue(home)
    with Queue.open_readonly(home.queue_db) as queue:
        assert [row.priority for row in queue.experiments()] == [7]
    assert read_priority(home, "one", time.time()) is None
    submit_probes(home, "one", [Probe("train-1")], priority=3)
    rebuild_queue(home)
    with Queue.open_readonly(home.queue_db) as queue:
        assert [row.priority for row in queue.experiments()] == [3]
