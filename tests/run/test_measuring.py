"""A measure job logs what its benches say, of its own network and of its ratio to the baseline's."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
import torch

from engine.core.algorithm_macs import count_algorithm_macs
from engine.core.measure import Burst, count_macs, count_params
from engine.core.network.tiny_vit import TinyViT
from engine.core.runtimes.alone import Alone, Task
from engine.core.train.loop import Stopped
from engine.errors import JobError
from engine.home.files import read_json, write_json
from engine.launch.exits import Exit
from engine.launch.process import see_process
from engine.run import measuring, network_bench
from engine.run.attempt import Attempt
from engine.run.inputs import bare_network
from engine.run.network_bench import NetworkBench
from engine.spec import Student
from store.journal import read_journal
from tests.helpers.forking import strike
from tests.helpers.queueing import until
from tests.run.bench import NETWORK, TRAIN_JOB, open_bench, write_spec
from tests.run.test_memory import make_attempt

MEASURE = {"batch_sizes": [1, 8], "threads": [1, 2], "seconds": 0.5, "rounds": 3}
SETTINGS: dict[str, Any] = {"network": NETWORK, "num_classes": 10, "image_size": 24, "precision": "bf16"}
WIDE = {**NETWORK, "dims": [16, 16, 32, 32]}


def make_job(folder: Path, **settings: Any) -> Attempt:
    attempt = make_attempt(folder, 0, "auto")
    write_spec(attempt.job, "measure", {}, {**SETTINGS, "measure": MEASURE, **settings})
    return Attempt(attempt.order)


def lines_of(attempt: Attempt, name: str) -> list[dict[str, Any]]:
    return [line for line in read_journal(attempt.folder.journal)[0] if line.get("name") == name]


class InProcess:
    """Counts for real, here; a call takes 1 ms for each image, twice that for a wide network, a tenth more a round."""

    opened: list[str]
    refuses: ClassVar[dict[str, str]] = {}

    def __init__(self, make: Callable[[], NetworkBench], look_up: Callable[[], None]) -> None:
        self.bench, self.look_up = make(), look_up

    def ask(self, method: str, *words: Any) -> Any:
        self.look_up()
        if method == "count":
            return self.bench.count()
        if method == "spend":
            return "no counter"
        if method in ("refusals", "write"):
            return self.tried(method, words[0])
        network = self.bench.network
        assert isinstance(network, TinyViT)
        width = network.shape.sizes.dims[0] // 8
        if method == "warm_up":
            self.opened.append("wide" if width == 2 else "own")
            return None
        load, _ = words
        slower = 1 + 0.1 * ((len(self.opened) - 1) // (4 * len(set(self.opened))))
        return Burst([1e-3 * load.batch_size * width * slower], {"cuda_peak_allocated": 7 * load.batch_size})

    def tried(self, method: str, asked: Any) -> dict[str, str]:
        """Say why what is asked cannot be; files are written, a byte for each channel of the first layer."""
        for path in asked.values() if method == "write" else ():
            network = self.bench.network
            assert isinstance(network, TinyViT)
            path.write_bytes(b"x" * network.shape.sizes.dims[0])
        words = asked if method == "write" else [load.mode for load in asked]
        return {word: why for word, why in self.refuses.items() if word in words}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put benches in this process, whose time is known, in the place of real ones; give who was warmed up."""
    InProcess.opened = []
    monkeypatch.setattr(measuring, "BenchProcess", InProcess)
    monkeypatch.setattr(
        network_bench, "prepare_device", lambda slot, threads, deterministic, precision: torch.device("cpu")
    )
    monkeypatch.setattr(measuring, "write_origin", lambda *args: None)
    return InProcess.opened


def test_every_load_is_logged_with_its_rounds(tmp_path: Path, opened: list[str]) -> None:
    attempt = make_job(tmp_path)
    measuring.run_measure(attempt)
    rates = lines_of(attempt, "infer_images_per_second")
    assert [(line["batch_size"], line["threads"]) for line in rates] == [(1, 1), (8, 1), (1, 2), (8, 2)]
    expected = 1000 / (1.0 * 1.1 * 1.2) ** (1 / 3)
    assert [line["value"] for line in rates] == pytest.approx([expected] * 4)
    assert {(line["unit"], line["n"], line["precision"], line["device"]) for line in rates} == {
        ("images/s", 3, "bf16", "cpu")
    }
    waits = lines_of(attempt, "infer_latency")
    assert [line["value"] for line in waits] == pytest.approx([1000 * b / expected for b in (1, 8, 1, 8)])
    peaks = lines_of(attempt, "infer_cuda_peak_allocated")
    assert [(line["value"], line["unit"]) for line in peaks] == [(b * 7, "bytes") for b in (1, 8, 1, 8)]
    figures = read_json(attempt.job.result)["figures"]
    assert figures["infer_images_per_second_8_2"] == pytest.approx(expected)
    assert opened == ["own"] * 12


