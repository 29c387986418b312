"""What is written of a load: shown and apart by name, one that does not fit as a figure, energy by the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.core.measure import Burst, Load
from engine.core.replay import Spent
from engine.core.runtimes.alone import Alone
from engine.core.sensors import Reading
from engine.run.measure_log import MeasureLog
from engine.run.rounds import Timings
from store.journal import read_journal
from tests.run.test_measuring import make_job


def timings(*rounds: list[float]) -> Timings:
    made = Timings()
    for times in rounds:
        if times:
            made.add([Burst(times, {})])
        else:
            made.run_out()
    return made


@pytest.fixture
def log(tmp_path: Path) -> MeasureLog:
    attempt = make_job(tmp_path)
    return MeasureLog(attempt, "H100")


@pytest.fixture
def told(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    def read() -> dict[str, Any]:
        lines = [line for path in tmp_path.rglob("journal.jsonl") for line in read_journal(path)[0]]
        return {line["name"]: line for line in lines if line["type"] == "measurement"}

    return read


def test_what_is_shown_has_no_suffix_and_the_others_have_theirs(
    log: MeasureLog, told: Callable[[], dict[str, Any]]
) -> None:
    log.add_load(Load(8, 1, "graph"), timings([0.5], [0.5]), timings([1.0], [1.0]), is_apart=False)
    log.add_load(Load(8, 1, "eager"), timings([1.0], [1.0]), None, is_apart=True)
    log.add_load(Load(8, 1, "compiled"), timings([0.25], [0.25]), None, is_apart=True)
    found = told()
    ends = {"": 500.0, "_eager": 1000.0, "_compiled": 250.0}
    assert {end: found[f"infer_latency{end}"]["value"] for end in ends} == pytest.approx(ends)
    assert found["infer_speedup"]["value"] == pytest.approx(2.0)
    assert "infer_speedup_eager" not in found
    assert [entry.get("apart") for entry in log.rounds] == [None, "eager", "compiled"]


def test_a_batch_that_does_not_fit_is_a_figure_of_its_own(log: MeasureLog, told: Callable[[], dict[str, Any]]) -> None:
    log.add_load(Load(8, 1), timings([], []), timings([1.0], [1.0]), is_apart=False)
    assert {name: (line["batch_size"], line["n"]) for name, line in told().items()} == {"infer_oom": (8, 2)}
    with pytest.raises(MemoryError, match="not even batch size 1"):
        log.add_load(Load(1, 1), timings([], []), None, is_apart=False)


def test_a_ratio_is_of_rounds_in_which_both_fit(log: MeasureLog, told: Callable[[], dict[str, Any]]) -> None:
    log.add_load(Load(8, 1), timings([], [0.5], [0.5]), timings([9.0], [1.0], [2.0]), is_apart=False)
    assert (told()["infer_speedup"]["n"], told()["infer_speedup"]["value"]) == (2, pytest.approx(8**0.5))
    log.add_load(Load(8, 2), timings([0.5], [0.5], [0.5]), timings([], [], []), is_apart=False)
    assert log.rounds[-1]["base"] is None


def test_energy_is_of_one_image(log: MeasureLog, told: Callable[[], dict[str, Any]]) -> None:
    for joules in (8.0, 16.0, None):
        log.add_spent(Load(8, 1), Spent(10, 0.1, Reading(power=300.0, slowed_by=("heat",)), joules))
    log.add_load(Load(8, 1), timings([0.5], [0.5]), None, is_apart=False)
    found = told()
    assert (found["infer_energy"]["value"], found["infer_energy"]["n"]) == (1.5, 2)
    assert (found["infer_power"]["value"], found["infer_power"]["unit"]) == (300.0, "W")
    assert "infer_sm_clock" not in found, "what no card told has no figure"


def test_the_slowest_calls_are_told_of_those_that_were_timed_one_by_one(
    log: MeasureLog, told: Callable[[], dict[str, Any]]
) -> None:
    calls = [0.001 * value for value in range(1, 101)]
    log.add_load(Load(1, 1), timings(calls), None, is_apart=False)
    log.add_load(Load(1, 1, "onnxruntime"), timings(calls[:50]), None, is_apart=True)
    log.add_load(Load(1, 1, "compiled"), timings(calls), None, is_apart=True)
    found = {name: line["value"] for name, line in told().items() if "_p9" in name}
    p95 = pytest.approx(95.05)
    assert found == {
        "infer_latency_p95": p95, "infer_latency_p99": pytest.approx(99.01),
        "infer_latency_p95_onnxruntime": pytest.approx(47.55),
    }  # fmt: skip


def test_a_runtime_is_on_the_cpu_whatever_the_job_has(log: MeasureLog, told: Callable[[], dict[str, Any]]) -> None:
    log.add_load(Load(8, 1, "onnxruntime"), timings([0.5]), timings([1.0]), is_apart=True)
    found = told()
    assert {line["device"] for line in found.values()} == {"cpu"}
    assert {line["precision"] for line in found.values()} == {"fp32"}
    assert found["infer_speedup_onnxruntime"]["value"] == pytest.approx(2.0)
    assert (log.rounds[0]["apart"], log.rounds[0]["device"]) == ("onnxruntime", "cpu")


def test_a_process_alone_gives_size_seconds_and_peak(
    log: MeasureLog, told: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    ran = {"CPU": {"Conv": 2}}
    log.add_alone("onnxruntime", 700, [Alone(1.0, 50), Alone(4.0, 70)], ran)
    found = {name: (line["value"], line["unit"], line["n"]) for name, line in told().items()}
    assert found == {
        "file_bytes_onnxruntime": (700, "bytes", 1), "load_seconds_onnxruntime": (pytest.approx(2.0), "s", 2),
        "run_peak_rss_onnxruntime": (70, "bytes", 2),
    }  # fmt: skip
    lines = [line for path in tmp_path.rglob("journal.jsonl") for line in read_journal(path)[0]]
    assert [line["value"] for line in lines if line.get("name") == "operators onnxruntime"] == [ran]
    log.add_alone("onnxruntime", 700, [Alone(1.0, None)], ran)  # a system that tells no peaks
    assert told()["run_peak_rss_onnxruntime"]["n"] == 2


def test_energy_has_the_name_of_its_runtime(log: MeasureLog, told: Callable[[], dict[str, Any]]) -> None:
    for load, is_apart in ((Load(4, 1), False), (Load(4, 1, "onnxruntime"), True)):
        log.add_spent(load, Spent(1, 1.0, Reading(), 8.0 if is_apart else 4.0))
        log.add_load(load, timings([0.5]), None, is_apart=is_apart)
    found = told()
    assert (found["infer_energy"]["value"], found["infer_energy_onnxruntime"]["value"]) == (1.0, 2.0)


def test_a_restless_network_is_said_to_be_noisy(log: MeasureLog) -> None:
    log.add_load(Load(1, 1), timings([1.0, 1.0, 1.0]), timings([1.0, 2.0, 3.0]), is_apart=False)
    assert [(one["network"], one["mode"]) for one in log.noisy] == [("base", "eager")]
