"""Commands as a person types them, in processes of their own: takes a home and words, gives what stdout says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "tests" / "resources"


def xp(home: Path, *words: str | Path, code: int = 0) -> str:
    """Run a command on `home`, hold its exit code, return its stdout."""
    environment = {**os.environ, "XP_HOME": str(home), "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "engine.cli", *map(str, words)]
    answer = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=home.parent, check=False)
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    return answer.stdout


def ask(home: Path, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(xp(home, "sql", query, "--format", "json"))
    return rows
