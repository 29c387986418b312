"""What a job does to prune a share of latency: takes an attempt, gives the widths, and what they were measured to save.

Both are asked of processes of their own: this one has trained, holds threads and memory, and may run on other settings.
Pieces that were timed once are kept in the home's cache, so that all seeds of an arm have the same widths, and so has
an attempt that begins again before its first checkpoint.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from subprocess import PIPE
from typing import Any

from engine.errors import JobError
from engine.inputs.machine import cpu_model
from engine.run.attempt import Attempt
from engine.run.code import CHECKOUT
from engine.spec.job_settings import PruneSettings

SOLVER, CHECK = "engine.core.latency.child", "engine.run.latency_check"
LOOK_SECONDS = 0.2
Asker = Callable[[Attempt, str, Mapping[str, Any]], Any]


def solve_here(attempt: Attempt, image_size: int) -> dict[str, Any]:
    """Return the widths (JSON) that the settings ask for and the share that they are foretold to save.

    Times what the table of this machine lacks. Raises JobError for a share that cannot be.
    """
    told = attempt.settings(PruneSettings)
    question = {**_about(attempt, image_size), "ratio": told.prune.ratio, "may_time": True}
    answer = ask(attempt, SOLVER, {**question, "table": str(attempt.home.latencies(cpu_model()))})
    if "what" in answer:
        raise JobError(answer["what"], fix=answer["fix"])
    attempt.journal.fact("latency", {name: value for name, value in answer.items() if name != "widths"})
    return dict(answer)


def check_here(attempt: Attempt, image_size: int, widths: Any) -> dict[str, float]:
    """Return the share of latency that the widths (JSON) save, measured: the value, p5, p95 and n, which is rounds."""
    found = ask(attempt, CHECK, {**_about(attempt, image_size), "widths": widths})
    attempt.journal.fact("latency rounds", found.pop("rounds"))
    return dict(found)


def _about(attempt: Attempt, image_size: int) -> dict[str, Any]:
    told = attempt.settings(PruneSettings)
    assert told.latency is not None, "a plan names whose latency it is"
    network = told.network.model_copy(update={"weights": "none"}).model_dump(mode="json")
    about = {"network": network, "outputs": told.classes_here, "image_size": image_size}
    return {**about, "threads": told.latency.threads, "precision": told.train.precision}


def ask(attempt: Attempt, module: str, question: Mapping[str, Any]) -> Any:
    """Return what `python -m module` answers, both JSON; the attempt shows signs of life, and ends it if it is to stop.

    Raises JobError where there is no answer.
    """
    command = [sys.executable, "-P", "-m", module]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "CUDA_VISIBLE_DEVICES": ""}
    words: str | None = json.dumps({**question, "parent": os.getpid()})
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=environment) as child:
        try:
            while True:
                attempt.watch("latency", 0, 0)
                try:
                    told, _ = child.communicate(words, timeout=LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    words = None  # it has been sent
        finally:
            child.kill()
    if child.returncode:
        what = f"a process that measures ended without an answer (exit {child.returncode})"
        raise JobError(what, fix="see the log of this attempt")
    return json.loads(told)
