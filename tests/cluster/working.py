"""Schedulers as processes of their own, and what they left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.home.paths import Home
from engine.launch.places import choose_executor
from store.queue import Queue
from tests.cluster.slurm_site import SlurmSite
from tests.helpers.queueing import PROBE, Probe, make_home, states, submit_probes

ROOT = Path(__file__).parents[2]
PROFILE = """\
[slurm]
cpus = 1
memory = "300M"
ask_seconds = 1.0
list_seconds = 1.0
idle = 20.0
grace = 5.0
"""


@dataclass
class Lab:
    """A home on a site, with a scheduler that is started and killed by the test."""

    site: SlurmSite
    home: Home
    preload: str = PROBE
    schedulers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def submit(self, probes: list[Probe], name: str = "one") -> None:
        submit_probes(self.home, name, probes)

    def start(self) -> subprocess.Popen[bytes]:
        words = ["--home", str(self.home.root), "--until-idle", "--preload", self.preload, "--no-collect"]
        with open(self.home.root / "scheduler.log", "ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "engine.schedule.worker", *words],
                cwd=ROOT,
                env=self.site.environment,
                stderr=log,
            )
        self.schedulers.append(worker)
        return worker

    def finish(self, seconds: float = 180.0) -> None:
        """Wait until the scheduler has nothing more to do."""
        assert self.schedulers[-1].wait(seconds) == 0, self.log()

    def log(self) -> str:
        return (self.home.root / "scheduler.log").read_text()

    def until(self, holds: Callable[[], object], what: str, seconds: float = 90.0) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"{what} never came; {self.site.call('squeue')}\n{self.log()[-3000:]}"
            time.sleep(0.02)

    def outcomes(self, job: str) -> list[str | None]:
        with Queue.open_readonly(self.home.queue_db) as queue:
            return [row.outcome for row in queue.attempt_rows([job])]

    def slots(self, job: str) -> list[str]:
        with Queue.open_readonly(self.home.queue_db) as queue:
            return [row.slot for row in queue.attempt_rows([job])]

    def is_done(self, *jobs: str) -> bool:
        now = states(self.home)
        return all(now[job] == "done" for job in jobs)

    def wait_running(self, job: str, attempt: int = 1) -> int:
        """Wait until an attempt has its process, and return its pid."""
        handle = self.home.job(job).attempt(attempt).handle
        self.until(handle.exists, f"attempt {attempt} of {job}")
        return int(json.loads(handle.read_text())["pid"])

    def pilots(self) -> dict[str, int]:
        """Return the process of each pilot that has opened, by name."""
        found: dict[str, int] = {}
        for path in self.home.pilots_root.glob("*/told.jsonl"):
            told = [json.loads(line) for line in path.read_text().splitlines()]
            opened = next((line for line in told if line["told"] == "opened"), None)
            if opened is not None:
                found[path.parent.name] = opened["pid"]
        return found

    def numbers(self) -> list[str]:
        """Return Slurm's ids of what it has of ours."""
        return self.site.call("squeue", "--noheader", "--array", "--format=%i").split()

    def close(self) -> None:
        for worker in self.schedulers:
            worker.kill()
            worker.wait()


def make_lab(site: SlurmSite, folder: Path, executor: str = "slurm", profile: str = PROFILE) -> Lab:
    home = make_home(folder)
    (home.root / "xp.toml").write_text(profile)
    choose_executor(home, executor)
    return Lab(site, home)
