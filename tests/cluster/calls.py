"""How often Slurm is called: each of its commands with one before it on PATH that counts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

COUNTER = '#!/bin/sh\necho x >> {folder}/{name}.calls\nexec {real} "$@"\n'


def count_calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Put the counters on PATH; return what says how often a command was called since."""
    folder.mkdir()
    for name in ("sbatch", "squeue"):
        (folder / name).write_text(COUNTER.format(folder=folder, name=name, real=shutil.which(name)))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    told = {name: folder / f"{name}.calls" for name in ("sbatch", "squeue")}
    return lambda name: len(told[name].read_text().split()) if told[name].exists() else 0
