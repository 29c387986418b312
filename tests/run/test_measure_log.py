"""What is written of a load: shown and apart by name, one that does not fit as a figure, energy by the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.core.measure import Burst, Load
from engine.core.replay import Spent
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
