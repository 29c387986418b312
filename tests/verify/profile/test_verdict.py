"""What bounds a step is said first, and nothing is advised that was not measured to leave something to gain."""

from __future__ import annotations

from engine.analysis.sentences import SENTENCES
from engine.verify.profile.verdict import judge
from tests.verify.profile.making import COMPUTING, WAITING, summary


def test_the_answer_comes_first() -> None:
    assert judge(summary({"load": 0.7, "forward": 0.3}))[0] == "the loader bounds a step: 70 % of it waits for images"
    assert judge(summary(COMPUTING))[0].startswith(
        "computing bounds a step: forward, backward and optimizer take 100 %"
    )
    gpu = judge(summary(COMPUTING, kind="gpu", card={"busy": 0.095, "launches": 900.0}))
    assert gpu[0] == "the GPU bounds a step: it is at work 95 % of it"


def test_no_advice_where_the_system_tells_nothing_of_idle_cores() -> None:
    told = "\n".join(judge(summary(WAITING, idle=None, beside={"render": 0.98})))
    assert "could help" not in told
    assert "cores are idle" not in told


def test_threads_that_rest_are_no_reason_for_more_of_them() -> None:
    told = "\n".join(judge(summary(WAITING, beside={"render": 0.3})))
    assert "data.workers" not in told


def test_a_gpu_that_waits_for_images_is_not_said_to_wait_for_its_host() -> None:
    told = "\n".join(judge(summary({"load": 0.7, "forward": 0.3}, kind="gpu", card={"busy": 0.3})))
    assert "the host bounds" not in told
    assert "the loader bounds" in told


def test_every_sentence_is_one_of_the_catalogue() -> None:
    assert {"bound_compute", "more_workers", "idle_unknown"} <= SENTENCES.keys()
