"""What the queue's page reads: what runs by slot, what is ready by turn, what is in a state with what it waits for."""

from __future__ import annotations

from pathlib import Path

from engine.serve.queue_rows import list_ready, list_running, list_state
from store.queue import Queue, Verdict
from tests.helpers.queueing import Probe, make_home, submit_probes


def test_turns_go_on_from_one_experiment_to_the_next(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    submit_probes(home, "later", [Probe(f"train-{number}") for number in range(3)])
    submit_probes(home, "first", [Probe(f"prune-{number}", kind="prune") for number in range(2)], priority=1)
    with Queue.open_readonly(home.queue_db) as queue:
        shown = list_ready(home, queue, queue.count_ready(), 1, 3)
    assert [(one.turn, one.experiment, one.view.job) for one in shown] == [
        (2, "first", "prune-1"),
        (3, "later", "train-0"),
        (4, "later", "train-1"),
    ]
    assert [one.run for one in shown] == ["run-prune-1", "run-train-0", "run-train-1"]


def test_what_runs_has_its_slot_and_its_attempt(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    with Queue(home.queue_db) as queue:
        for job, slot in (("train-1", "GPU-b"), ("train-2", "GPU-a")):
            queue.lease(job, 2, slot, boot_id="x", expires=1e12, now=1.0)
        queue.request_pause(["train-1"])
        found = list_running(home, queue)
    assert [(one.slot, one.device, one.attempt, one.request) for one in found] == [
        ("GPU-a", "GPU", 2, ""),
        ("GPU-b", "GPU", 2, "pause"),
    ]


def test_a_log_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    with Queue(home.queue_db) as queue:
        for job in ("train-1", "train-2"):
            queue.lease(job, 1, "cpu:0", boot_id="x", expires=1e12, now=1.0)
            queue.finish(job, 1, Verdict("crashed", "failed", "it broke"), 2.0)
        home.job("train-1").attempt(1).log.mkdir(parents=True)
        assert [one.log for one in list_state(home, queue, "failed", None, 0, 9)] == [(), ()]


def test_failed_ones_tell_why_and_blocked_ones_what_for(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    with Queue(home.queue_db) as queue:
        queue.lease("train-1", 1, "cpu:0", boot_id="x", expires=1e12, now=1.0)
        queue.finish("train-1", 1, Verdict("crashed", "failed", "it broke · fix: mend it"), 2.0)
        home.job("train-1").attempt(1).root.mkdir(parents=True)
        home.job("train-1").attempt(1).log.write_text("\n".join(map(str, range(100))) + "\n\x1b[31m0 %\r100 %")
        (failed,) = list_state(home, queue, "failed", None, 0, 9)
        (blocked,) = list_state(home, queue, "blocked", "one", 0, 9)
    assert (failed.reason, failed.fix, failed.log[-2:], len(failed.log)) == (
        "it broke",
        "mend it",
        ("99", "100 %"),
        12,
    )
    assert blocked.waits_for == ("train-1 (failed)",)
