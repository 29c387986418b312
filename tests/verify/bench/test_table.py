"""A comparison is read as a table, or as plain values; what is not known is a dash, and noise is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.analysis.speeds import ratio_of_rounds
from engine.core.measure import Load
from engine.inputs.machine import MachineState
from engine.run.rounds import Timings
from engine.verify.bench.compare import Comparison, Line
from engine.verify.bench.table import comparison_json, comparison_lines

STATE = MachineState("Xeon", 2, "performance", 0.5)
QUIET = Timings([[0.010] * 60, [0.010] * 60])
NOISY = Timings([[0.005, 0.010], [0.020, 0.030]])
LOAD = Load(1, 1, "onnxruntime")


def found(*lines: Line) -> Comparison:
    return Comparison(lines, STATE, replace(STATE, crowding=1.5))


FIRST = Line("whole", LOAD, QUIET, None)
SECOND = Line("pruned", LOAD, NOISY, ratio_of_rounds([0.1, 0.2, 0.15]))


def test_a_row_has_its_times_and_its_ratio() -> None:
    lines = list(comparison_lines(found(FIRST, SECOND)))
    assert lines[0] == "onnxruntime, batch 1, 1 thread"
    assert lines[2].split() == ["whole", "10", "10", "10", "100"]
    low, high = SECOND.ratio.edges if SECOND.ratio else (0, 0)
    assert lines[3].split() == ["pruned", "15", "-", "-", "73.03", "1.162", f"({low:.3f}", "to", f"{high:.3f})"]


def test_noise_and_what_the_machine_did_are_said() -> None:
    text = "\n".join(comparison_lines(found(FIRST, SECOND)))
    assert "Xeon, 2 cores, governor performance; 0.50 processes a core before, 1.50 after" in text
    assert "noisy: the middle half of the calls of pruned spreads over more than 5% of the median" in text
    assert "-: too few calls to tell" in text
    quiet = "\n".join(comparison_lines(found(FIRST, replace(FIRST, name="twin", ratio=SECOND.ratio))))
    assert "noisy" not in quiet
    assert "-:" not in quiet


def test_every_load_has_a_table_of_its_own() -> None:
    other = replace(FIRST, load=Load(8, 2))
    lines = list(comparison_lines(found(FIRST, SECOND, other)))
    assert "eager, batch 8, 2 threads" in lines


def test_what_does_not_fit_has_no_figures() -> None:
    empty = Timings([[], []], ooms=2)
    told = found(replace(FIRST, timings=empty))
    assert "whole  does not fit into memory" in list(comparison_lines(told))
    (network,) = comparison_json(told)["networks"]
    assert (network["fits"], network["ms_p50"], network["images_per_second"]) == (False, None, None)


def test_a_program_reads_the_same() -> None:
    told = json.loads(json.dumps(comparison_json(found(FIRST, SECOND)), allow_nan=False))
    one, two = told["networks"]
    assert (one["ratio"], one["ms_p99"], one["noisy"], one["calls"]) == (None, pytest.approx(10.0), False, 120)
    assert (two["ratio"], two["noisy"], two["rounds"]) == (pytest.approx(1.1618, rel=1e-3), True, 2)
    assert told["machine"]["after"]["crowding"] == 1.5
