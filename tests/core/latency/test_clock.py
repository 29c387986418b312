"""A clock for pieces: any piece of a network can be called alone, and the least of its calls counts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch

from engine.core.latency import clock
from engine.core.latency.clock import Replayed, tensor_bytes, time_call, time_pieces
from engine.core.latency.pieces import TENSOR, all_pieces, record_pass, write_piece
from engine.core.network.build import build_network
from engine.spec import Student
from tests.core.latency.networks import SMALL, SPARSE

NETWORKS: dict[str, dict[str, Any]] = {
    "window": SMALL,
    "sparse": SPARSE,
    "timm": {"arch": "timm/mobilenetv3_small_050"},
}
ADD = torch.ops.aten.add.Tensor


def piece_of(rows: int) -> str:
    return write_piece(ADD, (torch.zeros(rows, 4), torch.zeros(rows, 4)), {"alpha": 2})


@pytest.mark.parametrize("name", NETWORKS)
def test_every_piece_of_a_network_runs_alone(name: str) -> None:
    network = build_network(Student.model_validate(NETWORKS[name]), 10, 32)
    for precision in ("fp32", "bf16"):
        for piece in all_pieces(record_pass(network, 32, 2, precision)):
            Replayed(piece)()


def test_a_piece_has_the_shapes_strides_and_types_that_it_had() -> None:
    seen = torch.zeros(2, 6, dtype=torch.bfloat16).t()
    args = Replayed(write_piece(ADD, (seen, torch.zeros(1).expand(6, 2)), {"alpha": 2})).args
    assert [(one.shape, one.stride(), one.dtype) for one in args] == [
        ((6, 2), (1, 6), torch.bfloat16), ((6, 2), (0, 0), torch.float32)
    ]  # fmt: skip


def test_words_beside_tensors_come_back() -> None:
    told = write_piece(torch.ops.aten.zeros.default, ([2, 3],), {"dtype": torch.int64, "device": torch.device("cpu")})
    replayed = Replayed(told)
    assert (replayed.args, replayed.named) == ([[2, 3]], {"dtype": torch.int64, "device": torch.device("cpu")})


def test_the_least_of_all_rounds_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count(10, -1)
    monkeypatch.setattr(clock, "time_call", lambda call, threads: float(next(ticks)))
    pieces = [piece_of(1), piece_of(2)]
    found = time_pieces(pieces, 1, {"whole": lambda: None}, rounds=2)
    assert sorted(found.values()) == [2.0, 3.0, 4.0]
    assert found.keys() == {*pieces, "whole"}


def test_pieces_that_do_not_fit_together_are_timed_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    alive: set[str] = set()
    made = clock.Replayed

    def make(piece: str) -> Replayed:
        alive.add(piece)
        return made(piece)

    def look(call: Callable[[], object], threads: int) -> float:
        held.append(sum(tensor_bytes(json.loads(piece)) for piece in alive))
        return 1.0

    monkeypatch.setattr(clock, "Replayed", make)
    monkeypatch.setattr(clock, "HELD_BYTES", 3000)
    monkeypatch.setattr(clock, "time_call", look)
    pieces = [piece_of(rows) for rows in (60, 61, 62)]
    assert len(time_pieces(pieces, 1, rounds=1)) == 3
    assert held[0] == 60 * 4 * 4 * 2, "the first alone"


def test_bytes_are_those_that_lie_in_memory() -> None:
    assert tensor_bytes({TENSOR: [[6, 4], [0, 1], "float32", "made"]}) == 16
    assert tensor_bytes({TENSOR: [[0, 4], [4, 1], "float32", "made"]}) == 0


def test_one_thread_is_timed_by_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine does besides lengthens the wall's seconds alone."""
    monkeypatch.setattr(time, "process_time", iter([1.0, 1.5, 1.0, 1.5]).__next__)
    monkeypatch.setattr(time, "perf_counter", iter([1.0, 3.0, 1.0, 3.0]).__next__)
    assert [time_call(lambda: None, threads) for threads in (1, 2)] == [0.5, 2.0]
