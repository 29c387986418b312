"""Checkpoints are written beside the training, from a copy, one at a time, and a failed write is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.core.train import writer as writing
from engine.core.train.checkpoint import State, copy_state, load_newest
from engine.core.train.writer import CheckpointWriter


def weights_in(folder: Path) -> list[float] | None:
    found = load_newest([folder])
    return None if found is None else list(found.state["weights"].tolist())


def waiting_for(event: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        assert event.wait(10)

    return wait


def test_a_save_returns_before_the_file_is_there_and_holds_what_was_then(tmp_path: Path) -> None:
    writer, may_write, weights = CheckpointWriter(tmp_path), threading.Event(), torch.ones(3)
    writer.save({"weights": weights, "best": {"weights": weights}}, 1, waiting_for(may_write))
    weights.zero_()
    assert weights_in(tmp_path) is None
    may_write.set()
    writer.settle()
    assert weights_in(tmp_path) == [1.0, 1.0, 1.0]


def test_a_copy_shares_no_tensor_with_its_state_however_deep() -> None:
    state: State = {"a": torch.ones(2), "b": [{"c": (torch.ones(2), 3, "word")}], "d": {}}
    copied = copy_state(state)
    for tensor in (state["a"], state["b"][0]["c"][0]):
        tensor.zero_()
    assert copied["a"].tolist() == copied["b"][0]["c"][0].tolist() == [1.0, 1.0]
    assert copied["b"][0]["c"][1:] == (3, "word")


def test_the_next_save_waits_for_the_one_in_flight(tmp_path: Path) -> None:
    writer, may_write = CheckpointWriter(tmp_path), threading.Event()
    writer.save({"weights": torch.ones(1)}, 1, waiting_for(may_write))
    timer = threading.Timer(0.2, may_write.set)
    timer.start()
    writer.save({"weights": torch.zeros(1)}, 2, lambda: None)
    assert may_write.is_set()
    writer.settle()
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["000001.pt", "000002.pt"]


def test_a_failed_write_is_raised_once_and_the_checkpoint_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = CheckpointWriter(tmp_path)
    writer.save({"weights": torch.ones(1)}, 1, lambda: None)
    writer.settle()

    def fail(folder: Path, state: State, step: int, branch: Path | None) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "save_checkpoint", fail)
    writer.save({"weights": torch.zeros(1)}, 2, lambda: None)
    with pytest.raises(OSError, match="No space left"):
        writer.save({"weights": torch.zeros(1)}, 3, lambda: None)
    writer.settle()
    assert weights_in(tmp_path) == [1.0]


def test_what_goes_before_the_file_and_fails_keeps_it_from_being_written(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("the journal cannot be synced")

    writer = CheckpointWriter(tmp_path)
    writer.save({"weights": torch.ones(1)}, 1, fail)
    with pytest.raises(OSError, match="journal"):
        writer.settle()
    assert weights_in(tmp_path) is None