def test_sizes_are_counted_and_logged_once(tmp_path: Path, opened: list[str]) -> None:
    attempt = make_job(tmp_path)
    measuring.run_measure(attempt)
    network = bare_network(Student.model_validate(NETWORK), 10, 24, None)
    counts = {"params": count_params(network), "macs": count_macs(network, 24)}
    counts["macs_algorithm"] = count_algorithm_macs(network, 24)
    figures = read_json(attempt.job.result)["figures"]
    for name, value in counts.items():
        assert [(line["value"], line["n"], line["unit"]) for line in lines_of(attempt, name)] == [(value, 1, "1")]
        assert figures[name] == value


def test_a_network_alone_has_no_speed_up(tmp_path: Path, opened: list[str]) -> None:
    attempt = make_job(tmp_path)
    measuring.run_measure(attempt)
    assert lines_of(attempt, "infer_speedup") == []
    (fact,) = lines_of(attempt, "rounds")
    assert [load["base"] for load in fact["value"]] == [None] * 4
    assert fact["value"][0]["own"] == pytest.approx([1000.0, 1000 / 1.1, 1000 / 1.2])


def test_beside_the_baseline_the_ratio_of_each_round_is_kept(tmp_path: Path, opened: list[str]) -> None:
    attempt = make_job(tmp_path, against=WIDE)
    measuring.run_measure(attempt)
    ratios = lines_of(attempt, "infer_speedup")
    assert [line["value"] for line in ratios] == pytest.approx([2.0] * 4)
    assert {(line["n"], line["unit"]) for line in ratios} == {(3, "1")}
    assert opened == ["own", "wide"] * 12
    (fact,) = lines_of(attempt, "rounds")
    assert [(load["batch_size"], load["threads"]) for load in fact["value"]] == [(1, 1), (8, 1), (1, 2), (8, 2)]
    assert fact["value"][0]["base"] == pytest.approx([500.0, 500 / 1.1, 500 / 1.2])
    assert fact["value"][3]["own"] == pytest.approx(fact["value"][0]["own"])
    assert {(load["device"], load["precision"]) for load in fact["value"]} == {("cpu", "bf16")}


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Put a process that only runs a file in this one, which tells the file's size; give what was asked of it."""
    asked: list[Task] = []

    def run(task: Task, look_up: Callable[[], None], *, operators: bool = False) -> Alone:
        asked.append(task)
        ran = {"CPU": {"Conv": 3}} if operators else {}
        return Alone(0.5, 1000 * task.path.stat().st_size, ran)

    monkeypatch.setattr(measuring, "run_alone", run)
    return asked


IN_RUNTIME = {**MEASURE, "runtimes": ["onnxruntime"]}


def test_files_are_measured_in_turn_with_the_baseline_file(
    tmp_path: Path, opened: list[str], alone: list[Task]
) -> None:
    attempt = make_job(tmp_path, against=WIDE, measure=IN_RUNTIME)
    measuring.run_measure(attempt)
    ratios = lines_of(attempt, "infer_speedup_onnxruntime")
    assert [(line["batch_size"], line["threads"]) for line in ratios] == [(1, 1), (8, 1), (1, 2), (8, 2)]
    assert [line["value"] for line in ratios] == pytest.approx([2.0] * 4)
    assert {(line["device"], line["precision"]) for line in ratios} == {("cpu", "fp32")}
    assert len(lines_of(attempt, "infer_latency")) == 4
    figures = {name: lines_of(attempt, f"{name}_onnxruntime")[0]["value"] for name in ("file_bytes", "run_peak_rss")}
    assert figures == {"file_bytes": 8, "run_peak_rss": 8000}
    assert [(task.batch_size, task.threads, task.image_size) for task in alone] == [(1, 1, 24)] * 4
    (operators,) = lines_of(attempt, "operators onnxruntime")
    assert operators["value"] == {"CPU": {"Conv": 3}}
    assert not alone[0].path.exists(), "files are for the measurement alone"


