"""A measure job logs what its benches say, of its own network and of its ratio to the baseline's."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
import torch

from engine.core.algorithm_macs import count_algorithm_macs
from engine.core.measure import Burst, count_macs, count_params
from engine.core.network.tiny_vit import TinyViT
from engine.core.train.loop import Stopped
from engine.home.files import read_json
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
from tests.run.bench import NETWORK, open_bench, write_spec
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

    def __init__(self, make: Callable[[], NetworkBench], look_up: Callable[[], None]) -> None:
        self.bench, self.look_up = make(), look_up

    def ask(self, method: str, *words: Any) -> Any:
        self.look_up()
        if method == "count":
            return self.bench.count()
        if method == "spend":
            return "no counter"
        network = self.bench.network
        assert isinstance(network, TinyViT)
        width = network.shape.sizes.dims[0] // 8
        if method == "warm_up":
            self.opened.append("wide" if width == 2 else "own")
            return None
        load, _ = words
        slower = 1 + 0.1 * ((len(self.opened) - 1) // (4 * len(set(self.opened))))
        return Burst([1e-3 * load.batch_size * width * slower], {"cuda_peak_allocated": 7 * load.batch_size})

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
