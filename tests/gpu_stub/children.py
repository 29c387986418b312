"""Runs a function in a process on the stub: takes its place and the card, gives the JSON that it returned.

A process of its own, because the stub has to be loaded before torch is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gpu_stub.build import LIBRARY, build_stub

ROOT = Path(__file__).parents[2]
MARK = "the stub says: "
CALL = """
import json, os, sys
from importlib import import_module
from tests.gpu_stub.device import install_stand_ins
install_stand_ins()
found = getattr(import_module(sys.argv[1]), sys.argv[2])(**json.loads(sys.argv[3]))
sys.stdout.write("\\n" + {mark!r} + json.dumps(found) + "\\n")
sys.stdout.flush()
os._exit(0)  # torch takes CUDA down in an order that only a real runtime bears
"""


@dataclass(frozen=True)
class Card:
    """A card as the stub plays it."""

    name: str = "NVIDIA H100 80GB HBM3"
    capability: int = 90
    memory_mb: int = 81920
    more: Mapping[str, str] = field(default_factory=dict)

    def environment(self, stub: Path) -> dict[str, str]:
        """Return the environment of a process that is to see this card."""
        library = str(stub / LIBRARY)
        mine = {"XP_STUB": library, "LD_PRELOAD": library, "LD_LIBRARY_PATH": str(stub), "XP_STUB_NAME": self.name}
        size = {"XP_STUB_CAPABILITY": str(self.capability), "XP_STUB_MEMORY_MB": str(self.memory_mb)}
        return {**mine, **size, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **self.more}


H100 = Card()
A100 = Card("NVIDIA A100-SXM4-40GB", 80, 40960)
T4 = Card("Tesla T4", 75, 15360)


def call_on(card: Card, function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a module-level function in a process on the stub; its arguments and answer are JSON."""
    words = [function.__module__, function.__qualname__, json.dumps(arguments)]
    command = [sys.executable, "-c", CALL.format(mark=MARK), *words]
    environment = {**os.environ, **card.environment(build_stub())}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    assert told, f"the child told nothing:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(told[-1].removeprefix(MARK))
