"""What Triton's interpreter found: the kernels run on the CPU in one child, since Triton decides at its import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.core.data.kernels.compared import MARK
from tests.helpers.once import once

HAS_TRITON = find_spec("triton") is not None
collect_ignore = [] if HAS_TRITON else ["test_batch.py"]  # it compiles


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    """Return, by what was compared, whether the kernels gave the bytes of the host."""
    if not HAS_TRITON:
        pytest.skip("no Triton here")
    found: dict[str, bool] = once(tmp_path_factory, "compared", _compare)
    return found


def _compare() -> dict[str, bool]:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-m", "tests.core.data.kernels.compared"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    assert told, f"{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    found: dict[str, bool] = json.loads(told[-1].removeprefix(MARK))
    return found
