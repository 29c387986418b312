"""`python -m engine.run`: how a person's words are taken. That it trains is held by test_training.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import run
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Order
from engine.launch.attempt_process import log_alone, log_too
from engine.run import __main__ as door


@pytest.mark.parametrize("options", [(), ("--log",)])
def test_a_mistake_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str]) -> None:
    assert door.main([*options, str(tmp_path / "jobs" / "train-1")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error: {tmp_path}/jobs/train-1: there is no such job here\nfix: ")


def test_an_attempt_that_another_takes_meanwhile_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Order(Home(tmp_path, tmp_path / "cache"), "train-1", 1)
    order.folder.root.mkdir(parents=True)
    monkeypatch.setattr(door, "order_by_hand", lambda folder, environment: order)
    assert door.main([str(order.folder.root)]) == 75
    assert "this attempt was begun already" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "streams"), [((), log_too), (("--log",), log_alone)])
def test_the_log_is_a_copy_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], streams: Callable[[Path], None]
) -> None:
    job, calls = Home(tmp_path, tmp_path / "cache").job("train-1"), list[Any]()
    job.root.mkdir(parents=True)
    write_json(job.spec, {})

    def run_attempt(order: Order, program: object, take_streams: Callable[[Path], None]) -> int:
        calls.append((order.attempt, program, take_streams))
        return 86

    monkeypatch.setattr(door, "run_attempt", run_attempt)
    assert door.main([*options, str(job.root)]) == 86
    assert calls == [(1, run.main, streams)]
