"""Schedulers as processes of their own, the jobs that they are given, and what they left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.home.files import read_object
from engine.home.paths import Home
from engine.launch.pilots.fleet import pilot_of
from engine.launch.pilots.folder import home_tag
from engine.launch.places import choose_executor
from engine.launch.process import see_process
from store.queue import Queue
from tests.cluster.ray_site import FAR, RaySite
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


HELD = 3


class Site(Protocol):
    """A cluster that runs: `environment` is what its commands find it by."""

    @property
    def environment(self) -> dict[str, str]: ...

    def describe(self) -> str:
        """Return what it says of its jobs, for a test that fails."""
        ...


def ray_profile(**words: str) -> str:
    """Return the [ray] of a home: as Slurm's above, but for these words, each as TOML has it."""
    usual = dict(line.split(" = ") for line in PROFILE.splitlines()[1:])
    return "\n".join(["[ray]", *(f"{name} = {value}" for name, value in {**usual, **words}.items()), ""])


@dataclass
class Lab:
    """A home on a site, with a scheduler that is started and killed by the test."""

    site: Site
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
        self.until(lambda: self.schedulers[-1].poll() is not None, "the scheduler's end", seconds)
        assert self.schedulers[-1].returncode == 0, self.log()

    def log(self) -> str:
        return (self.home.root / "scheduler.log").read_text()

    def until(self, holds: Callable[[], object], what: str, seconds: float = 90.0) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"{what} never came; {self.site.describe()}\n{self.log()[-3000:]}"
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

    def close(self) -> None:
        for worker in self.schedulers:
            worker.kill()
            worker.wait()


@dataclass
class SlurmLab(Lab):
    site: SlurmSite

    def numbers(self) -> list[str]:
        """Return Slurm's ids of what it has of ours."""
        return self.site.call("squeue", "--noheader", "--array", "--format=%i").split()


@dataclass
class RayLab(Lab):
    site: RaySite

    def nodes(self) -> dict[str, str]:
        """Return the node of each pilot that has begun, by name."""
        found = {}
        for job in self.site.jobs():
            name = job["submission_id"].removeprefix(home_tag(self.home) + "-")
            if name != job["submission_id"] and job["driver_agent_http_address"]:
                found[name] = "n2" if FAR in job["driver_agent_http_address"] else "n1"
        return found

    def workers(self) -> list[int]:
        """Return the worker processes of Ray's that stand above pilots."""
        pilots = [seen for pid in self.site.processes("engine.launch.pilots.pilot") if (seen := see_process(pid))]
        return [seen.parent for seen in pilots if is_worker(seen.parent)]

    def node_of(self, job: str) -> str:
        """Return the node on which a job's last attempt runs or ran."""
        return self.nodes()[pilot_of(self.slots(job)[-1])]


def is_worker(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::")
    return False


def make_home_on(folder: Path, executor: str, profile: str) -> Home:
    home = make_home(folder)
    (home.root / "xp.toml").write_text(profile)
    choose_executor(home, executor)
    return home


# Jobs -----------------------------------------------------------------------------------------------------------------


def on_cpu(job: str, **does: object) -> Probe:
    return Probe(job, does={"do": "done", "resources": {"gpus": 0}, **does})


def on_gpu(job: str, share: float = 1.0, **does: object) -> Probe:
    return Probe(job, does={"do": "done", "device": "gpu", "resources": {"gpus": share}, **does})


def steps(job: str, **does: object) -> Probe:
    """A training of 40 steps, which waits in its first attempt after the third (HELD)."""
    return on_cpu(job, **{"do": "steps", "steps": 40, "seconds": 0.0, "hold": HELD, **does})


def went_on(lab: Lab, job: str) -> bool:
    """Return whether every step was made, and those before the kill only once."""
    made = [
        json.loads(line)["step"]
        for attempt in lab.home.job(job).attempts()
        if attempt.journal.exists()
        for line in attempt.journal.read_text().splitlines()
    ]
    return made == list(range(1, 41))


def wait_step(lab: Lab, job: str, attempt: int = 1) -> int:
    pid = lab.wait_running(job, attempt)
    pointer = lab.home.job(job).attempt(attempt).checkpoints / "pointer.json"
    # The step at which it waits: before, one may be written down whose checkpoint is not there yet.
    lab.until(lambda: (read_object(pointer) or {}).get("step") == HELD, "the checkpoint at which it waits")
    return pid
