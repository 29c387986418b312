"""A training that cannot go on ends with the status that says so, the reason and the fix."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from engine.core.train.checkpoint import pointed_steps
from engine.home.files import read_json, write_json
from engine.schedule.worker.attempts import last_words
from tests.helpers.forking import strike
from tests.run.bench import DATA, PACKED, TRAIN, Bench, digits_bench

TRAINING = ("train", "recover")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        yield bench


def test_fp16_on_a_cpu_exits_88_with_the_fix(bench: Bench) -> None:
    job = bench.train("train-half", train={**TRAIN, "precision": "fp16"})
    assert bench.run(job) == 88
    assert "fp16 is for GPUs, and this job runs on the CPU · fix: set train.precision: fp32" in last_words(
        job.attempt(1)
    )


# Each step makes the weights ten thousand times larger, whatever the gradients are.
EXPLODING = {"lr": 100.0, "weight_decay": 100.0, "clip_grad": None}


def test_a_rate_that_makes_it_diverge_exits_87(bench: Bench) -> None:
    job = bench.train("train-nan", train={**TRAIN, **EXPLODING, "optimizer": "sgd"})
    assert bench.run(job) == 87
    assert "epoch 1 of 3); it had no checkpoint yet · fix: take a smaller train.lr" in last_words(job.attempt(1))


def test_one_that_diverges_later_says_where_and_keeps_its_last_good_checkpoint(bench: Bench) -> None:
    stopped = bench.train("train-nan-later")
    pid, attempt = bench.start_held(stopped, TRAINING, 9)
    strike(pid, signal.SIGTERM)
    assert bench.server.wait() == 85
    spec = read_json(stopped.spec)
    spec["settings"]["train"] |= {**EXPLODING, "optimizer": "adamw"}
    write_json(stopped.spec, spec)
    saved = read_json(attempt.checkpoints / "pointer.json")["step"]
    assert bench.run(stopped) == 87
    words = last_words(stopped.attempt(2))
    assert f"the last good state is the checkpoint of step {saved} · fix: take a smaller train.lr" in words
    assert "of 3)" in words
    assert pointed_steps(attempt.checkpoints)[0] == saved


def test_settings_that_cannot_work_exit_88_without_a_traceback(bench: Bench) -> None:
    job = bench.train("train-wrong", data={**DATA, "split": "90/0/10"}, train={**TRAIN, "checkpoint": "best_val"})
    assert bench.run(job) == 88
    log = job.attempt(1).log.read_text()
    assert "fix: " in log
    assert "Traceback" not in log


def test_a_need_that_is_not_done_exits_88(bench: Bench) -> None:
    bench.write("pack-later", "pack", {}, {"data": PACKED, "digest": "d"})
    assert bench.run(bench.train("train-needy", needs={"pack": "pack-later"})) == 88


def test_packed_images_of_a_folder_that_are_gone_are_told_with_a_fix(bench: Bench) -> None:
    pack = bench.write("pack-gone", "pack", {}, {"data": {**PACKED, "source": "folder"}, "digest": "d"})
    pack.result.write_text("{}")
    job = bench.train("train-gone", data={**DATA, "source": "folder"}, needs={"pack": "pack-gone"})
    assert bench.run(job) == 88
    log = job.attempt(1).log.read_text()
    assert "fix: remove" in log
    assert "Traceback" not in log
