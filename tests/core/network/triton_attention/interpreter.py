"""Runs a function in a process whose Triton kernels are interpreted: takes its words, gives the JSON that it returned.

A process of its own, because triton reads once, when it is imported, whether it interprets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.core.network.triton_path import HAS_TRITON

ROOT = Path(__file__).parents[4]
WHY_NOT = "" if HAS_TRITON else "triton is not there on this system"
CALL = """
import json, sys
from importlib import import_module
print(json.dumps(getattr(import_module(sys.argv[1]), sys.argv[2])(**json.loads(sys.argv[3]))))
"""


def interpret(function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a module-level function where kernels are interpreted; its arguments and answer are JSON."""
    words = [function.__module__, function.__qualname__, json.dumps(arguments)]
    mine = {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CALL, *words]
    done = subprocess.run(
        command, env=os.environ | mine, capture_output=True, text=True, timeout=1200, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
