"""`xp targets verify` finds targets that are whole and wrong, and says when it stands elsewhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from engine.cli import app
from engine.cli.targets import verify
from engine.core.distill.encoding import FINEST
from engine.errors import JobError, QueryError, VersionError
from engine.home.files import read_json, write_json
from engine.home.paths import Home
from engine.inputs.content import file_digest
from engine.schedule.lookup import Match
from engine.spec.base import Precision
from engine.spec.identity import digest_of
from engine.verify.targets import ELSEWHERE, _finest_step, verify_targets
from tests.run.bench import NETWORK, TARGETS_JOB, TRAIN, Bench, digits_bench

VIEWS = 2


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        assert bench.run(bench.train("train-teacher", train={**TRAIN, "epochs": 8, "batch_size": 32})) == 0
        needs = {"pack": "pack-1", "teacher": "train-teacher"}
        job = bench.write("targets-1", "targets", needs, {**TARGETS_JOB, "views": VIEWS})
        assert bench.run(job) == 0
        yield bench


@pytest.fixture
def home(bench: Bench) -> Home:
    return bench.home


@pytest.fixture(scope="module")
def given(bench: Bench) -> tuple[Home, str]:
    """Targets of a network whose weights lie in a file, which the details of the job name."""
    winner = bench.home.job("train-teacher").winner()
    assert winner is not None
    file = winner.artifacts / "weights.safetensors"
    network = {**NETWORK, "weights": f"sha256:{file_digest(file)}"}
    words = {"network": network, "views": 1, "rows": "all", "head": "slice"}
    job = bench.write("targets-given", "targets", {"pack": "pack-1"}, {**TARGETS_JOB, **words})
    assert bench.run(job, weights=str(file)) == 0
    return bench.home, job.job


@pytest.fixture(autouse=True)
def _gentle_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a job, but without what cannot be taken back in the process of the tests."""
    before = torch.get_num_threads()

    def prepare(slot: str, threads: int, deterministic: bool, precision: str) -> torch.device:
        torch.set_num_threads(threads)
        return torch.device("cpu")

    monkeypatch.setattr("engine.verify.targets.prepare_device", prepare)
    yield
    torch.set_num_threads(before)


