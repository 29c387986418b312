"""Orders by clicking come to what the commands come to, for a job, a run, an experiment, several, and a slot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine.home.paths import Home
from engine.home.records import read_record
from engine.schedule import orders
from engine.schedule.slot_marks import SlotMarks
from store.queue import Queue
from tests.helpers.queueing import Probe, make_home, states, submit_probes
from tests.search.objective import make_spec, submit_study
from tests.serve.conftest import Browse


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Three jobs that wait, and nobody who works."""
    monkeypatch.setattr(orders, "start_detached", lambda home: None)
    made = make_home(tmp_path)
    submit_probes(made, "one", [Probe("train-1"), Probe("train-2"), Probe("prune-1", ("train-2",))])
    return made


@pytest.fixture
def client(browse: Browse, home: Home) -> TestClient:
    return browse(home)


def give(client: TestClient, verb: str, *ids: str, **words: str) -> tuple[bool, str]:
    told = client.post(f"/order/{verb}", data={"id": list(ids), **words}).headers["HX-Trigger"]
    said = json.loads(told)["said"]
    return said["good"], said["text"]


def test_a_job_is_paused_resumed_cancelled_and_retried(client: TestClient, home: Home) -> None:
    for verb, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled"), ("retry", "queued")):
        assert give(client, verb, "train-1") == (True, f"{verb}: 1 job of train-1")
        assert states(home)["train-1"] == state
    assert len(home.job("train-1").control.read_text().splitlines()) == 4, "kept for a queue that is made anew"


def test_a_run_and_an_experiment_are_ordered_whole(client: TestClient, home: Home) -> None:
    assert give(client, "cancel", "run-prune-1") == (True, "cancel: 1 job of run-prune-1")
    assert states(home) == {"train-1": "queued", "train-2": "queued", "prune-1": "cancelled"}
    assert give(client, "pause", "one")[0]
    assert states(home) == {"train-1": "paused", "train-2": "paused", "prune-1": "cancelled"}


def test_of_several_each_is_done_and_each_is_told(client: TestClient, home: Home) -> None:
    good, text = give(client, "pause", "train-1", "nobody", "train-2", "train-1")
    assert good
    assert text.splitlines()[:2] == ["pause: 1 job of train-1", "pause: 1 job of train-2"]
    assert "nothing here is called 'nobody'" in text
    assert states(home)["train-2"] == "paused"


def test_nothing_chosen_and_nothing_changed_are_said(client: TestClient) -> None:
    assert give(client, "cancel") == (False, "cancel: nothing is chosen")
    assert give(client, "resume", "train-1") == (False, "resume: nothing changed: 1 queued")


def test_what_runs_is_asked_to_stop_without_waiting_for_it(client: TestClient, home: Home) -> None:
    with Queue(home.queue_db) as queue:
        assert queue.lease("train-1", 1, "cpu:0", boot_id="x", expires=1e12, now=1.0)
    good, text = give(client, "pause", "train-1")
    assert (good, text) == (True, "pause: 1 job of train-1; 1 job asked to stop, which may take some seconds")


def test_a_priority_is_a_whole_number_of_a_known_experiment(client: TestClient, home: Home) -> None:
    assert give(client, "priority", "one", number="12") == (True, "priority: one has 12 now; what runs goes on")
    with Queue.open_readonly(home.queue_db) as queue:
        assert [row.priority for row in queue.experiments()] == [12]
    assert json.loads(home.control.read_text())["priority"] == 12
    for word in ("", "much", "1.5", "99999999999999999999"):
        assert not give(client, "priority", "one", number=word)[0]
    good, text = give(client, "priority", "ones", number="1")
    assert not good
    assert "one" in text.partition("fix:")[2]


def test_a_slot_that_is_shut_out_is_let_in_again(client: TestClient, home: Home) -> None:
    SlotMarks(home).put("GPU-7", "it fell off the bus", "train-1", 1, is_shut=True)
    assert not give(client, "slot", "GPU-8")[0]
    good, text = give(client, "slot", "GPU-7")
    assert good
    assert "it fell off the bus" in text
    assert SlotMarks(home).list_shut() == []


def test_a_job_whose_folder_is_gone_is_told(client: TestClient, home: Home) -> None:
    shutil.rmtree(home.job("train-1").root)
    good, text = give(client, "pause", "one")
    assert not good
    assert "could not be written down" in text


def test_a_search_is_stopped_and_extended(client: TestClient, home: Home) -> None:
    submit_study(home, make_spec(trials=4))
    assert give(client, "search-stop", "study") == (
        True,
        "search: no more trials of study are asked for; those that are open end",
    )
    assert read_record(home.records("study")[-1])["search"]["stopped"]
    assert give(client, "search-extend", "study", number="9") == (True, "search: up to 9 trials of each arm of study")
    searched = read_record(home.records("study")[-1])["search"]
    assert (searched["stopped"], searched["asked"]) == (False, 9)
    for word in ("", "many", "0", "4", "1000000"):
        assert not give(client, "search-extend", "study", number=word)[0]
    assert read_record(home.records("study")[-1])["search"] == searched


def test_of_what_is_not_searched_that_is_said(client: TestClient) -> None:
    for verb in ("search-stop", "search-extend"):
        assert give(client, verb, "one", number="9") == (
            False,
            "one searches nothing\nfix: write `search:` in its spec, and submit it",
        )
