"""Commands as a person types them, in processes of their own: takes a home and words, gives what stdout says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.helpers.commanding import run_command

Run = Callable[[Sequence[str], Path, Mapping[str, str]], subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "tests" / "resources"


CANARY = "canary-51c8"
SECRET_NAMES = (
    "HF_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "WANDB_API_KEY",
    "GITHUB_TOKEN",
    "DB_PASSWORD",
)
PROXY_NAMES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
CANARIES = {
    **dict.fromkeys(SECRET_NAMES, CANARY),
    **dict.fromkeys(PROXY_NAMES, f"http://me:{CANARY}@localhost:9"),
    "LAB_HOOK": f"https://localhost:9/hook?token={CANARY}",
}


def xp(home: Path, *words: str | Path, code: int = 0) -> str:
    """Run a command on `home`, hold its exit code, return its stdout. Its environment is full of secrets."""
    return _held(_start_python, home, words, code)


def ask(home: Path, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(forked(home, "sql", query, "--format", "json"))
    return rows


def forked(home: Path, *words: str | Path, code: int = 0) -> str:
    """Do what `xp` does in a process that need not load what others have loaded."""
    return _held(run_command, home, words, code)


def _start_python(words: Sequence[str], folder: Path, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "engine.cli", *words]
    return subprocess.run(line, capture_output=True, text=True, env=dict(given), cwd=folder, check=False)


def _held(run: Run, home: Path, words: Sequence[str | Path], code: int) -> str:
    environment = {**os.environ, **CANARIES, "XP_HOME": str(home), "PYTHONPATH": str(ROOT)}
    answer = run(list(map(str, words)), home.parent, environment)
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert CANARY not in answer.stderr + answer.stdout
    return answer.stdout