def test_a_network_that_a_runtime_refuses_is_measured_without_it(
    tmp_path: Path, opened: list[str], alone: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InProcess, "refuses", {"onnxruntime": "ONNX has no operator for aten.x"})
    attempt = make_job(tmp_path, measure=IN_RUNTIME)
    measuring.run_measure(attempt)
    assert lines_of(attempt, "infer_latency_onnxruntime") == []
    assert len(lines_of(attempt, "infer_latency")) == 4
    (modes,) = lines_of(attempt, "modes")
    assert modes["value"]["refused"] == {"onnxruntime": "ONNX has no operator for aten.x"}
    assert alone == []


@pytest.fixture
def quantised(tmp_path: Path) -> Attempt:
    """A measure job whose parent made a file of what its own parent trained."""
    attempt = make_job(tmp_path / "a", against=WIDE)
    for job, needs, file in (("train-2", {}, "weights.safetensors"), ("made-1", {"parent": "train-2"}, "network.onnx")):
        folder = attempt.home.job(job)
        winner = folder.attempt(1)
        winner.artifacts.mkdir(parents=True)
        (winner.artifacts / file).write_bytes(b"xyz")
        write_spec(folder, "train", {"pack": "pack-1", **needs}, TRAIN_JOB)
        write_json(winner.result, {"job": job, "attempt": 1, "seconds": 1.0, "figures": {}})
        assert folder.commit(winner)
    write_spec(attempt.job, "measure", {"parent": "made-1"}, {**SETTINGS, "measure": MEASURE, "against": WIDE})
    return Attempt(attempt.order)


def test_a_network_that_is_a_file_is_measured_in_a_runtime_alone(
    quantised: Attempt, opened: list[str], alone: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def load(home: Any, job: Any) -> Any:
        trained.append(job.job)
        return bare_network(Student.model_validate(NETWORK), 10, 24, None)

    monkeypatch.setattr(measuring, "load_trained", load)
    measuring.run_measure(quantised)
    assert set(trained) == {"train-2"}, "sizes are counted on what the file was made from"
    assert lines_of(quantised, "infer_latency") == []
    assert len(lines_of(quantised, "infer_latency_onnxruntime")) == 4
    assert lines_of(quantised, "infer_speedup_onnxruntime")[0]["value"] == pytest.approx(2.0)
    assert lines_of(quantised, "file_bytes_onnxruntime")[0]["value"] == 3
    assert alone[0].path.name == "network.onnx"


def test_a_file_that_no_runtime_opens_is_an_error_of_the_job(
    quantised: Attempt, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = bare_network(Student.model_validate(NETWORK), 10, 24, None)
    monkeypatch.setattr(measuring, "load_trained", lambda home, job: network)
    monkeypatch.setattr(InProcess, "refuses", {"onnxruntime": "it is damaged"})
    with pytest.raises(JobError, match="the network is a file, and cannot be run: it is damaged"):
        measuring.run_measure(quantised)


def test_the_machine_is_told_with_what_was_noisy(tmp_path: Path, opened: list[str]) -> None:
    attempt = make_job(tmp_path)
    measuring.run_measure(attempt)
    (machine,) = lines_of(attempt, "machine")
    assert machine["value"]["before"].keys() == {"cpu", "cores", "governor", "crowding"}
    # Rounds of 1, 1.1 and 1.2 ms spread by more than a twentieth.
    assert [one["spread"] > 0.05 for one in machine["value"]["noisy"]] == [True] * 4
    (sensors,) = lines_of(attempt, "sensors")
    assert sensors["value"] == {"silent": "no counter"}


def test_a_job_that_is_asked_to_stop_measures_no_further(tmp_path: Path, opened: list[str]) -> None:
    attempt = make_job(tmp_path)
    attempt._stop = True
    with pytest.raises(Stopped):
        measuring.run_measure(attempt)
    assert not attempt.job.result.exists()
    assert opened == []


def test_a_measurement_that_is_asked_to_stop_leaves_no_process(tmp_path: Path) -> None:
    with open_bench(tmp_path) as bench:
        settings = {**SETTINGS, "measure": {**MEASURE, "seconds": 600.0}, "against": WIDE}
        job = bench.write("measure-1", "measure", {}, settings)
        pid, attempt = bench.start(job)
        until(lambda: len(children_of(pid)) == 2 and attempt.provenance.exists(), seconds=120.0)
        timing = children_of(pid)
        strike(pid, signal.SIGTERM)
        assert bench.server.wait() == Exit.STOPPED
    assert [child for child in timing if (seen := see_process(child)) is not None and seen.is_alive] == []
    assert not job.result.exists()


def children_of(pid: int) -> list[int]:
    """Return the processes that this one has started, by the kernel's list."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
