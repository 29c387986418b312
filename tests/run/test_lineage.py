"""What a trained file says of itself, and the exact count that refuses a leak before the first step."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from engine.core.data.pack import open_pack
from engine.home.files import read_json, write_json
from engine.home.paths import JobFolder
from engine.inputs.content import file_digest
from engine.inputs.image_keys import short_keys
from engine.inputs.lineage import Lineage, read_lineage
from engine.inputs.splits import split_pack
from engine.inputs.tensors import stated_digest, tensors_digest
from engine.launch.exits import Exit
from engine.spec import Data
from tests.run.bench import DATA, LESSON, NETWORK, TARGETS_JOB, TRAIN, Bench, digits_bench, visible_lines

ONE = {**TRAIN, "epochs": 1}
SMALL: dict[str, Any] = {**DATA, "split": "5/5/90"}
LEAKING: dict[str, Any] = {**DATA, "split": "5/5/90", "split_seed": 1}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        job = bench.train("train-1", data=SMALL, train=ONE)
        assert bench.run(job) == Exit.DONE
        yield bench


def weights_of(job: JobFolder) -> Path:
    winner = job.winner()
    assert winner is not None
    return winner.artifacts / "weights.safetensors"


def lineage_of(job: JobFolder) -> Lineage:
    lineage = read_lineage(weights_of(job))
    assert lineage is not None
    return lineage


def fact_of(job: JobFolder) -> dict[str, Any]:
    return next(line["value"] for line in visible_lines(job) if line.get("name") == "lineage")


def begun_from(bench: Bench, job: str, file: Path, **settings: Any) -> tuple[int, JobFolder]:
    network = {**NETWORK, "weights": f"sha256:{file_digest(file)}"}
    folder = bench.train(job, **{"network": network, "train": ONE, "data": SMALL, **settings})
    return bench.run(folder, weights=str(file)), folder


def test_a_trained_file_names_its_training_images(bench: Bench) -> None:
    (seen,) = lineage_of(bench.home.job("train-1")).exposures
    pack = open_pack(bench.home.pack("pack-1"))
    split = split_pack(pack, Data.model_validate(SMALL))
    assert seen.images == short_keys(pack.keys[row] for row in split.train)
    assert (seen.path, seen.how, seen.what) == ((), "trained on", "digits 5/5/90, split seed 0")
    assert fact_of(bench.home.job("train-1")) == {"training": "known", "pretrained": [], "unknown": []}


def test_a_leak_ends_the_job_before_its_first_step(bench: Bench) -> None:
    """Nobody planned it: as where the images were not at hand when it was submitted."""
    code, job = begun_from(bench, "train-leak", weights_of(bench.home.job("train-1")), data=LEAKING)
    assert code == Exit.FAILED
    log = _log(job)
    assert "its weights <- weights.safetensors, job train-1 (digits 5/5/90, split seed 0): " in log
    assert "test images of this run were trained on" in log
    assert "Traceback" not in log
    assert not [line for line in visible_lines(job) if line["type"] == "metric"]


def test_a_heir_names_all_that_it_comes_from(bench: Bench, tmp_path: Path) -> None:
    file = Path(shutil.copy(weights_of(bench.home.job("train-1")), tmp_path / "mine.safetensors"))
    other = {**DATA, "split": "4/6/90"}
    code, job = begun_from(bench, "train-heir", file, data=other)
    assert code == Exit.DONE
    own, inherited = lineage_of(job).exposures
    assert (own.path, own.what) == ((), "digits 4/6/90, split seed 0")
    # By its digest: where the file lay, and under which name, is no part of what was trained.
    assert inherited.path == ("its weights", f"weights {file_digest(file)[:12]}")
    assert inherited.images == lineage_of(bench.home.job("train-1")).exposures[0].images
    assert "mine" not in weights_of(job).read_bytes()[:4000].decode("latin1")


def test_the_name_of_a_file_changes_no_bit(bench: Bench, tmp_path: Path) -> None:
    first = weights_of(bench.home.job("train-1"))
    jobs = [
        begun_from(bench, f"train-name-{number}", file)[1]
        for number, file in enumerate((first, Path(shutil.copy(first, tmp_path / "other.safetensors"))))
    ]
    one, other = (read_json(job.result)["weights_sha256"] for job in jobs)
    assert one == other


def test_a_copy_without_its_header_is_refused_by_the_job_too(bench: Bench, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    save_file(load_file(weights_of(bench.home.job("train-1"))), plain)
    code, job = begun_from(bench, "train-copied", plain, data=LEAKING)
    assert code == Exit.FAILED
    assert "its weights <- plain.safetensors, job train-1 (digits 5/5/90, split seed 0): " in _log(job)


def _log(job: JobFolder) -> str:
    return job.attempts()[-1].log.read_text()


def test_a_trained_network_says_the_digest_of_its_tensors(bench: Bench, tmp_path: Path) -> None:
    """In its result and in its header: with neither can the file be read by mistake for another one."""
    file, told = weights_of(bench.home.job("train-1")), read_json(bench.home.job("train-1").result)
    assert told["tensors_sha256"] == stated_digest(file) == tensors_digest(file)
    plain = tmp_path / "plain.safetensors"
    save_file(load_file(file), plain)
    assert tensors_digest(plain) == told["tensors_sha256"]


def test_weights_of_unknown_training_stay_so_in_their_heirs(bench: Bench, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    state = load_file(weights_of(bench.home.job("train-1")))
    save_file({name: value * 2 for name, value in state.items()}, plain)
    code, job = begun_from(bench, "train-plain", plain, data=LEAKING)
    assert code == Exit.DONE
    assert lineage_of(job).unknown == (f"its weights <- weights {file_digest(plain)[:12]}",)
    assert fact_of(job)["training"] == "unknown"


def test_a_student_carries_what_its_teacher_saw(bench: Bench) -> None:
    able = {**TRAIN, "epochs": 8, "batch_size": 32}
    assert bench.run(bench.train("train-teacher", train=able)) == Exit.DONE
    needs = {"pack": "pack-1", "teacher": "train-teacher"}
    targets = bench.write("targets-1", "targets", needs, {**TARGETS_JOB, "views": 3})
    assert bench.run(targets) == Exit.DONE
    assert fact_of(targets)["training"] == "known"
    lesson = {**LESSON, "calibrate": True}
    taught = bench.train("train-taught", needs={"targets": "targets-1"}, distill=lesson, train=ONE)
    assert bench.run(taught) == Exit.DONE
    # The teacher's training images are the student's own: they count once.
    assert [(one.path, one.how) for one in lineage_of(taught).exposures] == [((), "trained on"), ((), "calibrated on")]


def test_a_targets_job_refuses_a_teacher_that_saw_what_it_is_judged_on(bench: Bench) -> None:
    """The teacher's own job would refuse, too; one of an earlier xp did not look at what its weights had seen."""
    file = weights_of(bench.home.job("train-1"))
    network = {**NETWORK, "weights": f"sha256:{file_digest(file)}"}
    teacher = bench.train("train-old", network=network, data=LEAKING, train=ONE)
    write_json(teacher.details, {"weights": str(file)})
    winner = teacher.attempt(1)
    shutil.copytree(file.parent, winner.artifacts)
    save_file(load_file(file), winner.artifacts / "weights.safetensors", {"format": "pt"})
    write_json(teacher.result, {"attempt": 1, "weights_sha256": file_digest(winner.artifacts / "weights.safetensors")})
    needs = {"pack": "pack-1", "teacher": "train-old"}
    targets = bench.write("targets-old", "targets", needs, {**TARGETS_JOB, "views": 3, "data": LEAKING})
    assert bench.run(targets) == Exit.FAILED
    assert "its weights <- weights.safetensors, job train-1 (digits 5/5/90, split seed 0): " in _log(targets)
    assert "Traceback" not in _log(targets)
    assert not bench.home.targets("targets-old").exists()
    assert not [line for line in visible_lines(targets) if line["type"] == "teacher"]
