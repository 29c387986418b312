"""Questions that only torch can answer: takes a module and a question, gives the answer of a child process of its own.

Whoever plans loads no torch. The child takes some seconds for a question that was never asked; its answer is kept in
the cache. Where it cannot run there is no answer, and the job tells.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.home.files import read_object, write_atomic
from engine.home.paths import Home
from engine.spec.identity import digest_of

SECONDS = 120


def ask_child(home: Home, module: str, question: dict[str, Any]) -> Any:
    """Return what `python -m module` prints when it reads the question, both JSON; None where nobody could tell."""
    kept = home.fits
    versions = [package_version(name) for name in ("torch", "timm", "torch-pruning")]
    asked = {"module": module, "question": question, "versions": versions}
    key, known = digest_of(asked), (read_object(kept) if kept.exists() else {}) or {}
    if key not in known:
        answer = run_child(module, question)
        if answer is None:
            return None
        known = {**known, key: answer}
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, json.dumps(known, sort_keys=True))
    return known[key]


def run_child(module: str, question: dict[str, Any], seconds: float | None = SECONDS, *, speaks: bool = False) -> Any:
    """Return the answer of a new child, None where it has none after so many seconds; where it `speaks`, on stderr."""
    command, root = [sys.executable, "-P", "-m", module], Path(__file__).parents[2]
    try:
        done = subprocess.run(
            command, input=json.dumps(question), stdout=subprocess.PIPE, stderr=None if speaks else subprocess.DEVNULL,
            text=True, timeout=seconds, check=True, env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
        return json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


@cache  # a plan asks for each network of each job, and each answer reads folders
def package_version(name: str) -> str:
    """Return the version of an installed package, "" where it is not; that of the first question, as what is loaded."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
