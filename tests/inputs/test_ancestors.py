"""Whom a network comes from, by its jobs, its files and their headers, in one home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.inputs.ancestors import CHANGED, Ancestors, stored_words
from engine.inputs.content import digits_file, file_digest
from engine.inputs.image_keys import short_keys
from engine.inputs.lineage import Exposure, Lineage, encode_lineage
from engine.inputs.tensors import TENSORS

DATA = {"source": "digits", "split": "80/10/10", "split_seed": 0, "nested": False, "given": "merge"}
PACKED = {"source": "digits", "short_side": 8, "format": "raw", "broken": "stop", "classes": None}
TOLD = Lineage((Exposure((), "trained on", "elsewhere", short_keys(["ab" * 32])),))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = open_home(tmp_path / "home", create=True)
    write_job(home, "pack-1", settings={"data": PACKED, "digest": file_digest(digits_file())})
    return home


def write_job(
    home: Home, job: str, needs: dict[str, str] | None = None, settings: dict[str, Any] | None = None, **details: Any
) -> None:
    folder = home.job(job)
    folder.root.mkdir(parents=True)
    spec = {"version": 1, "kind": job.partition("-")[0], "needs": needs or {}, "settings": settings or {}}
    write_json(folder.spec, spec)
    write_json(folder.details, details)


def write_training(home: Home, job: str = "train-1", *, weights: str = "none", **words: Any) -> None:
    details = {"weights": words.pop("weights_file", None)}
    needs = {"pack": "pack-1", **words.pop("needs", {})}
    network = {"arch": "tiny_vit", "weights": weights}
    write_job(home, job, needs, {"data": DATA, "network": network, **words}, **details)


def commit(home: Home, job: str, lineage: Lineage | None = None) -> Path:
    winner = home.job(job).attempt(1)
    winner.artifacts.mkdir(parents=True)
    file = winner.artifacts / "weights.safetensors"
    metadata = encode_lineage(lineage) if lineage is not None else None
    save_file({"a": torch.full((2,), float(len(home.jobs())))}, file, metadata)
    write_json(home.job(job).result, {"attempt": 1, "weights_sha256": file_digest(file)})
    return file


def mark(file: Path) -> str:
    return f"sha256:{file_digest(file)}"


def ways(lineage: Lineage) -> list[tuple[str, ...]]:
    return [one.path for one in lineage.exposures]


def test_a_job_of_an_earlier_version_says_what_it_saw(home: Home) -> None:
    write_training(home)
    lineage = Ancestors(home).of_job("train-1")
    (seen,) = lineage.exposures
    assert (seen.how, seen.what, len(seen.images)) == ("trained on", "digits 80/10/10, split seed 0", 1438)
    assert lineage.training == "known"


def test_a_checkpoint_and_a_temperature_are_of_validation_images(home: Home) -> None:
    write_training(home, train={"checkpoint": "best_val"}, distill={"calibrate": True})
    seen = {one.how: len(one.images) for one in Ancestors(home).of_job("train-1").exposures}
    assert seen == {"trained on": 1438, "calibrated on": 180, "chosen on": 180}


def test_the_header_of_a_committed_network_counts_before_its_settings(home: Home) -> None:
    write_training(home)
    commit(home, "train-1", TOLD)
    assert Ancestors(home).of_job("train-1") == TOLD


def test_weights_of_this_home_bring_their_job(home: Home, tmp_path: Path) -> None:
    write_training(home)
    file = commit(home, "train-1")
    write_training(home, "train-2", weights=mark(file), weights_file=str(tmp_path / "gone.safetensors"))
    assert ways(Ancestors(home).of_parents(need_words(home, "train-2"))) == [("its weights", "job train-1")]


def test_a_copy_whose_header_is_gone_brings_its_job(home: Home, tmp_path: Path) -> None:
    write_training(home)
    plain = tmp_path / "plain.safetensors"
    save_file(load_file(commit(home, "train-1", TOLD)), plain)
    write_training(home, "train-2", weights=mark(plain), weights_file=str(plain))
    lineage = Ancestors(home).of_parents(need_words(home, "train-2"))
    assert ways(lineage) == [("its weights", "plain.safetensors, job train-1")]
    assert (lineage.exposures[0].images, lineage.unknown) == (TOLD.exposures[0].images, ())


def test_a_header_whose_tensors_were_changed_is_half_of_the_truth(home: Home, tmp_path: Path) -> None:
    """Whoever trained on and kept the header has seen at least what it says."""
    file = tmp_path / "on.safetensors"
    save_file({"a": torch.zeros(3)}, file, {**encode_lineage(TOLD), TENSORS: "ab" * 32})
    write_training(home, "train-2", weights=mark(file), weights_file=str(file))
    lineage = Ancestors(home).of_parents(need_words(home, "train-2"))
    assert ways(lineage) == [("its weights", "on.safetensors")]
    assert lineage.unknown == (f"its weights <- on.safetensors <- {CHANGED}",)


def test_a_forged_header_does_not_hide_what_this_home_knows(home: Home, tmp_path: Path) -> None:
    write_training(home)
    tensors = load_file(commit(home, "train-1", TOLD))
    forged = tmp_path / "forged.safetensors"
    save_file(tensors, forged, encode_lineage(Lineage(pretrained=("nothing of yours",))))
    write_training(home, "train-2", weights=mark(forged), weights_file=str(forged))
    lineage = Ancestors(home).of_parents(need_words(home, "train-2"))
    assert [seen.images for seen in lineage.exposures] == [seen.images for seen in TOLD.exposures]


def need_words(home: Home, job: str) -> Any:
    words = stored_words(home.job(job))
    assert words is not None
    return words


def test_names_of_files_are_left_out_where_they_are_written_down(home: Home) -> None:
    write_training(home)
    file = commit(home, "train-1", TOLD)
    write_training(home, "train-2", weights=mark(file), weights_file=str(file))
    words = need_words(home, "train-2")
    assert ways(Ancestors(home).of_parents(words)) == [("its weights", "weights.safetensors, job train-1")]
    expected = ("its weights", f"weights {file_digest(file)[:12]}")
    assert ways(Ancestors(home, names_files=False).of_parents(words)) == [expected]


def test_a_file_that_was_replaced_says_nothing_of_the_one_that_was(home: Home, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, other, encode_lineage(TOLD))
    write_training(home, weights="sha256:" + "ab" * 32, weights_file=str(other))
    assert Ancestors(home).of_job("train-1").unknown == ("its weights <- weights abababababab",)


def test_a_teacher_that_answers_in_the_step_is_met_once(home: Home) -> None:
    write_training(home, "train-1")
    write_job(home, "targets-1", {"pack": "pack-1", "teacher": "train-1"}, {"network": {"weights": "sha256:abc"}})
    write_training(home, "train-2", needs={"targets": "targets-1", "teacher": "train-1"})
    lineage = Ancestors(home).of_parents(need_words(home, "train-2"))
    assert ways(lineage) == [("its teacher",)]
    assert lineage.unknown == ()


def test_a_teacher_by_file_is_behind_its_targets(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "teacher.safetensors"
    save_file({"a": torch.zeros(3)}, file, encode_lineage(TOLD))
    write_job(home, "targets-1", {"pack": "pack-1"}, {"network": {"weights": mark(file)}}, weights=str(file))
    write_training(home, "train-2", needs={"targets": "targets-1"})
    lineage = Ancestors(home).of_parents(need_words(home, "train-2"))
    assert ways(lineage) == [("its teacher", "its weights", "teacher.safetensors")]


def test_a_pruned_network_is_its_parent(home: Home) -> None:
    write_training(home, "train-1")
    write_training(home, "prune-1", weights="sha256:abc", needs={"parent": "train-1"})
    lineage = Ancestors(home).of_job("prune-1")
    assert ways(lineage) == [()]
    assert lineage.unknown == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"data": {**DATA, "split": "so"}}, "job train-1"),
        ({"data": {}}, "job train-1"),
        ({"needs": {"pack": "pack-9"}}, "job train-1, whose images are not here any more"),
        ({"needs": {"teacher": "train-9"}}, "its teacher <- job train-9"),
    ],
)
def test_what_cannot_be_told_is_unknown(change: dict[str, Any], expected: str, home: Home) -> None:
    write_training(home, **change)
    lineage = Ancestors(home).of_job("train-1")
    assert lineage.unknown == (expected,)
    assert lineage.training == "unknown"


def test_published_weights_are_named(home: Home) -> None:
    write_training(home, weights="pretrained")
    lineage = Ancestors(home).of_job("train-1", {"train-1": "student"})
    assert lineage.pretrained == ("student.weights <- tiny_vit pretrained",)
    assert lineage.training == "pretrained"


def test_a_named_network_has_weights_of_its_name(home: Home) -> None:
    write_training(home, weights="sha256:" + "ab" * 32)
    ancestors = Ancestors(home)
    assert ancestors.of_job("train-1", {"train-1": "student"}).unknown == ("student.weights <- weights abababababab",)
    run = {"train-1": "teacher.run first/first"}
    assert ancestors.of_job("train-1", run).unknown == (
        "teacher.run first/first <- its weights <- weights abababababab",
    )


def test_what_was_split_alike_can_be_left_out(home: Home) -> None:
    write_training(home)
    ancestors = Ancestors(home)
    assert ancestors.of_job("train-1", skip=("pack-1", "80/10/10, split seed 0")) == Lineage()
    assert ancestors.of_job("train-1", skip=("pack-1", "80/10/10, split seed 1")).exposures
