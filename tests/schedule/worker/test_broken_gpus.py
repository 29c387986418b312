"""A broken GPU is shut out: its jobs go on elsewhere and spend nothing, and it is tried again when asked."""

from __future__ import annotations

import pytest

from engine.home.paths import Home
from engine.inspect import doctor
from engine.inspect.status import find_trouble, read_status, tell_shut
from engine.schedule import orders
from engine.schedule.orders import retry_slot
from engine.schedule.slot_marks import SlotMarks
from engine.schedule.worker.rebuild import rebuild_queue
from store.queue import Queue
from tests.helpers.queueing import Probe, states, submit_probes
from tests.schedule.worker.faking import Stage, staged
from tests.schedule.worker.working import work

ECC = "CUDA error: uncorrectable ECC error encountered"
ILLEGAL = "CUDA error: an illegal memory access was encountered\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1"
BAD, GOOD = "GPU-5a", "GPU-5b"


def submit_breaking(home: Home, count: int, words: str = ECC) -> None:
    does = {"do": "break", "gpu": BAD, "words": words}
    submit_probes(home, "one", [Probe(f"train-{number}", does=does, cost=9.0 - number) for number in range(count)])


def spent(home: Home) -> set[int]:
    with Queue(home.queue_db) as queue, queue._read() as connection:
        assert connection is not None
        return set(connection.exec_driver_sql("SELECT crashed + lost + ooms FROM jobs").scalars())


def fail(stage: Stage, job: str, words: str, attempt: int = 1) -> None:
    """Let an attempt's log end with `words`, and the attempt by itself."""
    folder = stage.home.job(job).attempt(attempt)
    folder.root.mkdir(parents=True)
    folder.log.write_text(f"begins\n{words}\n")
    stage.end(job, 1, attempt)


def test_all_jobs_are_done_on_the_good_one_of_two_and_spend_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"{BAD},{GOOD}")
    submit_breaking(home, 5)
    assert work(home) == 0
    assert set(states(home).values()) == {"done"}
    assert spent(home) == {0}
    with Queue.open_readonly(home.queue_db) as queue:
        rows = queue.attempt_rows()
    assert [(row.slot, row.outcome) for row in rows if row.outcome != "done"] == [(BAD, "crashed")]
    assert {row.slot for row in rows if row.outcome == "done"} == {GOOD}


def test_a_scheduler_that_starts_anew_knows_and_an_order_tries_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "start_detached", lambda _: None)
    submit_breaking(home, 2)
    with staged(home, [BAD, GOOD]) as stage:
        stage.turn()
        fail(stage, "train-0", ECC)
        assert stage.row("train-0").reason == (
            f"slot {BAD} failed: uncorrectable ECC error encountered; goes on elsewhere"
        )
        assert [(order.job, order.slot) for order in stage.launcher.orders] == [("train-0", BAD), ("train-1", GOOD)]
    rebuild_queue(home)
    with staged(home, [BAD]) as stage:
        stage.turn()
        assert stage.launcher.orders == []
        assert not stage.scheduler.is_idle()
        assert retry_slot(home, "GPU-") is None, "as good as no name"
        assert retry_slot(home, BAD[:5]) is not None, "the beginning of one"
        stage.turn()
        assert [order.slot for order in stage.launcher.orders] == [BAD]


def test_status_and_doctor_say_which_is_shut_out_and_why(home: Home) -> None:
    assert (tell_shut(home), _finding(home)) == ("", (True, "none is shut out", _finding(home)[2]))
    submit_breaking(home, 2)
    with staged(home, [BAD, GOOD]) as stage:
        stage.turn()
        fail(stage, "train-0", ECC)
    told = f"slot {BAD} is shut out: uncorrectable ECC error encountered (train-0, attempt 1)"
    assert tell_shut(home) == f"{told}; no job goes there until `xp retry {BAD}`"
    is_well, what, fix = _finding(home)
    assert (is_well, what) == (False, told.removeprefix("slot "))
    assert f"`xp retry {BAD}`" in fix
    assert "no scheduler works" in find_trouble(home, read_status(home)), "what stops everything goes first"


def _finding(home: Home) -> tuple[bool, str, str]:
    found = doctor._slots(home)
    return found.is_well, found.what, found.fix


