"""A longer training that begins with the state of a shorter one is, to the bit, the training from its start."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from engine.collect import collect
from engine.home.files import read_json, write_json
from engine.home.paths import JobFolder
from engine.run.continuing import beginning_problem
from store.results import open_snapshot
from tests.helpers.queueing import until
from tests.run.bench import LESSON, TARGETS_JOB, TRAIN, Bench, digits_bench, figures, visible_lines

RUNGS = [3, 6]
WSD: dict[str, Any] = {**TRAIN, "schedule": "wsd", "decay_epochs": 1, "warmup_epochs": 1, "ema": 0.9}
LONG = {**WSD, "epochs": 6}
BEGAN = "begins with the state of train-3 after epoch 2"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        yield bench


@pytest.fixture(scope="module")
def shorter(bench: Bench) -> JobFolder:
    job = bench.train("train-3", train=WSD)
    assert bench.run(job, rungs=RUNGS) == 0
    return job


@pytest.fixture(scope="module")
def straight(bench: Bench) -> JobFolder:
    job = bench.train("train-6-straight", train=LONG)
    assert bench.run(job) == 0
    return job


@pytest.fixture(scope="module")
def continued(bench: Bench, shorter: JobFolder) -> JobFolder:
    return do_longer(bench, "train-6", shorter)


def do_longer(bench: Bench, name: str, shorter: JobFolder, **settings: Any) -> JobFolder:
    job = bench.train(name, **{"train": LONG, **settings})
    assert bench.run(job, rungs=RUNGS, begins=[shorter.job]) == 0
    return job


def log_of(job: JobFolder) -> str:
    return "".join(attempt.log.read_text() for attempt in job.attempts())


def weights(job: JobFolder) -> str:
    return str(read_json(job.result)["weights_sha256"])


def own_figures(job: JobFolder) -> list[dict[str, Any]]:
    """What both kinds of training log, in an order that does not depend on where one began."""
    apart = ("seconds_taken_over", "begins")
    lines = [line for line in figures(job) if line.get("name") not in apart]
    return sorted(lines, key=lambda line: (line["type"], line.get("step", -1), str(line.get("name"))))


def test_a_continued_training_has_the_bits_and_figures_of_a_straight_one(
    continued: JobFolder, straight: JobFolder
) -> None:
    assert BEGAN in log_of(continued)
    assert weights(continued) == weights(straight)
    assert own_figures(continued) == own_figures(straight)
    assert read_json(continued.result)["steps"] == read_json(straight.result)["steps"]


def test_every_epoch_is_there_once_and_its_time_is_told_apart(continued: JobFolder, shorter: JobFolder) -> None:
    lines = visible_lines(continued)
    epochs = [line["epoch"] for line in lines if line.get("name") == "val_top1"]
    assert epochs == list(range(6))
    trained = [line["epoch"] for line in lines if line.get("name") == "train_images_per_second" and "epoch" in line]
    assert trained == list(range(6))
    told = next(line["value"] for line in lines if line.get("name") == "begins")
    assert (told["job"], told["attempt"], told["epoch"]) == ("train-3", 1, 2)
    taken = next(line["value"] for line in lines if line.get("name") == "seconds_taken_over")
    assert taken == told["seconds"] == read_json(continued.result)["figures"]["seconds_taken_over"]
    assert 0 < taken < read_json(shorter.result)["seconds"]
    speed = next(line for line in lines if line.get("name") == "train_images_per_second" and line["type"] != "metric")
    assert speed["n"] == 4, "the epochs that it did itself"


def test_the_state_stays_when_the_shorter_training_is_done(shorter: JobFolder, continued: JobFolder) -> None:
    kept = shorter.attempt(1).branch
    assert sorted(path.suffix for path in kept.iterdir()) == [".json", ".pt"]
    assert not continued.attempt(1).branch.exists(), "nothing is longer than the longest"
    newest = {path.name for path in shorter.attempt(1).checkpoints.glob("*.pt")}
    assert not newest & {path.name for path in kept.iterdir()} or len(newest) == 2


def test_killed_in_the_continued_part_it_goes_on_to_the_same_bits(
    bench: Bench, shorter: JobFolder, straight: JobFolder
) -> None:
    """Once before its first checkpoint, when it begins so again, and once after it."""
    job = bench.train("train-6-killed", train=LONG)
    for step in (20, 41):
        pid, _ = bench.start_held(job, ("train",), step, rungs=RUNGS, begins=[shorter.job])
        os.kill(pid, signal.SIGKILL)
        bench.server.wait()
    assert bench.run(job, rungs=RUNGS, begins=[shorter.job]) == 0
    assert log_of(job).count(BEGAN) == 2
    assert "goes on from attempt 2 at step" in log_of(job)
    assert weights(job) == weights(straight)
    assert own_figures(job) == own_figures(straight)
    collect(bench.home)
    with open_snapshot(bench.home) as db:
        told = db.execute(
            "select epoch, count(*) from metrics where job = ? and name = 'val_loss' group by 1", [job.job]
        )
        assert sorted(told.fetchall()) == [(epoch, 1) for epoch in range(6)]
        taken = db.execute("select value from measurements where job = ? and name = 'seconds_taken_over'", [job.job])
        assert taken.fetchall() == [(read_json(job.result)["figures"]["seconds_taken_over"],)]


def test_one_that_was_killed_itself_is_a_beginning_too(bench: Bench, straight: JobFolder) -> None:
    job = bench.train("train-3-killed", train=WSD)
    pid, attempt = bench.start_held(job, ("train",), 13, rungs=RUNGS)
    until((attempt.checkpoints / "pointer.json").exists, seconds=60.0)  # checkpoints are written beside the training
    os.kill(pid, signal.SIGKILL)
    bench.server.wait()
    assert bench.run(job, rungs=RUNGS) == 0
    assert "goes on from attempt 1" in log_of(job)
    longer = do_longer(bench, "train-6-after-kill", job)
    assert weights(longer) == weights(straight)
    assert own_figures(longer) == own_figures(straight)


def test_a_state_that_is_gone_damaged_or_made_by_other_code_means_a_straight_run(
    bench: Bench, straight: JobFolder, shorter: JobFolder
) -> None:
    damaged, other = (bench.home.job(name) for name in ("train-3-damaged", "train-3-other"))
    for job in (damaged, other):
        shutil.copytree(shorter.root, job.root)
    file = next(damaged.attempt(1).branch.glob("*.pt"))
    raw = file.read_bytes()
    file.unlink()  # a checkpoint has two names
    file.write_bytes(raw[:-1000])
    origin = other.attempt(1).provenance
    write_json(origin, {**read_json(origin), "code_digest": "another"})
    job = bench.train("train-6-alone", train=LONG)
    assert bench.run(job, rungs=RUNGS, begins=["train-nowhere", damaged.job, other.job]) == 0
    for name, why in (
        ("train-nowhere", "there is no such job here"),
        ("train-3-damaged", "attempt 1 kept no whole state"),
        ("train-3-other", "it was made by other code, or on another kind of machine"),
    ):
        assert f"does not begin with the state of {name}: {why}" in log_of(job)
    assert weights(job) == weights(straight)
    assert "seconds_taken_over" not in read_json(job.result)["figures"]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"seed": 1}, "it differs in more than its epochs"),
        ({"train": {**WSD, "lr": 1e-3}}, "it differs in more than its epochs"),
        ({"train": {**WSD, "epochs": 9}}, "it is not shorter"),
    ],
)
def test_only_a_shorter_training_of_the_same_settings_is_its_beginning(
    bench: Bench, settings: dict[str, Any], what: str
) -> None:
    longer, other = bench.train("train-long", train=LONG), bench.train("train-asked", **{"train": WSD, **settings})
    assert beginning_problem(bench.home, longer, other) == what
    same = bench.train("train-same", train=WSD)
    assert beginning_problem(bench.home, longer, same) is None


def test_what_is_tied_to_its_end_is_no_beginning(bench: Bench) -> None:
    longer, other = bench.train("train-cosine-6", train={**TRAIN, "epochs": 6}), bench.train("train-cosine-3")
    problem = beginning_problem(bench.home, longer, other)
    assert problem is not None
    assert "schedule cosine is tied to the whole training" in problem


def test_a_taught_one_with_fresh_views_hears_the_same_teacher(bench: Bench) -> None:
    """Its targets are of as many views as it has epochs: two jobs, whose first views are one."""
    assert bench.run(bench.train("train-teacher", train={**TRAIN, "epochs": 8, "batch_size": 32})) == 0
    for views in (3, 6):
        needs = {"pack": "pack-1", "teacher": "train-teacher"}
        assert bench.run(bench.write(f"targets-{views}", "targets", needs, {**TARGETS_JOB, "views": views})) == 0
    short = bench.train("train-taught-3", needs={"targets": "targets-3"}, distill=LESSON, train=WSD)
    assert bench.run(short, rungs=RUNGS) == 0
    words: dict[str, Any] = {"needs": {"targets": "targets-6"}, "distill": LESSON, "train": LONG}
    whole = bench.train("train-taught-6-straight", **words)
    assert bench.run(whole) == 0
    job = do_longer(bench, "train-taught-6", short, **words)
    assert "begins with the state of train-taught-3" in log_of(job)
    assert weights(job) == weights(whole)
    assert own_figures(job) == own_figures(whole)