def forge(folder: Path, **info: Any) -> None:
    """Make the manifest agree with the files as they are: only asking the teacher again can tell."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("self")
    manifest["info"] |= info
    for name in manifest["files"]:
        manifest["files"][name]["sha256"] = file_digest(folder / name)
    write_json(folder / "manifest.json", manifest | {"self": digest_of(manifest)})


def test_targets_are_right_where_they_were_made_bit_for_bit(home: Home) -> None:
    verdict = verify_targets(home, "targets-1", 300)
    assert verdict.is_right
    assert verdict.allowed == 0
    assert sum(one.images for one in verdict.differences) >= 300
    assert "where they were made" in verdict.lines()[0]
    every = verify_targets(home, "targets-1", 10**6)
    assert sum(one.images for one in every.differences) == 1797 + VIEWS * 539


def test_as_many_images_are_asked_as_was_said_however_small_the_last_batches_are(home: Home) -> None:
    drawn = [verify_targets(home, "targets-1", 300, seed).differences for seed in range(20)]
    sums = [sum(one.images for one in batches) for batches in drawn]
    assert min(sums) >= 300
    assert max(sums) < 300 + max(one.images for batches in drawn for one in batches)


def test_the_same_seed_draws_the_same_sample(home: Home) -> None:
    one, two = (verify_targets(home, "targets-1", 200, seed=3) for _ in range(2))
    assert one == two


def test_one_wrong_logit_in_a_cache_that_is_whole_is_found(home: Home) -> None:
    folder = home.targets("targets-1")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    raw = np.frombuffer(before[folder / "logits.bin"], dtype="<f2").copy()
    raw[4321] = np.nextafter(raw[4321], np.float16(-100))
    (folder / "logits.bin").write_bytes(raw.tobytes())
    forge(folder)
    verdict = verify_targets(home, "targets-1", 10**6)
    assert not verdict.is_right
    assert sum("WRONG" in line for line in verdict.lines()) == 2
    forge(folder, torch="0.1", cpu="another")
    elsewhere = verify_targets(home, "targets-1", 10**6)
    assert elsewhere.is_right  # one step is a rounding on another machine
    assert elsewhere.allowed == 2
    assert "torch 0.1 ->" in elsewhere.lines()[0]
    raw[4321] -= 0.5
    (folder / "logits.bin").write_bytes(raw.tobytes())
    forge(folder)
    assert not verify_targets(home, "targets-1", 10**6).is_right
    for path, content in before.items():
        path.write_bytes(content)
    assert verify_targets(home, "targets-1", 10**6).is_right


def test_a_teacher_in_bf16_may_differ_elsewhere_by_what_bf16_rounds_and_no_more(bench: Bench) -> None:
    needs = {"pack": "pack-1", "teacher": "train-teacher"}
    job = bench.write("targets-bf16", "targets", needs, {**TARGETS_JOB, "views": 1, "precision": "bf16"})
    assert bench.run(job) == 0
    home, folder = bench.home, bench.home.targets("targets-bf16")
    assert verify_targets(home, job.job, 10**6).allowed == 0
    raw = np.frombuffer((folder / "centre.bin").read_bytes(), dtype="<f2").reshape(-1, 10)
    for share, is_right in ((3.0, True), (60.0, False)):
        moved = raw.astype(np.float64)
        moved[:, 3] += share * 2.0**-8 * raw[:64].min()
        (folder / "centre.bin").write_bytes(np.minimum(moved, 0).astype("<f2").tobytes())
        forge(folder, cpu="another")
        verdict = verify_targets(home, job.job, 10**6)
        assert verdict.is_right == is_right
        assert "4 steps of bf16 allowed" in verdict.lines()[0]


def test_a_swapped_shard_and_a_manifest_that_agrees_with_nothing_are_wrong(home: Home) -> None:
    folder = home.targets("targets-1")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    raw = before[folder / "logits.bin"]
    (folder / "logits.bin").write_bytes(raw[len(raw) // 2 :] + raw[: len(raw) // 2])
    assert "logits.bin of the targets is damaged" in str(verify_targets(home, "targets-1", 64).problem)
    forge(folder)
    # Whole by its manifest: only its teacher knows better.
    swapped = verify_targets(home, "targets-1", 10**6)
    assert (swapped.problem, swapped.is_right) == (None, False)
    for path, content in before.items():
        path.write_bytes(content)
    assert verify_targets(home, "targets-1", 64).is_right


def test_a_damaged_cache_is_wrong_and_an_unfinished_job_an_error(home: Home) -> None:
    path = home.targets("targets-1") / "centre.bin"
    raw = path.read_bytes()
    path.write_bytes(raw[:-2])
    verdict = verify_targets(home, "targets-1", 64)
    path.write_bytes(raw)
    assert not verdict.is_right
    assert "centre.bin" in verdict.lines()[0]
    with pytest.raises(QueryError, match="is not done"):
        verify_targets(home, "targets-2", 64)


def ask(home: Home, monkeypatch: pytest.MonkeyPatch, *jobs: str) -> tuple[int, str]:
    """Return how the command ends for an experiment with these targets, and what it says."""
    match = Match("experiment", "many", "many", jobs)
    monkeypatch.setattr("engine.schedule.lookup.find_match", lambda home, name: match)
    answer = CliRunner().invoke(app, ["targets", "verify", "many", "--samples", "64", "--home", str(home.root)])
    return answer.exit_code, answer.output


def test_what_is_not_made_yet_is_named_and_hides_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = ask(home, monkeypatch, "pack-1", "targets-failed", "targets-1")
    assert code == 0
    assert "targets-failed: not made yet" in said
    assert "1 of 1 are right" in said
    path = home.targets("targets-1") / "logits.bin"
    raw = path.read_bytes()
    path.write_bytes(raw[:-2])
    code, said = ask(home, monkeypatch, "targets-failed", "targets-1")
    path.write_bytes(raw)
    assert code == 1
    assert "wrong: targets-1" in said
    assert str(home.targets("targets-1").parent) in said.replace("\n", "")


def test_where_nothing_is_made_there_is_nothing_to_verify(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    match = Match("experiment", "many", "many", ("targets-failed",))
    monkeypatch.setattr("engine.schedule.lookup.find_match", lambda home, name: match)
    with pytest.raises(QueryError, match="no targets of many are made yet"):
        verify("many", 64, None, home.root)


# From the folders alone -----------------------------------------------------------------------------------------------


def copied(home: Home, folder: Path, job: str) -> Home:
    """Return a new home with a job's folder and its targets, and nothing else."""
    made = Home(folder, folder / "cache")
    shutil.copytree(home.job(job).root, made.job(job).root)
    shutil.copytree(home.targets(job), made.targets(job))
    return made


def test_targets_of_given_weights_need_only_their_folders(given: tuple[Home, str], tmp_path: Path) -> None:
    home = copied(given[0], tmp_path / "copy", given[1])
    answer = CliRunner().invoke(app, ["targets", "verify", given[1], "--home", str(home.root)])
    assert answer.exit_code == 0, answer.output
    assert "1 of 1 are right" in answer.output


def test_targets_of_an_earlier_version_are_not_verified(home: Home, tmp_path: Path) -> None:
    made = copied(home, tmp_path / "copy", "targets-1")
    write_json(made.job("targets-1").spec, {**read_json(made.job("targets-1").spec), "version": 1})
    with pytest.raises(VersionError, match=r"targets-1 was made by another version of xp: version 1") as caught:
        verify_targets(made, "targets-1", 64)
    assert caught.value.fix.startswith("submit its experiment again")


def test_a_trained_teacher_that_is_absent_is_named(home: Home, tmp_path: Path) -> None:
    made = copied(home, tmp_path / "copy", "targets-1")
    with pytest.raises(JobError, match="train-teacher is not done") as caught:
        verify_targets(made, "targets-1", 64)
    assert "copy jobs/train-teacher from a home that has it" in caught.value.fix
    shutil.copytree(home.job("train-teacher").root, made.job("train-teacher").root)
    assert verify_targets(made, "targets-1", 64).is_right


@pytest.mark.parametrize("precision", get_args(Precision))
def test_every_precision_has_its_tolerance_and_none_is_finer_than_its_own_rounding(precision: str) -> None:
    near, far = np.array([[0.0, -0.5]], np.float16), np.array([[0.0, -40.0]], np.float16)
    assert ELSEWHERE[precision] >= 2.0
    wanted = {"fp32": FINEST, "bf16": 40 * 2**-8, "fp16": 40 * 2**-11, "tf32": 40 * 2**-11}
    assert _finest_step(precision, far) == wanted[precision]
    assert _finest_step(precision, near) >= FINEST
