"""Event files: what torch's writer wrote, and files by the rules of the format."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.exchange.tensorboard_files import read_tensorboard
from tests.exchange.sources import MADE, START, event, tensor_event, write_events


def test_every_scalar_of_torchs_writer_comes_in() -> None:
    (run,) = read_tensorboard(MADE / "tensorboard").runs
    assert (run.group, run.id, run.status) == ("tensorboard", "trial", "SUCCESS")
    assert run.params == {"lr": 0.1, "opt": "adam", "f": 1.0}
    values = run.read_values()
    loss = values.series["loss"]
    assert loss.steps == [0, 1, 2, 1]
    assert loss.times == [START, START + 1, START + 2, START + 10]
    assert loss.values[:2] == [1.0, 0.5]
    assert math.isnan(loss.values[2])
    assert values.series["val/acc"].values == [
        0.0,
        *(struct.unpack("<f", struct.pack("<f", one))[0] for one in (0.1, 0.2)),
    ]
    assert values.left == {"tensors and texts": 1}


@pytest.mark.parametrize(
    ("dtype", "layout", "value"), [(1, "<f", 0.5), (2, "<d", 0.1), (3, "<i", -7), (9, "<q", 1 << 40)]
)
def test_tensor_of_one_number_is_a_scalar(tmp_path: Path, dtype: int, layout: str, value: float) -> None:
    write_events(tmp_path / "run", tensor_event("x", dtype, struct.pack(layout, value)))
    assert read_tensorboard(tmp_path).runs[0].read_values().series["x"].values == [value]


def test_tensor_of_several_numbers_stays_where_it_is(tmp_path: Path) -> None:
    write_events(tmp_path / "run", tensor_event("x", 1, struct.pack("<ff", 1, 2)))
    values = read_tensorboard(tmp_path).runs[0].read_values()
    assert values.series == {}
    assert values.left == {"tensors and texts": 1}


def test_each_folder_is_a_run_and_negative_steps_stay(tmp_path: Path) -> None:
    for name in ("a", "a/b", "c"):
        write_events(tmp_path / name, event("x", 1.0, -5))
    runs = read_tensorboard(tmp_path).runs
    assert [run.id for run in runs] == ["a", "a/b", "c"]
    assert runs[0].read_values().series["x"].steps == [-5]


def test_torn_last_event_is_told_and_all_before_it_comes(tmp_path: Path) -> None:
    path = write_events(tmp_path / "run", event("x", 1.0, 0), event("x", 2.0, 1))
    path.write_bytes(path.read_bytes()[:-3])
    values = read_tensorboard(tmp_path).runs[0].read_values()
    assert values.series["x"].values == [1.0]
    assert "cut off" in values.notes[0]


def test_file_that_holds_something_else_is_left_out(tmp_path: Path) -> None:
    write_events(tmp_path / "good", event("x", 1.0, 0))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "events.out.tfevents.1").write_bytes(b"no events at all, but text")
    found = read_tensorboard(tmp_path)
    assert [run.id for run in found.runs] == ["good"]
    assert "bad" in found.left_out[0]


def test_folder_without_event_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no event files"):
        read_tensorboard(tmp_path)
