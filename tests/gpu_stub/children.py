"""Runs a function in a process on the stub: takes its place and the card, gives the JSON that it returned.

A process of its own for each call, forked from one that has torch and the engine loaded: the stub has to be there
before torch is, and CUDA begins anew in each.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.gpu_stub.build import LIBRARY, build_stub

ROOT = Path(__file__).parents[2]
PROGRAM = """
import gc, json, os, sys
from importlib import import_module
import engine.run
from tests.gpu_stub.device import install_stand_ins
install_stand_ins()
engine.run.prepare()  # as a fork server does, once for all its jobs
gc.freeze()  # no child looks through what was loaded here


def answer(module, function, arguments, environment, said):
    with open(said, "w", buffering=1) as log:
        os.dup2(log.fileno(), 1), os.dup2(log.fileno(), 2)
        os.environ.update(environment)
        return getattr(import_module(module), function)(**arguments)


for line in sys.stdin:
    *order, told = json.loads(line)
    if os.fork() == 0:
        status = 1
        try:
            found = answer(*order)
            with open(told, "w") as file:
                json.dump(found, file)
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)  # torch takes CUDA down in an order that only a real runtime bears
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
os._exit(0)
"""
TOLD = 4000  # letters of what a child said, for who reads a failed test


@dataclass(frozen=True)
class Card:
    """A card as the stub plays it."""

    name: str = "NVIDIA H100 80GB HBM3"
    capability: int = 90
    memory_mb: int = 81920
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> dict[str, str]:
        """The environment's words for this card, which the stub reads when it is asked."""
        size = {"XP_STUB_CAPABILITY": str(self.capability), "XP_STUB_MEMORY_MB": str(self.memory_mb)}
        return {"XP_STUB_NAME": self.name, **size, **self.more}

    def environment(self, stub: Path) -> dict[str, str]:
        """Return the environment of a process that is to see this card from its start on."""
        return {**stub_environment(stub), **self.words}


H100 = Card()
A100 = Card("NVIDIA A100-SXM4-40GB", 80, 40960)
T4 = Card("Tesla T4", 75, 15360)


def stub_environment(stub: Path) -> dict[str, str]:
    """Return what a process needs to find the stub in the place of CUDA."""
    library = str(stub / LIBRARY)
    mine = {"XP_STUB": library, "LD_PRELOAD": library, "LD_LIBRARY_PATH": str(stub)}
    return {**mine, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@cache
def open_stage() -> subprocess.Popen[str]:
    """Return the process that forks, one for all tests of this one; it ends when its input does."""
    environment = {**os.environ, **H100.environment(build_stub())}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    stage = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    atexit.register(stage.communicate)
    return stage


def call_on(card: Card, function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a module-level function in a process on the stub; its arguments and answer are JSON."""
    stage = open_stage()
    assert stage.stdin is not None
    assert stage.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        said, told = Path(folder, "said"), Path(folder, "told")
        order = [function.__module__, function.__qualname__, arguments, dict(card.words), str(said), str(told)]
        stage.stdin.write(json.dumps(order) + "\n")
        stage.stdin.flush()
        status = stage.stdout.readline().strip()
        assert told.exists(), f"the child ended with {status}:\n{said.read_text()[-TOLD:] if said.exists() else ''}"
        return json.loads(told.read_text())
