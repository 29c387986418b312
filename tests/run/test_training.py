"""Jobs as processes: every kind does its work, and whatever is killed when, the result and the figures are the same."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.distill.diagnose import Diagnosis
from engine.home.files import read_json
from engine.home.paths import Home, JobFolder
from engine.launch.exits import Exit
from engine.launch.shortages import NO_SPACE
from engine.schedule.worker.attempts import last_words
from engine.spec.job_kinds import ATTENTION_FIGURES, DELETION_FIGURES, KINDS, POINTING_FIGURES
from store.journal import read_journal
from tests.helpers.forking import strike
from tests.run.bench import (
    DATA,
    LESSON,
    NETWORK,
    TARGETS_JOB,
    TRAIN,
    Bench,
    digits_bench,
    figures,
    visible_lines,
)
from tests.schedule.worker.test_disk import mounted

TRAINING = ("train", "recover")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = tmp_path_factory.mktemp("home")
    with digits_bench(root) as bench:
        assert bench.run(bench.train("train-1")) == 0
        yield bench


@pytest.fixture(scope="module")
def targets(bench: Bench) -> JobFolder:
    assert bench.run(bench.train("train-teacher", train={**TRAIN, "epochs": 8, "batch_size": 32})) == 0
    needs = {"pack": "pack-1", "teacher": "train-teacher"}
    job = bench.write("targets-1", "targets", needs, {**TARGETS_JOB, "views": 3})
    assert bench.run(job) == 0
    return job


@pytest.fixture(scope="module")
def taught(bench: Bench, targets: JobFolder) -> JobFolder:
    job = bench.train("train-taught", needs={"targets": targets.job}, distill=LESSON, seed=3)
    assert bench.run(job) == 0
    return job


@pytest.fixture(scope="module")
def pruned(bench: Bench, targets: JobFolder) -> JobFolder:
    job = pruning(bench, "prune-1", targets)
    assert bench.run(job) == 0
    return job


def pruning(bench: Bench, name: str, targets: JobFolder) -> JobFolder:
    needs = {"targets": targets.job, "parent": "train-1"}
    return bench.train(name, "prune", needs, distill=LESSON, prune={"ratio": 0.2, "recover_epochs": 2}, seed=0)


def measured(job: JobFolder) -> set[str]:
    """The figures that a job logged, but for tails: whether there were enough calls for those is chance."""
    names = {line["name"] for line in visible_lines(job) if line["type"] == "measurement"}
    return {name for name in names if not name.startswith("infer_latency_p9")}


# A GPU alone has these, or a mask, or a share of latency; compiled and exported networks are measured where a spec asks
# for them; not every batch fits, nor are there always enough calls to tell the slowest.
ELSEWHERE = (
    *("cuda", "device_images", "energy", "power", "clock", "temperature", "_eager", "_compiled", "_onnxruntime"),
    *("latency_p9", "_oom", "nonzero", "predicted", "taken_over"),
)


def on_a_cpu(kind: str) -> set[str]:
    """The figures that the table of kinds promises, but for those of a GPU and those that have to be asked for."""
    return {name for name in KINDS[kind].figures if not any(word in name for word in ELSEWHERE)}


def run_by_hand(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-P", "-m", "engine.run", str(folder)]
    return subprocess.run(line, capture_output=True, text=True, env=environment, check=False)


def test_a_copied_training_gives_the_same_weights(bench: Bench, tmp_path: Path) -> None:
    """What a job is and how it is done are enough in an empty home: its images are packed again there."""
    done, empty = bench.home.job("train-1"), Home(tmp_path, tmp_path / "cache")
    copy = empty.job("train-1")
    copy.root.mkdir(parents=True)
    for path in (done.spec, done.details):
        shutil.copy(path, copy.root)
    answer = run_by_hand(copy.root)
    assert answer.returncode == 0, answer.stderr
    assert read_json(copy.result)["weights_sha256"] == read_json(done.result)["weights_sha256"]
    assert copy.attempt(1).log.read_text() == answer.stdout
    assert "test_top1" in answer.stdout
    assert [job.job for job in empty.jobs()] == ["train-1"]


def test_a_trained_job_leaves_everything_that_is_asked_of_it(bench: Bench) -> None:
    job = bench.home.job("train-1")
    winner = job.winner()
    assert winner is not None
    result = read_json(job.result)
    weights = winner.artifacts / "weights.safetensors"
    assert result["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert result["steps"] == 27
    assert result["kind"] == "train"
    assert measured(job) == on_a_cpu("train")
    assert result["seconds"] > 0
    assert read_json(winner.artifacts / "network.json")["widths"] is None
    names = [line["name"] for line in visible_lines(job) if line["type"] == "metric"]
    assert names.count("test_top1") == 1
    assert names.count("val_top1") == 3
    assert read_json(winner.heartbeat)["attempt"] == 1
    provenance = read_json(winner.provenance)
    assert provenance["spec_digest"] == hashlib.sha256(job.spec.read_bytes()).hexdigest()
    assert provenance["threads"] == 1
    assert provenance["device"] == "cpu"
    assert f"torch-{version('torch').partition('+')[0]}" in {one.partition("+")[0] for one in provenance["packages"]}
    assert len(provenance["packages_digest"]) == 64


def test_predictions_are_those_of_the_parts_and_agree_with_the_accuracy(bench: Bench) -> None:
    lines = visible_lines(bench.home.job("train-1"))
    sizes = next(line["value"] for line in lines if line.get("name") == "split")
    told = next(line["value"] for line in lines if line.get("name") == "test_top1")
    for part in ("val", "test"):
        (line,) = [line for line in lines if line["type"] == "predictions" and line["part"] == part]
        assert len(set(line["sample"])) == len(line["sample"]) == sizes[part]
        right = np.mean(np.array(line["label"]) == np.array(line["predicted"]))
        assert part == "val" or right == pytest.approx(told)


def test_three_throughputs_have_three_names(bench: Bench) -> None:
    """Training with its loader, inference with its loader; the network alone is for a measure job."""
    lines = [line for line in visible_lines(bench.home.job("train-1")) if line["type"] == "measurement"]
    speeds = {line["name"]: line for line in lines if line["unit"] == "images/s"}
    assert set(speeds) == {"train_images_per_second", "evaluate_images_per_second"}
    assert speeds["evaluate_images_per_second"]["value"] > 0


@pytest.mark.slow
def test_the_same_settings_give_the_same_bits(bench: Bench) -> None:
    job = bench.train("train-2")
    assert bench.run(job) == 0
    assert read_json(job.result)["weights_sha256"] == read_json(bench.home.job("train-1").result)["weights_sha256"]
    assert figures(job) == figures(bench.home.job("train-1"))


@pytest.mark.slow
def test_another_seed_gives_other_bits(bench: Bench) -> None:
    job = bench.train("train-seed", seed=1)
    assert bench.run(job) == 0
    assert read_json(job.result)["weights_sha256"] != read_json(bench.home.job("train-1").result)["weights_sha256"]


def test_killed_at_random_it_ends_with_the_same_bits_and_each_figure_once(bench: Bench) -> None:
    job = bench.train("train-killed")
    kill_at_random(bench, job, kills=4, seed=0)
    assert len(job.attempts()) > 1
    assert read_json(job.result)["weights_sha256"] == read_json(bench.home.job("train-1").result)["weights_sha256"]
    assert figures(job) == figures(bench.home.job("train-1"))


MORE = {"optimizer": "lamb", "schedule": "poly", "ema": 0.9, "accumulate": 2, "checkpoint": "best_val"}


@pytest.mark.slow
def test_an_averaged_training_in_groups_by_an_optimizer_of_timm_resumes_to_the_same_bits(bench: Bench) -> None:
    whole, killed = (bench.train(name, train={**TRAIN, **MORE}) for name in ("train-more", "train-more-killed"))
    assert bench.run(whole) == 0
    pid, _attempt = bench.start_held(killed, TRAINING, 7, save_minutes=1e-6)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() == -signal.SIGKILL
    assert bench.run(killed) == 0
    assert read_json(whole.result)["steps"] == 15, "9 batches to an epoch, two to a step"
    assert read_json(killed.result)["weights_sha256"] == read_json(whole.result)["weights_sha256"]
    assert figures(killed) == figures(whole)


@pytest.mark.slow
def test_a_lean_network_of_timm_ends_with_the_bits_of_the_other(bench: Bench) -> None:
    words: dict[str, Any] = {"network": {"arch": "timm/resnet10t"}, "train": {**TRAIN, "epochs": 1}}
    jobs = [bench.train(f"train-{memory}", **words) for memory in ("standard", "lean")]
    for job, memory in zip(jobs, ("standard", "lean"), strict=True):
        assert bench.run(job, memory=memory) == 0
    assert len({read_json(job.result)["weights_sha256"] for job in jobs}) == 1
    assert figures(jobs[0]) == figures(jobs[1])


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(10))
def test_killed_twenty_times_it_ends_with_the_same_bits(bench: Bench, seed: int) -> None:
    job = bench.train(f"train-chaos-{seed}")
    kill_at_random(bench, job, kills=20, seed=seed)
    assert read_json(job.result)["weights_sha256"] == read_json(bench.home.job("train-1").result)["weights_sha256"]
    assert figures(job) == figures(bench.home.job("train-1"))


def kill_at_random(bench: Bench, job: JobFolder, *, kills: int, seed: int) -> None:
    """Kill the job with SIGKILL while it saves after every step, at a step and then at random times; let it end."""
    pid, _attempt = bench.start_held(job, TRAINING, 5, save_minutes=1e-6)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() == -signal.SIGKILL
    chance = random.Random(seed)
    for _ in range(kills - 1):
        pid, _attempt = bench.start(job, save_minutes=1e-6)
        time.sleep(chance.uniform(0.05, 0.4))
        strike(pid, signal.SIGKILL)
        if bench.server.wait() == 0:
            break
    assert job.result.exists() or bench.run(job) == 0


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(other, marks=pytest.mark.slow) for other in (signal.SIGINT, signal.SIGUSR1))],
)
def test_asked_to_stop_it_checkpoints_and_exits_85(bench: Bench, number: int) -> None:
    job = bench.train(f"train-stopped-{number}")
    pid, attempt = bench.start_held(job, TRAINING, 9)
    strike(pid, number)
    assert bench.server.wait() == 85
    assert (attempt.checkpoints / "pointer.json").exists()
    assert not job.result.exists()
    assert bench.run(job) == 0
    (start,) = [line for line in read_journal(job.attempt(2).journal)[0] if line["type"] == "from"]
    assert start["attempt"] == 1
    assert start["step"] > 0
    assert figures(job) == figures(bench.home.job("train-1"))


def test_a_checkpoint_that_finds_no_room_ends_it_with_that_reason_and_room_lets_it_go_on(bench: Bench) -> None:
    job = bench.train("train-crowded")
    (job.root / "attempts").mkdir()
    with mounted(job.root / "attempts", "-t", "tmpfs", "-o", "size=256k", "tmpfs"):
        assert bench.run(job) == Exit.LACKING
        assert NO_SPACE in last_words(job.attempt(1))
    assert bench.run(job) == 0
    assert read_json(job.result)["weights_sha256"] == read_json(bench.home.job("train-1").result)["weights_sha256"]


def test_a_finished_training_with_a_killed_evaluation_only_evaluates(bench: Bench) -> None:
    job = copy_without_result(bench, "train-1", "train-evaluated")
    assert bench.run(job) == 0
    steps = [line["step"] for line in read_journal(job.attempt(2).journal)[0] if line["type"] == "from"]
    assert steps == [27]
    names = [line["name"] for line in read_journal(job.attempt(2).journal)[0] if line["type"] == "metric"]
    assert names == ["test_top1", "test_loss"]
    assert figures(job) == figures(bench.home.job("train-1"))


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(bench: Bench) -> None:
    job = copy_without_result(bench, "train-1", "train-damaged")
    newest = max(job.attempt(1).checkpoints.glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    assert bench.run(job) == 0
    assert [line["step"] for line in read_journal(job.attempt(2).journal)[0] if line["type"] == "from"] == [18]
    assert read_json(job.result)["weights_sha256"] == read_json(bench.home.job("train-1").result)["weights_sha256"]
    assert figures(job) == figures(bench.home.job("train-1"))


def test_the_first_of_two_attempts_counts(bench: Bench) -> None:
    job = bench.home.job("train-1")
    before = job.result.read_bytes()
    assert bench.run(job) == 0
    assert job.result.read_bytes() == before
    shutil.rmtree(job.attempt(2).root)


def test_a_weights_file_is_known_by_its_content(bench: Bench) -> None:
    winner = bench.home.job("train-1").winner()
    assert winner is not None
    path = winner.artifacts / "weights.safetensors"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    job = bench.train("train-warm", network={**NETWORK, "weights": f"sha256:{digest}"}, train={**TRAIN, "epochs": 2})
    assert bench.run(job, weights=str(path)) == 0
    (first, _) = [line["value"] for line in visible_lines(job) if line.get("name") == "train_loss"]
    cold = [line["value"] for line in visible_lines(bench.home.job("train-1")) if line.get("name") == "train_loss"]
    assert first < cold[0]
    other = bench.train("train-warm-other", network={**NETWORK, "weights": f"sha256:{'0' * 64}"})
    assert bench.run(other, weights=str(path)) == 88
    assert "have changed" in other.attempt(1).log.read_text()


def test_loading_the_jobs_starts_no_thread(bench: Bench) -> None:
    assert len(list(Path(f"/proc/{bench.server.process.pid}/task").iterdir())) == 1


def test_a_teacher_is_described_on_every_part(targets: JobFolder) -> None:
    lines = [line for line in visible_lines(targets) if line["type"] == "teacher"]
    figures = [field.name for field in fields(Diagnosis)]
    assert {(line["part"], line["name"]) for line in lines} == {
        (part, name) for part in ("train", "val", "test") for name in figures
    }
    (bins,) = [line["value"] for line in visible_lines(targets) if line.get("name") == "reliability"]
    sizes = {part: sum(drawn["counts"]) for part, drawn in bins.items()}
    assert sizes == {"train": 539, "val": 180, "test": 1078}


@pytest.mark.slow
def test_a_taught_student_resumes_to_the_same_bits(bench: Bench, targets: JobFolder, taught: JobFolder) -> None:
    stopped = bench.train("train-taught-stopped", needs={"targets": targets.job}, distill=LESSON, seed=3)
    pid, _ = bench.start_held(stopped, TRAINING, 9)
    strike(pid, signal.SIGTERM)
    assert bench.server.wait() == 85
    assert bench.run(stopped) == 0
    assert figures(stopped) == figures(taught)
    assert read_json(stopped.result)["weights_sha256"] == read_json(taught.result)["weights_sha256"]


def test_caches_that_are_gone_or_damaged_are_made_again(bench: Bench, targets: JobFolder, taught: JobFolder) -> None:
    shutil.rmtree(bench.home.pack("pack-1"))
    logits = bench.home.targets(targets.job) / "logits.bin"
    logits.write_bytes(logits.read_bytes()[:-2])
    job = bench.train("train-again", needs={"targets": targets.job}, distill=LESSON, seed=3)
    assert bench.run(job) == 0
    assert read_json(job.result)["weights_sha256"] == read_json(taught.result)["weights_sha256"]


@pytest.mark.slow
def test_pruning_keeps_its_shape_over_a_stop(bench: Bench, targets: JobFolder, pruned: JobFolder) -> None:
    stopped = pruning(bench, "prune-2", targets)
    pid, _ = bench.start_held(stopped, TRAINING, 9)
    strike(pid, signal.SIGTERM)
    assert bench.server.wait() == 85
    assert bench.run(stopped) == 0
    assert read_json(stopped.result)["weights_sha256"] == read_json(pruned.result)["weights_sha256"]
    assert figures(stopped) == figures(pruned)
    values = {line["name"]: line["value"] for line in visible_lines(pruned) if line["type"] == "measurement"}
    assert values["prune_asked"] == 0.2
    assert abs(values["prune_achieved"] - 0.2) <= 0.01
    assert values["params"] < values["params_before"]


def test_a_pruned_network_is_measured_in_its_own_shape(bench: Bench, pruned: JobFolder) -> None:
    assert measured(pruned) == on_a_cpu("prune")
    settings = {"network": NETWORK, "num_classes": 10, "image_size": 24, "precision": "fp32"}
    settings["measure"] = {"batch_sizes": [1, 8], "threads": [1], "seconds": 0.05, "rounds": 2}
    full, small = (
        bench.write("measure-1", "measure", {}, settings),
        bench.write("measure-2", "measure", {"parent": pruned.job}, {**settings, "against": NETWORK}),
    )
    assert (bench.run(full), bench.run(small)) == (0, 0)
    sizes = [read_json(job.result)["figures"]["params"] for job in (full, small)]
    assert sizes[1] == read_json(pruned.result)["figures"]["params"] < sizes[0]
    assert measured(small) == on_a_cpu("measure")
    assert measured(full) == on_a_cpu("measure") - {"infer_speedup"}, "it is the baseline itself"
    lines = [line for line in visible_lines(full) if line["type"] == "measurement"]
    assert {line["batch_size"] for line in lines if line["name"] == "infer_images_per_second"} == {1, 8}


def test_attention_maps_are_saved(bench: Bench) -> None:
    settings = {"network": NETWORK, "num_classes": 10, "data": DATA, "explain": {"images": 3}}
    job = bench.write("explain-1", "explain", {"pack": "pack-1", "parent": "train-1"}, settings)
    assert bench.run(job) == 0
    assert len(list(job.attempt(1).artifacts.rglob("*.png"))) >= 3
    asked_for = {*POINTING_FIGURES, *DELETION_FIGURES, *ATTENTION_FIGURES}
    assert measured(job) == on_a_cpu("explain") - asked_for, "it was given no boxes, and no kinds of maps"
    lines = {line["name"]: line for line in visible_lines(job) if line["type"] == "measurement"}
    assert all(0.0 <= lines[name]["value"] <= 1.0 for name in ("deletion_auc", "insertion_auc"))
    assert all(line["n"] == 3 and line["p5"] <= line["value"] <= line["p95"] for line in lines.values())


def copy_without_result(bench: Bench, source: str, name: str) -> JobFolder:
    job = bench.home.job(name)
    shutil.copytree(bench.home.job(source).root, job.root)
    job.result.unlink()
    job.attempt(1).result.unlink()
    return job
