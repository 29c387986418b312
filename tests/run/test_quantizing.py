"""A network in 8-bit numbers is tested as a training is, is the same bytes after a kill, and is its own export."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.core.distill.answers import ANSWERS_FILE
from engine.core.export.about import read_about
from engine.core.export.forms import open_form
from engine.errors import DataError, JobError
from engine.home.files import read_json
from engine.home.paths import JobFolder
from engine.run.exporting import export_network
from engine.run.predicting import open_file, open_run, predict_images
from engine.run.quantized_file import find_quantized
from tests.helpers.forking import strike
from tests.run.bench import DATA, NETWORK, Bench, digits_bench, visible_lines

pytest.importorskip("onnxruntime", reason="the extra `edge` is not installed")
SETTINGS = {"data": DATA, "network": NETWORK, "num_classes": 10, "seed": 0}
NEEDS = {"pack": "pack-1", "parent": "train-1"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        assert bench.run(bench.train("train-1")) == 0
        yield bench


def quantizing(bench: Bench, name: str, **quantize: Any) -> JobFolder:
    return bench.write(name, "quantize", NEEDS, {**SETTINGS, "quantize": {"images": 32, **quantize}})


def done(bench: Bench, job: JobFolder) -> JobFolder:
    if not job.result.exists():
        assert bench.run(job) == 0, (job.attempts()[-1].root / "log.txt").read_text()
    return job


def digest(job: JobFolder) -> str:
    winner = job.winner()
    assert winner is not None
    found = hashlib.sha256((winner.artifacts / "network.onnx").read_bytes()).hexdigest()
    assert found == read_json(job.result)["file_sha256"]
    return found


def figures_of(job: JobFolder) -> dict[str, float]:
    return {line["name"]: line["value"] for line in visible_lines(job) if line["type"] in ("metric", "measurement")}


def facts_of(job: JobFolder) -> dict[str, Any]:
    return {line["name"]: line["value"] for line in visible_lines(job) if line["type"] == "fact"}


def test_an_int8_network_has_the_figures_of_a_training(bench: Bench) -> None:
    job, parent = done(bench, quantizing(bench, "quantize-1")), figures_of(bench.home.job("train-1"))
    found = figures_of(job)
    assert {"test_top1", "test_loss", "val_top1", "val_loss", "params", "file_bytes", "agreement_parent"} == {*found}
    assert abs(found["test_top1"] - parent["test_top1"]) < 0.05
    assert found["agreement_parent"] > 0.9
    assert found["params"] == parent["params"]
    answered = [line for line in visible_lines(job) if line["type"] == "predictions" and line["part"] == "test"]
    right = [one == other for one, other in zip(answered[0]["label"], answered[0]["predicted"], strict=True)]
    assert found["test_top1"] == pytest.approx(sum(right) / len(right))
    winner = job.winner()
    assert winner is not None
    assert found["file_bytes"] == (winner.artifacts / "network.onnx").stat().st_size
    assert {path.name for path in winner.artifacts.iterdir()} == {"network.onnx", ANSWERS_FILE}


def test_what_stayed_float_and_where_it_comes_from_are_told(bench: Bench) -> None:
    job = done(bench, quantizing(bench, "quantize-1"))
    facts = facts_of(job)
    assert facts["quantize"]["int8"]["QLinearConv"] > 3
    assert {"LayerNormalization", "Softmax"} <= facts["quantize"]["float"].keys()
    assert facts["lineage"] == facts_of(bench.home.job("train-1"))["lineage"]
    assert {"split", "classes"} <= facts.keys()
    found = find_quantized(bench.home, "quantize-1")
    assert found is not None
    assert (found.about.precision, found.about.job, found.form) == ("int8", "quantize-1", "onnx")
    assert "xp.lineage" in open_form(found.path).texts


@pytest.mark.slow
def test_a_kill_in_the_middle_comes_to_the_same_bytes(bench: Bench) -> None:
    whole = done(bench, quantizing(bench, "quantize-1"))
    # the same job in another home, as its name stands inside
    killed = bench.home.job("quantize-1")
    killed.root.rename(bench.home.job("quantize-kept").root)
    kept = bench.home.job("quantize-kept")
    killed = quantizing(bench, "quantize-1")
    pid, attempt = bench.start_held(killed, ("calibrate",), 2)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() == -signal.SIGKILL
    assert not (attempt.artifacts / "network.onnx").exists()
    assert bench.run(killed) == 0
    assert digest(killed) == digest(kept)
    assert figures_of(killed) == figures_of(kept)
    assert whole.job == killed.job


def test_its_export_is_the_file_itself(bench: Bench, tmp_path: Path) -> None:
    job = done(bench, quantizing(bench, "quantize-1"))
    found = export_network(bench.home, job.job, "onnx", tmp_path / "a.onnx")
    assert hashlib.sha256(found.path.read_bytes()).hexdigest() == digest(job)
    assert (found.parity.agreement, found.parity.largest, found.opset) == (1.0, 0.0, 18)
    assert read_about(open_form(found.path).texts, found.path).precision == "int8"
    with pytest.raises(DataError, match="8-bit numbers, which its job made as onnx"):
        export_network(bench.home, job.job, "pt2", tmp_path / "a.pt2")
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    Image.new("RGB", (40, 30), (200, 10, 90)).save(tmp_path / "some.png")
    ours = predict_images(open_run(bench.home, job.job), [tmp_path / "some.png"], 3)
    assert ours == predict_images(open_file(found.path), [tmp_path / "some.png"], 3)


def test_a_file_that_changed_is_told(bench: Bench, tmp_path: Path) -> None:
    job = done(bench, quantizing(bench, "quantize-1"))
    winner = job.winner()
    assert winner is not None
    file = winner.artifacts / "network.onnx"
    raw = file.read_bytes()
    file.write_bytes(b"no network")
    with pytest.raises(JobError, match="missing or damaged"):
        export_network(bench.home, job.job, "onnx", tmp_path / "a.onnx")
    file.write_bytes(raw)
    quantizing(bench, "quantize-4")
    with pytest.raises(JobError, match="quantize-4 is not done"):
        open_run(bench.home, "quantize-4")
