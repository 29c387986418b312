"""A run becomes a file that holds, or none at all: tampered files, names that are taken, jobs that are not done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torch import nn
from typer.testing import CliRunner

from engine.cli import app
from engine.core.export.forms import Written, write_form
from engine.errors import DataError, JobError
from engine.run import exporting
from engine.run.exporting import export_network, open_trained
from engine.run.predicting import open_file, open_run, predict_images
from tests.run.bench import Bench, digits_bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        assert bench.run(bench.train("train-1")) == 0
        yield bench


def test_a_file_is_written_with_classes_look_and_lineage(bench: Bench, tmp_path: Path) -> None:
    found = export_network(bench.home, "train-1", "safetensors", tmp_path / "a.safetensors")
    assert (found.parity.images, found.parity.agreement, found.parity.largest) == (256, 1.0, 0.0)
    asked = open_file(found.path)
    assert asked.about == open_trained(bench.home, "train-1").about
    assert asked.about.classes == [str(digit) for digit in range(10)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    assert b"xp.lineage" in found.path.read_bytes()


def test_a_taken_name_is_kept_without_force(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_text("mine")
    with pytest.raises(DataError, match="there is a file of this name"):
        export_network(bench.home, "train-1", "safetensors", path)
    assert path.read_text() == "mine"
    export_network(bench.home, "train-1", "safetensors", path, force=True)
    assert path.stat().st_size > 1000
    with pytest.raises(DataError, match="format onnx ends in"):
        export_network(bench.home, "train-1", "onnx", tmp_path / "b.safetensors")
    with pytest.raises(DataError, match="no such folder"):
        export_network(bench.home, "train-1", "safetensors", tmp_path / "b" / "a.safetensors")


def spoil(layer: str) -> Callable[..., Written]:
    """A writer whose file has one layer's weights wrong, while what it was written from is right."""

    def write(word: str, network: nn.Module, size: int, path: Path, texts: dict[str, str]) -> Written:
        weight = network.get_parameter(f"{layer}.weight").data
        right = weight.clone()
        weight.neg_()
        written = write_form(word, network, size, path, texts)
        weight.copy_(right)
        return written

    return write


def test_a_file_that_differs_is_not_left_and_its_layer_is_named(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "write_form", spoil("head.fc"))
    with pytest.raises(JobError, match=r"does not answer as the network does: .* differs is head\.fc"):
        export_network(bench.home, "train-1", "safetensors", tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_is_not_done_is_told(bench: Bench, tmp_path: Path) -> None:
    bench.train("train-2", seed=9)
    with pytest.raises(JobError, match="train-2 is not done"):
        export_network(bench.home, "train-2", "safetensors", tmp_path / "a.safetensors")


def test_a_run_and_its_file_say_the_same_of_a_photograph(bench: Bench, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "bad.png").write_text("no image")
    Image.new("RGB", (40, 30), (200, 10, 90)).save(tmp_path / "good.png")
    path = export_network(bench.home, "train-1", "safetensors", tmp_path / "a.safetensors").path
    photographs = [tmp_path / "bad.png", tmp_path / "good.png"]
    ours = predict_images(open_run(bench.home, "train-1"), photographs, 3)
    theirs = predict_images(open_file(path), photographs, 3)
    assert ours == theirs
    assert "broken" in str(ours[0].problem)
    shares = [guess.share for guess in ours[1].guesses]
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)
    answer = CliRunner().invoke(app, ["predict", str(path), *map(str, photographs), "--top", "2"])
    assert answer.exit_code == 1
    assert answer.stdout.splitlines()[0] == str(photographs[1])
    assert len(answer.stdout.splitlines()) == 3
