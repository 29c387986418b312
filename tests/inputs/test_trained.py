"""The job whose network a weights file holds, by its digest or by that of its tensors, with old results and new."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.inputs.content import file_digest
from engine.inputs.tensors import tensors_digest
from engine.inputs.trained import TrainedNetworks, trained_here


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def commit(home: Home, job: str, value: float, *, size: int = 2, says: bool = False) -> Path:
    """Write a network with a header; where `says`, its result has the digest of its tensors."""
    winner = home.job(job).attempt(1)
    winner.artifacts.mkdir(parents=True)
    file = winner.artifacts / "weights.safetensors"
    save_file({"a": torch.full((size,), value)}, file, {"xp.lineage": "told"})
    told = {"attempt": 1, "weights_sha256": file_digest(file)}
    write_json(home.job(job).result, told | ({"tensors_sha256": tensors_digest(file)} if says else {}))
    return file


def copy_of(file: Path) -> Path:
    """As another tool saves it: the tensors alone."""
    plain = file.parents[4].parent / "plain.safetensors"
    save_file(load_file(file), plain)
    return plain


@pytest.mark.parametrize("says", [True, False], ids=["told", "worked out"])
def test_a_copy_without_its_header_is_known(says: bool, home: Home) -> None:
    commit(home, "train-0", 0.0, says=says)
    file = commit(home, "train-1", 1.0, says=says)
    trained = TrainedNetworks(home)
    assert trained.by_file(file_digest(file)) == "train-1"
    assert trained.by_file(file_digest(copy_of(file))) is None
    assert trained.by_tensors(copy_of(file)) == "train-1"


def test_a_result_that_says_it_needs_no_file(home: Home) -> None:
    file = commit(home, "train-1", 1.0, says=True)
    plain = copy_of(file)
    file.unlink()
    assert TrainedNetworks(home).by_tensors(plain) == "train-1"


def test_an_old_result_without_its_file_says_nothing(home: Home) -> None:
    file = commit(home, "train-1", 1.0)
    plain = copy_of(file)
    file.unlink()
    assert TrainedNetworks(home).by_tensors(plain) is None


def test_networks_of_other_shapes_are_not_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    other, plain = commit(home, "train-1", 1.0, size=3), copy_of(commit(home, "train-2", 1.0))
    asked: list[Path] = []

    def digest(file: Path, cache: Path) -> str:
        asked.append(file)
        return tensors_digest(file)

    monkeypatch.setattr("engine.inputs.trained.kept_digest", digest)
    assert TrainedNetworks(home).by_tensors(plain) == "train-2"
    assert other not in asked


def test_a_copy_in_another_dtype_is_not_known(home: Home) -> None:
    plain = copy_of(commit(home, "train-1", 1.0, says=True))
    save_file({name: value.half() for name, value in load_file(plain).items()}, plain)
    assert TrainedNetworks(home).by_tensors(plain) is None


def test_damage_is_no_answer(home: Home) -> None:
    file = commit(home, "train-1", 1.0)
    plain = copy_of(file)
    file.write_bytes(b"damaged")
    commit(home, "train-2", 1.0)
    assert TrainedNetworks(home).by_tensors(plain) == "train-2"
    plain.write_bytes(b"damaged")
    assert TrainedNetworks(home).by_tensors(plain) is None


def test_a_home_without_networks_reads_no_file(home: Home, tmp_path: Path) -> None:
    home.job("pack-1").root.mkdir()
    write_json(home.job("pack-1").result, {"attempt": 1})
    assert trained_here(home) == {}
    assert TrainedNetworks(home).by_tensors(tmp_path / "absent.safetensors") is None
