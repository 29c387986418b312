"""What code changes of a process is seen and undone."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.own_code.sides import State

CHANGES: dict[str, tuple[Callable[[], Any], str]] = {
    "dtype": (lambda: torch.set_default_dtype(torch.float64), "torch's default dtype"),
    "device": (lambda: torch.set_default_device("meta"), "torch's default device"),
    "threads": (lambda: torch.set_num_threads(torch.get_num_threads() + 1), "torch's number of threads"),
    "deterministic": (lambda: torch.use_deterministic_algorithms(True), "whether torch is deterministic"),
    "gradients": (lambda: torch.set_grad_enabled(False), "whether torch keeps gradients"),
    "folder": (lambda: os.chdir(Path(os.getcwd()).parent), "the working folder"),
    "signal": (lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN), "what happens at a signal"),
    "hook": (lambda: setattr(sys, "excepthook", print), "what happens at an error"),
    "variable": (lambda: os.environ.update(LAB_WORD="1"), "the variable LAB_WORD of the environment"),
    "patch": (lambda: setattr(torch.nn.functional, "relu", abs), "torch.nn.functional.relu"),
}
DRAWS: dict[str, tuple[Callable[[], Any], str]] = {
    "python": (random.random, "Python's random numbers"),
    "numpy": (lambda: np.random.random(), "NumPy's random numbers"),  # the one that is shared
    "torch": (lambda: torch.rand(1), "torch's random numbers"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_seen_and_undone(name: str) -> None:
    change, says = CHANGES[name]
    before = State()
    try:
        change()
        seen = list(before.changes(draws=True))
    finally:
        before.restore()
    assert seen == [says]
    assert list(before.changes(draws=False)) == []


@pytest.mark.parametrize("name", DRAWS)
def test_random_numbers_are_for_calls(name: str) -> None:
    draw, says = DRAWS[name]
    before = State()
    draw()
    assert list(before.changes(draws=True)) == []
    assert list(before.changes(draws=False)) == [says]
    before.restore()
    assert list(before.changes(draws=False)) == []
