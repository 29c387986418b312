"""The table names every part that took time, and its JSON is what was timed."""

from __future__ import annotations

import json

import pytest

from engine.verify.profile.subject import Subject
from engine.verify.profile.summary import Summary
from engine.verify.profile.table import profile_json, profile_lines
from engine.verify.profile.timings import Timings
from tests.verify.profile.making import COMPUTING, WAITING, summary

RUN = Subject("paper/proposed@0", "train-1", {})


def lines(found: Summary) -> str:
    return "\n".join(profile_lines(RUN, found))


def test_each_part_has_a_line_of_milliseconds_and_shares() -> None:
    told = lines(summary(COMPUTING))
    (backward,) = [line for line in told.splitlines() if line.startswith("backward")]
    assert backward.split()[:7] == ["backward", "60", "60.0", "%", "60", "60", "60"]
    assert "\nload" not in told
    assert "\na step           100   100.0 %" in told


def test_what_timing_costs_is_said() -> None:
    assert "timing adds 4 ms to a step (+4.2 %, known to 0.0 %)" in lines(summary(COMPUTING, cost=0.004))
    assert "timing adds nothing that chance would not: 0 ms to a step" in lines(summary(COMPUTING))


def test_checkpoints_are_told_each_and_a_step() -> None:
    told = lines(summary(COMPUTING, waits=0.05, epoch_steps=10))
    assert "a checkpoint takes 50 ms, and 100 ms beside the training: 5 ms a step, with one each 10 steps" in told


def test_threads_are_told_beside_the_step() -> None:
    told = lines(summary(WAITING, beside={"render": 0.9}))
    assert "beside a step the loader's threads: render 90 ms (90 ms of a core); at work 90 %" in told


@pytest.mark.parametrize(
    ("taught", "words"), [("made up", "made-up answers"), ("cached", "cached answers"), ("", "images a step\n")]
)
def test_who_teaches_is_told(taught: str, words: str) -> None:
    assert words in lines(summary(COMPUTING, taught=taught))


def test_a_card_has_its_hosts_times_beside_and_its_work() -> None:
    told = lines(summary(COMPUTING, kind="gpu", device="H100", card={"launches": 900.0, "waits": 0.5, "busy": 0.075}))
    assert "host ms" in told
    assert "a step has 900 launches and 0.5 waits of the host; the GPU idles 25 % of it" in told
    silent = lines(summary(COMPUTING, kind="gpu", device="H100", card={"why": "a stub tells nothing"}))
    assert "how long the GPU idles was not measured: a stub tells nothing" in silent


def test_json_holds_the_parts_the_verdict_and_every_step() -> None:
    found = summary(COMPUTING, cost=0.004)
    told = json.loads(json.dumps(profile_json(RUN, found), allow_nan=False))
    assert told["parts"]["backward"]["share"] == pytest.approx(0.6)
    assert told["bounds"][0].startswith("computing bounds a step")
    assert (len(told["steps"]), told["run"], told["job"]) == (10, "paper/proposed@0", "train-1")
    assert Timings.model_validate(found.timings.model_dump(mode="json")) == found.timings
