"""A checkpoint is whole or passed over, and the generators go on as if nothing had happened."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.train import checkpoint
from engine.core.train.checkpoint import capture_random, load_newest, pointed_steps, restore_random, save_checkpoint
from engine.home.files import read_json, write_json


def step_of(folder: Path) -> int | None:
    found = load_newest([folder])
    return None if found is None else found.step


def test_the_newest_is_read_back_and_two_are_kept(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save_checkpoint(tmp_path, {"weights": torch.full((3,), float(step))}, step)
    found = load_newest([tmp_path])
    assert found is not None
    assert found.step == 30
    assert torch.equal(found.state["weights"], torch.full((3,), 30.0))
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_a_damaged_newest_gives_the_one_before(tmp_path: Path) -> None:
    for step in (10, 20):
        save_checkpoint(tmp_path, {"step": step}, step)
    newest = max(tmp_path.glob("*.pt"))
    raw = bytearray(newest.read_bytes())
    raw[len(raw) // 2] ^= 1
    newest.write_bytes(bytes(raw))
    assert step_of(tmp_path) == 10
    newest.unlink()
    assert step_of(tmp_path) == 10


class Foreign:
    """Runs code of its own when a careless reader unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (13,)


@pytest.mark.parametrize("content", [pickle.dumps(Foreign(), protocol=2), b"no checkpoint at all"])
def test_a_foreign_file_under_a_pointer_of_ours_is_refused_and_the_one_before_used(
    tmp_path: Path, content: bytes
) -> None:
    for step in (10, 20):
        save_checkpoint(tmp_path, {"step": step}, step)
    newest, pointer = max(tmp_path.glob("*.pt")), read_json(tmp_path / checkpoint.POINTER)
    newest.write_bytes(content)
    write_json(tmp_path / checkpoint.POINTER, pointer | {"sha256": hashlib.sha256(content).hexdigest()})
    assert step_of(tmp_path) == 10


def test_both_damaged_gives_an_older_attempt(tmp_path: Path) -> None:
    old, new = tmp_path / "1", tmp_path / "2"
    save_checkpoint(old, {"step": 5}, 5)
    save_checkpoint(new, {"step": 6}, 6)
    for path in new.glob("*.pt"):
        path.write_bytes(b"")
    found = load_newest([new, old])
    assert found is not None
    assert (found.folder, found.step) == (old, 5)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"file": "x.pt"}'])
def test_a_pointer_that_says_nothing_counts_as_none(tmp_path: Path, text: str) -> None:
    save_checkpoint(tmp_path, {"step": 1}, 1)
    (tmp_path / checkpoint.POINTER).write_text(text)
    assert step_of(tmp_path) is None
    save_checkpoint(tmp_path, {"step": 2}, 2)
    assert step_of(tmp_path) == 2


def test_a_save_killed_at_any_call_leaves_a_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls that change the disk are made to fail one after another; what was there before stays readable."""
    real = {name: getattr(os, name) for name in ("replace", "fsync", "open")}

    class Killed(BaseException):
        pass

    def fail_at(count: int, calls: list[str]) -> None:
        for name in real:

            def call(*args: Any, _name: str = name, **named: Any) -> Any:
                calls.append(_name)
                if len(calls) == count:
                    raise Killed
                return real[_name](*args, **named)

            monkeypatch.setattr(os, name, call)

    for count in range(1, 40):
        folder = tmp_path / str(count)
        save_checkpoint(folder, {"step": 1}, 1)
        calls: list[str] = []
        fail_at(count, calls)
        try:
            save_checkpoint(folder, {"step": 2}, 2)
        except Killed:
            pass
        finally:
            monkeypatch.undo()
        assert step_of(folder) in (1, 2)
        if len(calls) < count:
            assert step_of(folder) == 2
            assert count > 6
            return
    pytest.fail("the save never came to its end")


def test_generators_go_on_where_they_were() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.standard_normal()), float(torch.rand(()))

    draw()
    state = capture_random()
    first = [draw(), draw()]
    restore_random(state)
    assert [draw(), draw()] == first


def test_what_killed_writes_left_is_cleared_and_no_name_is_given_twice(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save_checkpoint(tmp_path, {"step": step}, step)
    (tmp_path / ".000004.pt.part").write_bytes(b"half")
    (tmp_path / checkpoint.POINTER).unlink()
    save_checkpoint(tmp_path, {"step": 40}, 40)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000004.pt", checkpoint.POINTER]
    assert step_of(tmp_path) == 40


def test_a_file_that_holds_no_state_is_passed_over(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"step": 10}, 10)
    save_checkpoint(tmp_path, [1, 2], 20)  # type: ignore[arg-type]
    assert step_of(tmp_path) == 10
    assert checkpoint.pointed_steps(tmp_path) == [20, 10]


def test_the_first_folder_with_a_good_checkpoint_counts(tmp_path: Path) -> None:
    for name, step in (("2", 5), ("1", 9)):
        save_checkpoint(tmp_path / name, {"step": step}, step)
    found = load_newest([tmp_path / "3", tmp_path / "2", tmp_path / "1"])
    assert found is not None
    assert (found.folder.name, found.step, found.state) == ("2", 5, {"step": 5})
    assert load_newest([tmp_path / "3"]) is None


def test_a_branch_outlives_later_checkpoints(tmp_path: Path) -> None:
    folder, branch = tmp_path / "checkpoints", tmp_path / "branch"
    for step in range(1, 5):
        save_checkpoint(folder, {"step": step}, step, branch if step == 2 else None)
    kept = load_newest([branch])
    assert kept is not None
    assert (kept.state, kept.step) == ({"step": 2}, 2)
    assert pointed_steps(folder) == [4, 3]
    assert len(list(folder.glob("*.pt"))) == 2


def test_a_branch_that_is_kept_again_is_the_newer_one(tmp_path: Path) -> None:
    """An attempt passes its branch once; what a broken disk left there is replaced all the same."""
    folder, branch = tmp_path / "checkpoints", tmp_path / "branch"
    for step in (1, 2):
        save_checkpoint(folder, {"step": step}, step, branch)
    assert len(list(branch.glob("*.pt"))) == 1
    assert pointed_steps(branch) == [2]
