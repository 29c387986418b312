"""A job without torch: what it does stands in its details.json. Preloaded by the tests instead of engine.run.

{"do": "done|crash|lack|break|exit|sleep|steps|still|cut", ...}; each commits as the real one does. `go` names
a file: a job that sleeps or holds does so until it is there: however fast the machine is, it is where the test wants
it.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from engine.home.control_files import read_details
from engine.home.files import write_json
from engine.home.paths import AttemptFolder, JobFolder
from engine.launch import Order

CANARY = "canary-7d1f"
asked: list[int] = []


def main(order: Order) -> int:
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    job = order.home.job(order.job)
    details = read_details(job)
    return DOINGS[details.get("do", "done")](job, order.folder, details)


def finish(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    write_json(attempt.result, {"job": job.job, "attempt": attempt.number, "kind": "probe", "env": seen_env()})
    job.commit(attempt)
    return 0


def seen_env() -> dict[str, str | None]:
    """What the job sees, and what others see of it: names by which tests find their canaries."""
    outside = Path("/proc/self/environ").read_bytes().decode(errors="replace")
    inside = "\n".join(os.environ.values())
    about = {"inside": str(inside.count(CANARY)), "outside": str(outside.count(CANARY))}
    return {"cuda": os.environ.get("CUDA_VISIBLE_DEVICES"), "session": str(os.getsid(0) == os.getpid()), **about}


def sleep_then_finish(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    """Sleep in small steps, until there is `go` at most; a SIGTERM ends it with 85 unless told to be deaf."""
    if details.get("child"):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    end = time.monotonic() + float(details.get("seconds", 600.0 if "go" in details else 1.0))
    while time.monotonic() < end and not may_go(details):
        if asked and not details.get("deaf"):
            return 85
        time.sleep(0.01)
    return finish(job, attempt, details)


def may_go(details: dict[str, Any]) -> bool:
    return "go" in details and Path(details["go"]).exists()


def crash(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    if attempt.number > int(details.get("times", 99)):
        return finish(job, attempt, details)
    told = [value for name, value in os.environ.items() if name.lower() == "https_proxy"]
    raise ValueError(" ".join(["the probe was told to crash", *told]))


def lack(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    """Meet a machine that has run out of something, in the first attempts."""
    if attempt.number > int(details.get("times", 99)):
        return finish(job, attempt, details)
    number = int(details["errno"])
    raise OSError(number, os.strerror(number), "somewhere")


def break_on(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    """Meet a GPU, `gpu`, that fails with `words`; end well on every other."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") != details["gpu"]:
        return finish(job, attempt, details)
    raise RuntimeError(details["words"])


def leave_with(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    print("leaving early")
    return int(details["exit"])


def step_on(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    """Count to `steps`, with a checkpoint at each; go on from the newest one of earlier attempts.

    The first `held` attempts (1 if not given) wait after their step number `hold` until they are asked to end, or `go`.
    """
    done = max((read_step(other) for other in job.attempts()), default=0)
    attempt.checkpoints.mkdir()
    for step in range(done + 1, int(details["steps"]) + 1):
        time.sleep(float(details.get("seconds", 0.02)))
        with open(attempt.journal, "a") as journal:
            journal.write(json.dumps({"type": "metric", "step": step}) + "\n")
        write_json(attempt.checkpoints / "pointer.json", {"file": "", "step": step, "sha256": ""})
        is_held = step - done == details.get("hold") and attempt.number <= int(details.get("held", 1))
        while is_held and not asked and not may_go(details):
            time.sleep(0.005)
        if asked:
            return 85
    return finish(job, attempt, details)


def read_step(attempt: AttemptFolder) -> int:
    pointer = attempt.checkpoints / "pointer.json"
    return int(json.loads(pointer.read_text())["step"]) if pointer.exists() else 0


def stand_still(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    """Beat twice and then hang, but only in the first attempt."""
    if attempt.number > 1:
        return finish(job, attempt, details)
    for step in (1, 2):
        write_json(attempt.heartbeat, {"step": step, "epoch": 0, "phase": "train"})
        time.sleep(0.05)
    time.sleep(60)
    return 0


def read_cut(job: JobFolder, attempt: AttemptFolder, details: dict[str, Any]) -> int:
    """Read a file that was mapped and has been cut short since, in the first attempt."""
    if attempt.number > 1:
        return finish(job, attempt, details)
    path = attempt.root / "weights"
    path.write_bytes(bytes(1 << 16))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        print("reads its weights", flush=True)
        os.truncate(path, 0)
        return mapped[1 << 15]


DOINGS = {
    "cut": read_cut,
    "done": finish,
    "sleep": sleep_then_finish,
    "crash": crash,
    "exit": leave_with,
    "lack": lack,
    "break": break_on,
    "steps": step_on,
    "still": stand_still,
}
