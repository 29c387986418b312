"""Orders to a queue without a scheduler: which jobs change, what is written down, what is said where nothing does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.schedule import orders
from engine.schedule.lookup import Match, find_match
from engine.schedule.orders import ORDERS, explain_nothing, give_order
from store.queue import Queue, Verdict
from tests.helpers.keeping import ONE, put_experiment, put_job
from tests.helpers.queueing import Probe, make_home, states, submit_probes


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Home]:
    """Note who would have been started, and start nobody."""
    begun: list[Home] = []
    monkeypatch.setattr(orders, "start_detached", begun.append)
    monkeypatch.setattr(orders, "PATIENCE", 0.0)
    return begun


@pytest.fixture
def home(tmp_path: Path, started: list[Home]) -> Home:
    home = make_home(tmp_path)
    shared = Probe("pack-1p", kind="pack")
    submit_probes(home, "one", [shared, Probe("train-1a", ("pack-1p",)), Probe("train-2a", ("pack-1p",))])
    submit_probes(home, "two", [shared])
    return home


def meant(home: Home, name: str) -> Match:
    """What a name means; `train-1a` begins a run of these tests, too, so a job is meant by its end."""
    return find_match(home, name.rpartition("-")[2] if not name.startswith("run-") else name)


def give(home: Home, verb: str, name: str) -> list[str]:
    return sorted(give_order(home, verb, meant(home, name)))


def why_nothing(home: Home, verb: str, name: str) -> str:
    return explain_nothing(home, verb, meant(home, name))


def test_cancelling_an_experiment_leaves_what_another_needs(home: Home) -> None:
    assert give(home, "cancel", "one") == ["train-1a", "train-2a"]
    assert states(home) == {"pack-1p": "queued", "train-1a": "cancelled", "train-2a": "cancelled"}


def test_cancelling_a_run_or_job_leaves_the_others(home: Home) -> None:
    assert give(home, "cancel", "run-train-1a") == ["train-1a"]
    assert give(home, "cancel", "train-2a") == ["train-2a"]
    assert states(home)["pack-1p"] == "queued"


@pytest.mark.parametrize("name", ["one", "train-1a"])
def test_pause_is_ended_by_resume(home: Home, name: str) -> None:
    paused = give(home, "pause", name)
    assert "train-1a" in paused
    assert ("train-2a" in paused) == (name == "one")
    assert states(home)["train-1a"] == "paused"
    assert give(home, "resume", name) == paused
    assert states(home)["train-1a"] == "blocked"


def test_retry_brings_back_what_was_cancelled(home: Home) -> None:
    give(home, "cancel", "one")
    assert give(home, "retry", "one") == ["train-1a", "train-2a"]
    assert states(home)["train-1a"] == "blocked"


def test_each_changed_job_holds_its_orders(home: Home) -> None:
    give(home, "pause", "train-1a")
    give(home, "resume", "train-1a")
    lines = [json.loads(line) for line in home.job("train-1a").control.read_text().splitlines()]
    assert [line["order"] for line in lines] == ["pause", "resume"]
    assert lines[0]["at"] <= lines[1]["at"]
    assert not home.job("train-2a").control.exists()


def test_a_scheduler_is_started_where_there_is_work_and_none_runs(
    home: Home, started: list[Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(home, "cancel", "train-1a")
    assert started == [home]
    give(home, "cancel", "train-1a")
    assert started == [home], "nothing changed"
    monkeypatch.setattr(orders, "scheduler_alive", lambda _: True)
    give(home, "retry", "train-1a")
    assert started == [home], "one runs"


def test_without_work_no_scheduler_is_started(tmp_path: Path, started: list[Home]) -> None:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1a")])
    assert give(home, "cancel", "one") == ["train-1a"]
    assert started == []


@pytest.mark.parametrize("verb", ["cancel", "pause"])
def test_what_stops_a_running_job_waits_for_its_end(home: Home, verb: str) -> None:
    with Queue(home.queue_db) as queue:
        assert queue.lease("pack-1p", 1, "cpu:0", boot_id="boot", expires=60.0, now=1.0)
    with pytest.raises(XpError, match=r"(?s)still running after 0 s: pack-1p \(role\d of .*@\d\).*the order stands"):
        give(home, verb, "pack-1p")


def test_an_order_that_changes_nothing_says_how_things_stand(home: Home) -> None:
    assert why_nothing(home, "retry", "train-1a") == "1 blocked"
    assert why_nothing(home, "cancel", "pack-1p") == "1 queued; another experiment needs them"
    assert why_nothing(home, "pause", "train-1a") == "1 blocked; another experiment needs them"
    give(home, "cancel", "train-1a")
    assert why_nothing(home, "resume", "train-1a") == "1 cancelled; `xp retry train-1a` brings them back"
    give(home, "pause", "train-2a")
    assert why_nothing(home, "retry", "run-train-2a").endswith("; `xp resume run-train-2a` brings them back")
    with Queue(home.queue_db) as queue:
        queue.lease("pack-1p", 1, "cpu:0", boot_id="boot", expires=60.0, now=1.0)
        queue.finish("pack-1p", 1, Verdict("crashed", "failed", "broken"), 2.0)
    assert why_nothing(home, "resume", "pack-1p") == "1 failed; `xp retry pack-1p` brings them back"
    assert why_nothing(home, "pause", "pack-1p") == "1 failed"


def test_every_order_of_the_command_line_is_known() -> None:
    assert set(ORDERS) == {"cancel", "pause", "resume", "retry"}


def test_an_arm_is_cancelled_and_paused_by_its_address(tmp_path: Path, started: list[Home]) -> None:
    """What the other arm has too goes on for it."""
    home = open_home(tmp_path / "arms", create=True)
    for job, needs in ONE.items():
        put_job(home, job, needs, done=False)
    put_experiment(home, "one", {"a@0": ["pack-p", "train-a"], "b@0": ["pack-p", "targets-t", "train-b"]}, ONE)
    assert give_order(home, "pause", find_match(home, "one/b")) == ["targets-t", "train-b"]
    assert give(home, "cancel", "one/b@0") == ["targets-t", "train-b"]
    assert states(home) == {"pack-p": "queued", "train-a": "blocked", "targets-t": "cancelled", "train-b": "cancelled"}


def test_an_arm_of_several_seeds_is_paused_without_what_others_have(tmp_path: Path, started: list[Home]) -> None:
    home = open_home(tmp_path / "arms", create=True)
    jobs = {"pack-p": (), **{f"train-{arm}{seed}": ("pack-p",) for arm in "ab" for seed in (0, 1)}}
    for job, needs in jobs.items():
        put_job(home, job, needs, done=False)
    put_experiment(home, "one", {f"{arm}@{seed}": ["pack-p", f"train-{arm}{seed}"] for arm in "ab" for seed in (0, 1)},
                   jobs)  # fmt: skip
    assert give_order(home, "pause", find_match(home, "one/b")) == ["train-b0", "train-b1"]
    assert sorted(give_order(home, "cancel", find_match(home, "one/b"))) == ["train-b0", "train-b1"]
    assert states(home)["pack-p"] == "queued"
