"""A bench counts and times a module, and a file beside it; why something cannot be run is a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import nn

from engine.core.measure import Burst, Load, count_params
from engine.core.sensors import NoSensors
from engine.errors import JobError
from engine.run import network_bench
from engine.run.inputs import bare_network
from engine.run.network_bench import NetworkBench, Setup
from engine.spec import Student
from tests.helpers.onnx_files import write_small
from tests.run.bench import NETWORK

BATCH = Load(2, 1, "onnxruntime")


def build() -> nn.Module:
    return bare_network(Student.model_validate(NETWORK), 10, 24, None)


def refuse() -> NoReturn:
    raise AssertionError("a file needs no module")


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Callable[..., NetworkBench]:
    monkeypatch.setattr(network_bench, "prepare_device", lambda *words: torch.device("cpu"))

    def opened(build: Callable[[], nn.Module] = build, size: int = 24, **files: Path) -> NetworkBench:
        return NetworkBench(Setup("cpu:0", 1, size, "fp32", files=files), build)

    return opened


def test_a_module_is_counted_and_timed(opens: Callable[..., NetworkBench]) -> None:
    bench = opens()
    counts = bench.count()
    assert counts.device == "cpu"
    assert counts.figures["params"] == count_params(build())
    bench.warm_up(Load(1, 1))
    assert len(bench.time(Load(1, 1), 0.0).times) == 1


def test_a_file_alone_is_timed_without_a_module(opens: Callable[..., NetworkBench], tmp_path: Path) -> None:
    bench = opens(refuse, 16, onnxruntime=write_small(tmp_path / "a.onnx"))
    assert bench.refusals([BATCH]) == {}
    assert len(bench.time(BATCH, 0.0).times) == 1


def test_a_file_that_cannot_be_run_is_a_reason(opens: Callable[..., NetworkBench], tmp_path: Path) -> None:
    bench = opens(refuse, 16, onnxruntime=tmp_path / "none.onnx")
    assert bench.refusals([BATCH]) == {"onnxruntime": "there is no such file"}


def test_what_a_format_cannot_hold_is_a_reason(
    opens: Callable[..., NetworkBench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(word: str, network: nn.Module, size: int, path: Path) -> None:
        raise JobError(f"{word} has no operator for {size}")

    monkeypatch.setattr(network_bench, "write_file", write)
    files = {"onnxruntime": tmp_path / "a.onnx"}
    assert opens(**files).write(files) == {"onnxruntime": "onnxruntime has no operator for 24"}


class Counter:
    """Two joules for each look."""

    def __init__(self) -> None:
        self.looks = 0

    def joules(self) -> float:
        self.looks += 1
        return 2.0 * self.looks


def test_energy_is_that_of_a_call(opens: Callable[..., NetworkBench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_bench, "open_rapl", Counter)
    bench = opens()
    monkeypatch.setattr(bench, "time", lambda load, seconds: Burst([0.25] * 4, {}))
    spent = bench.spend(Load(8, 1))
    assert not isinstance(spent, str)
    assert (spent.calls, spent.seconds, spent.joules) == (4, 0.25, 0.5)


def test_a_machine_without_a_counter_says_so(
    opens: Callable[..., NetworkBench], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> NoReturn:
        raise NoSensors("this machine shows no counter")

    monkeypatch.setattr(network_bench, "open_rapl", silent)
    assert opens().spend(Load(1, 1)) == "this machine shows no counter"
    assert partial(opens, refuse)().spend(BATCH) == "this machine shows no counter"
