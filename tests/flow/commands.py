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
    environment = {**os.environ, **CANARIES, "XP_HOME": str(home), "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "engine.cli", *map(str, words)]
    answer = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=home.parent, check=False)
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert CANARY not in answer.stderr + answer.stdout
    return answer.stdout


def ask(home: Path, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(xp(home, "sql", query, "--format", "json"))
    return rows
