"""Templates that others wrote, filled in where they can do no harm: takes a job of JSON, gives the text or the mistake.

It runs as a program in a process of its own (`fill` starts it), which has no file open and can open none, has bounded
time and memory, holds nothing but plain values, and fills in by Jinja's sandbox. So a template reads no file and runs
no code, were the sandbox left too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 20  # of the processor, for one template
WAIT = 120.0  # seconds of the clock, on a machine that has much else to do
MEMORY = 1 << 30  # bytes of address space beside what the process has at its start
MOST_TEXT = 20_000_000  # letters of one page
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Filled:
    """The text of a page; or what is wrong with its template, in which of them and where, and what to do."""

    text: str = ""
    problem: str = ""
    template: str = ""
    line: int = 0
    fix: str = ""


def fill(templates: Mapping[str, str], name: str, form: str, context: Mapping[str, Any]) -> Filled:
    """Return what comes of one of the templates (texts by name) in a form (md, html, tex) with plain values."""
    bounds = {"seconds": SECONDS, "memory": MEMORY, "most": MOST_TEXT}
    job = json.dumps({"templates": dict(templates), "name": name, "form": form, "context": dict(context), **bounds})
    environment = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {key: os.environ[key] for key in ("LD_LIBRARY_PATH", "SYSTEMROOT") if key in os.environ}
    command = [sys.executable, "-P", str(Path(__file__).with_name("sandbox_child.py"))]
    try:
        ended = subprocess.run(
            command, input=job.encode(), capture_output=True, timeout=WAIT, check=False, env=environment, cwd="/"
        )
    except subprocess.TimeoutExpired:
        return _too_much(name)
    if ended.returncode != 0:
        return _too_much(name)
    return Filled(**json.loads(ended.stdout))


def _too_much(name: str) -> Filled:
    what = f"the template needs more than {SECONDS} s of the processor or {MEMORY >> 20} MB, and was stopped"
    return Filled(problem=what, template=name, fix="loop over less")