def test_an_illegal_access_shuts_out_when_the_next_job_there_meets_one_too(home: Home) -> None:
    submit_breaking(home, 3)
    with staged(home, [BAD, GOOD]) as stage:
        stage.turn()
        fail(stage, "train-0", ILLEGAL)
        assert stage.row("train-0").reason.startswith("exit 1: ")
        assert SlotMarks(home).list_shut() == []
        assert [order.slot for order in stage.launcher.orders] == [BAD, GOOD, BAD]
        fail(stage, "train-2", ILLEGAL)
        assert [mark.slot for mark in SlotMarks(home).list_shut()] == [BAD]
    assert spent(home) == {0, 1}, "the first spent one of three"


def test_a_job_that_ends_well_clears_the_suspicion(home: Home) -> None:
    submit_breaking(home, 4)
    with staged(home, [BAD, GOOD]) as stage:
        stage.turn()
        fail(stage, "train-0", ILLEGAL)
        home.job("train-2").attempt(1).root.mkdir(parents=True)
        home.job("train-2").result.write_text("{}")
        stage.end("train-2", 0)
        assert SlotMarks(home).list_all() == []
        fail(stage, "train-3", ILLEGAL)
        assert SlotMarks(home).list_shut() == []


def test_what_jobs_do_wrong_on_every_gpu_shuts_none_out(home: Home) -> None:
    submit_breaking(home, 4)
    with staged(home, [BAD, GOOD]) as stage:
        stage.turn()
        for number in range(4):
            fail(stage, f"train-{number}", ILLEGAL)
        assert SlotMarks(home).list_shut() == []


def test_those_that_still_run_on_a_shut_gpu_spend_nothing_either(home: Home) -> None:
    half = {"do": "done", "resources": {"gpus": 0.5}}
    submit_probes(home, "one", [Probe("train-0", does=half), Probe("train-1", does=half)])
    with staged(home, [BAD]) as stage:
        stage.turn()
        fail(stage, "train-0", ECC)
        fail(stage, "train-1", ILLEGAL)
        assert [mark.reason for mark in SlotMarks(home).list_shut()] == ["uncorrectable ECC error encountered"]
    assert spent(home) == {0}


def test_words_in_the_log_of_a_processors_job_mean_nothing(home: Home) -> None:
    submit_breaking(home, 1)
    with staged(home) as stage:
        stage.turn()
        fail(stage, "train-0", ECC)
    assert SlotMarks(home).list_all() == []
    assert spent(home) == {1}


def test_a_name_that_is_no_shut_gpu_is_left_to_the_jobs(home: Home) -> None:
    SlotMarks(home).put(BAD, "it broke", "train-1", 1, is_shut=True)
    SlotMarks(home).put(GOOD, "it broke", "train-1", 1, is_shut=True)
    assert retry_slot(home, "train-1") is None
    assert retry_slot(home, "GPU-5") is None, "two begin so"
    found = retry_slot(home, GOOD)
    assert found is not None
    assert found.slot == GOOD
    assert [mark.slot for mark in SlotMarks(home).list_shut()] == [BAD]


def test_a_job_that_asks_for_a_gpu_waits_where_there_is_none_and_says_so(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-0", does={"device": "gpu"}), Probe("train-1")])
    with staged(home) as stage:
        stage.turn()
        assert [order.job for order in stage.launcher.orders] == ["train-1"]
        assert (stage.row("train-0").state, stage.row("train-1").state) == ("queued", "running")
        (shown,) = read_status(home)[0].waiting
        assert (shown.job, shown.reason) == ("train-0", "waits for a GPU: none is found here")
        assert not stage.scheduler.is_idle()
    submit_probes(home, "one", [Probe("train-0", does={"device": "cpu"})])
    with staged(home, ["cpu:0", "cpu:1"]) as stage:
        stage.turn()
        assert [order.job for order in stage.launcher.orders] == ["train-0"]
        assert stage.row("train-0").reason == ""


def test_jobs_say_that_all_gpus_are_shut_out_until_one_is_tried_again(home: Home) -> None:
    submit_breaking(home, 2)
    with staged(home, [BAD]) as stage:
        stage.turn()
        fail(stage, "train-0", ECC)
        told = {stage.row(f"train-{number}").reason for number in range(2)}
        assert told == {"waits for a GPU: all here are shut out"}
        SlotMarks(home).clear([BAD])
        stage.turn()
        assert {stage.row(f"train-{number}").reason for number in range(2)} == {""}
        assert [order.job for order in stage.launcher.orders] == ["train-0", "train-0"]
