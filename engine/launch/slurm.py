"""Jobs on the nodes of a Slurm cluster: takes what waits, asks for pilots by sbatch, gives their states by squeue.

Plain sbatch, squeue and scancel, and no accounting database. Sites count calls, and slow down who makes many: one array
asks for all pilots that are missing, and one squeue tells of all that gave no sign. An id of Slurm's is never kept, as
after a controller that lost its state they start anew: what finds a pilot is the name of its array,
`xp-<home>-<nonce>`, and its number in it. Slurm restarts nothing by itself: only the scheduler makes attempts.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from engine.errors import XpError
from engine.home.paths import Home
from engine.launch.environment import job_environment
from engine.launch.fork_link import server_env
from engine.launch.pilots.fleet import PENDING, Fleet
from engine.launch.pilots.folder import PilotFolder, home_tag
from engine.launch.pilots.profile import Shape, SlurmProfile, read_profile

CALL_SECONDS = 120.0  # a controller that is busy answers late; sbatch itself gives up later still
SAVE_MARGIN = 15  # seconds past the grace: to write what was told and to end
NODE_ID = re.compile(r"(\d+)_(\d+)")


class SlurmEngine:
    """Brings pilots by sbatch. Raises XpError at once where the machine has no Slurm."""

    def __init__(self, home: Home, profile: SlurmProfile, preload: str = "engine.run", jobs: int = 0) -> None:
        self.home, self.profile, self.preload, self.jobs = home, profile, preload, jobs
        self.tag = home_tag(home)
        self.ids: dict[str, str] = {}
        check_tools()

    def ask(self, shape: Shape, nonce: str, count: int) -> None:
        """Ask for an array of pilots, `<nonce>-0` and on. Raises OSError with Slurm's words where it refuses."""
        words = ["sbatch", "--parsable", *self.directives(shape, nonce, count)]
        self._call(words, self.script(shape, nonce))

    def list_pilots(self) -> Mapping[str, str]:
        """Return Slurm's state of each pilot that has not ended. Raises OSError when the controller does not answer."""
        told = self._call(["squeue", "--me", "--array", "--noheader", "--format=%i|%j|%T"])
        found: dict[str, str] = {}
        self.ids = {}
        for line in told.splitlines():
            number, name, state = (*line.strip().split("|"), "", "")[:3]
            match = NODE_ID.fullmatch(number)
            if match and name.startswith(self.tag + "-"):
                pilot = f"{name.rpartition('-')[2]}-{match[2]}"
                found[pilot] = PENDING if state == "PENDING" else state.lower()
                self.ids[pilot] = number
        return found

    def end(self, names: Sequence[str]) -> None:
        """Take back pilots; one that the last look at the queue did not show is left alone."""
        self.list_pilots()
        numbers = [self.ids[name] for name in names if name in self.ids]
        if numbers:
            self._call(["scancel", *numbers])

    def has_gpus(self) -> bool:
        """Return whether the site has GPUs to ask for."""
        if self.profile.gres is not None:
            return self.profile.gres != ""
        return "gpu" in self._call(["sinfo", "--noheader", "--format=%G"])

    def directives(self, shape: Shape, nonce: str, count: int) -> list[str]:
        """Return what sbatch is told of an array of pilots."""
        site = self.profile
        partition = (not shape.has_gpu and site.cpu_partition) or site.partition
        named = {
            "partition": partition,
            "account": site.account,
            "qos": site.qos,
            "constraint": site.constraint,
            "reservation": site.reservation,
            "gres": count_gres(site.gres or "gpu:1", shape.gpus),
        }
        return [
            f"--job-name={self.tag}-{nonce}",
            f"--array=0-{count - 1}",
            "--ntasks=1",
            f"--cpus-per-task={shape.cpus}",
            f"--mem={max(1, shape.memory >> 20)}M",
            f"--time={max(1, -(-shape.seconds // 60))}",
            f"--signal=B:TERM@{round(site.grace) + SAVE_MARGIN}",
            "--no-requeue",
            "--open-mode=append",
            f"--output={PilotFolder(self.home.pilots_root / f'{nonce}-%a').log}",
            *(f"--{name}={value}" for name, value in named.items() if value),
            *site.directives,
        ]

    def script(self, shape: Shape, nonce: str) -> str:
        """Return the batch script: the site's lines, then a pilot in the shell's place, so that signals reach it."""
        site = self.profile
        words = site.pilot_words(shape, self.preload, self.jobs)
        folder = f'{shlex.quote(str(self.home.pilots_root / nonce))}"-$SLURM_ARRAY_TASK_ID"'
        return "\n".join(["#!/bin/sh", *site.setup, f"exec {shlex.join(words)} {folder}", ""])

    def _call(self, words: Sequence[str], text: str = "") -> str:
        try:
            done = subprocess.run(
                words, input=text, capture_output=True, text=True, timeout=CALL_SECONDS, env=slurm_environment()
            )
        except subprocess.TimeoutExpired as error:
            raise OSError(f"{words[0]} did not answer within {CALL_SECONDS:.0f} s") from error
        if done.returncode:
            told = " ".join(done.stderr.split()) or f"exit {done.returncode}"
            raise OSError(f"{words[0]}: {told}")
        return done.stdout


def count_gres(gres: str, gpus: int) -> str:
    """Return the site's word for GPUs with as many as are asked for: `gpu:a100:4` for `gpu:a100:1`."""
    if gpus <= 1:
        return gres if gpus else ""
    kind, _, number = gres.rpartition(":")
    is_counted = bool(kind) and number.isdigit()
    return f"{kind}:{max(gpus, int(number))}" if is_counted else f"{gres}:{gpus}"


def slurm_environment(ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a call: no secret, as it becomes the pilots'; of Slurm's words those of its user.

    A scheduler may run in a Slurm job itself, whose own words (SLURM_MEM_PER_NODE ...) would be taken for the pilots'.
    """
    kept = job_environment({**server_env(), **ours})
    plain = {name: value for name, value in kept.items() if not name.startswith("SLURM_")}
    asked = {name: value for name, value in ours.items() if name.startswith("SBATCH_") or name == "SLURM_CONF"}
    return {**plain, "PYTHONPATH": server_env()["PYTHONPATH"], **asked}


def check_tools() -> None:
    """Raise XpError where sbatch and its kin are not found, with what to do."""
    missing = [name for name in ("sbatch", "squeue", "scancel", "sinfo") if shutil.which(name) is None]
    if missing:
        fix = "work where the site's Slurm commands are on PATH (a login node), or use --executor local"
        raise XpError(f"there is no {' and no '.join(missing)} here", where="--executor slurm", fix=fix)


class SlurmLauncher(Fleet):
    """Pilots on a Slurm cluster, each for as many attempts as it has time for."""

    jobs = 0

    @classmethod
    def make(cls, home: Home, preload: str, slots: int) -> SlurmLauncher:
        profile = read_profile(home, "slurm", SlurmProfile)
        return cls(home, SlurmEngine(home, profile, preload, cls.jobs), profile)


class WholeJobsLauncher(SlurmLauncher):
    """The same with a task of Slurm's own for each attempt, for sites that want that."""

    jobs = 1
