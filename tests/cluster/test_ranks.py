"""A training in two processes under kills: whoever is killed, the run ends as it does when nobody is."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.home.files import read_json
from engine.home.paths import Home, JobFolder, open_home
from engine.launch.process import see_process
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.submit import submit_plan
from store.journal import read_journal
from tests.flow.commands import ROOT

pytestmark = pytest.mark.cluster
KILLS, SEED = 20, 5
FEW, EARLY = "train.epochs=8", 4
SPEC = """
name: shared
data: {source: digits, image_size: 32, short_side: 32, split: 20/10/70, augment: {mixup: 0.2}}
student: {arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], windows: [4, 4, 2, 1],
          drop_path: 0.2}
train: {epochs: 30, batch_size: 64, precision: fp32, threads: 1, save_minutes: 0.002, warmup_epochs: 0}
resources: {gpus: 0, ranks: 2}
"""


def begin(home: Home, folder: Path, *words: str) -> JobFolder:
    """Submit the training alone; return its job."""
    (folder / "spec.yaml").write_text(SPEC)
    plan = make_plan(load_spec(folder / "spec.yaml", words), home)
    submit_plan(plan, home)
    (name,) = [job.job for job in plan.jobs if job.kind == "train" and job.job]
    return home.job(name)


def start(home: Home) -> subprocess.Popen[bytes]:
    words = ["--home", str(home.root), "--until-idle", "--no-collect"]
    with open(home.root / "scheduler.log", "ab") as log:
        return subprocess.Popen([sys.executable, "-m", "engine.schedule.worker", *words], cwd=ROOT, stderr=log)


def wait(scheduler: subprocess.Popen[bytes]) -> None:
    assert scheduler.wait(timeout=240) == 0


def processes(job: JobFolder) -> list[int]:
    """Return the attempt's process and its ranks, once all are at work; empty where none is."""
    newest = max(job.attempts(), key=lambda attempt: attempt.number, default=None)
    if newest is None or not newest.heartbeat.exists() or newest.outcome.exists():
        return []
    parent = int(json.loads(newest.handle.read_text())["pid"])
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    ranks = [pid for pid in pids if _parent_of(pid) == parent]
    return [parent, *sorted(ranks)] if len(ranks) == 2 else []


def _parent_of(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(text[text.rindex(")") + 2 :].split()[1])


def curve(job: JobFolder) -> dict[tuple[str, int], float]:
    """Return what each epoch came to, of the attempt that counts for it: the last that told it."""
    found: dict[tuple[str, int], float] = {}
    for attempt in job.attempts():
        for line in read_journal(attempt.journal)[0] if attempt.journal.exists() else []:
            if line["type"] == "metric" and not line["name"].startswith("train_images"):
                found[line["name"], line["epoch"]] = line["value"]
    return found


def weights(job: JobFolder) -> dict[str, torch.Tensor]:
    winner = job.winner()
    assert winner is not None
    return load_file(winner.artifacts / "weights.safetensors")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """A shorter one in one process."""
    return finish(tmp_path_factory.mktemp("alone"), "resources.ranks=1", FEW)


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    return finish(tmp_path_factory.mktemp("unkilled"))


def finish(folder: Path, *words: str) -> JobFolder:
    home = open_home(folder / "home", create=True)
    job = begin(home, folder, *words)
    wait(start(home))
    return job


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Home, JobFolder, subprocess.Popen[bytes]]]:
    home = open_home(tmp_path / "home", create=True)
    job = begin(home, tmp_path)
    scheduler = start(home)
    yield home, job, scheduler
    scheduler.kill()
    scheduler.wait()


def early(job: JobFolder) -> dict[tuple[str, int], float]:
    """Return the losses of the first epochs. Rounding grows with each step of Adam, as between any two machines."""
    return {key: value for key, value in curve(job).items() if "loss" in key[0] and key[1] < EARLY}


def test_two_processes_have_the_loss_curve_of_one(tmp_path: Path, alone: JobFolder) -> None:
    shared = finish(tmp_path, FEW)
    assert shared.job == alone.job
    assert len(early(alone)) == 2 * EARLY
    assert early(shared) == pytest.approx(early(alone), rel=1e-6)
    winner = shared.winner()
    assert winner is not None
    assert read_json(winner.provenance)["ranks"] == 2


def test_ranks_killed_at_random_steps_change_nothing(
    running: tuple[Home, JobFolder, subprocess.Popen[bytes]], unkilled: JobFolder
) -> None:
    _, job, scheduler = running
    chance, killed, seen = random.Random(SEED), 0, set[int]()
    while killed < KILLS and scheduler.poll() is None:
        pids = processes(job)
        if not pids or pids[0] in seen:
            time.sleep(0.01)
            continue
        seen.add(pids[0])
        time.sleep(chance.uniform(0.0, 0.6))
        # One of the ranks, or now and then the process that started them.
        victim = chance.choice([pids[1], pids[2], pids[1], pids[2], pids[0]])
        if see_process(victim) is not None and not job.result.exists():
            os.kill(victim, signal.SIGKILL)
            killed += 1
    wait(scheduler)
    outcomes = [read_json(attempt.outcome)["outcome"] for attempt in job.attempts()]
    assert (killed, outcomes[-1]) == (KILLS, "done"), outcomes
    assert set(outcomes[:-1]) == {"lost"}
    assert len(outcomes) == KILLS + 1
    mine, theirs = weights(job), weights(unkilled)
    assert all(torch.equal(mine[name], value) for name, value in theirs.items())
    assert curve(job) == curve(unkilled)


@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2), (2, 4)])
def test_a_checkpoint_goes_on_in_another_number_of_processes(
    tmp_path: Path, alone: JobFolder, first: int, then: int
) -> None:
    home = open_home(tmp_path / "home", create=True)
    job = begin(home, tmp_path, f"resources.ranks={first}", FEW)
    scheduler = start(home)
    until_epoch(job, 1)
    # The machine is to be had back: it saves and ends.
    scheduler.send_signal(signal.SIGUSR1)
    scheduler.wait(timeout=60)
    assert [read_json(attempt.outcome)["outcome"] for attempt in job.attempts()] == ["preempted"]
    # How it is done is no part of what it is: submitted again it is the same job.
    assert begin(home, tmp_path, f"resources.ranks={then}", FEW).job == job.job
    wait(start(home))
    told = read_journal(job.attempt(2).journal)[0]
    assert [line["value"] for line in told if line["type"] == "fact" and line["name"] == "ranks"] == (
        [{"ranks": then}] if then > 1 else []
    )
    assert early(job) == pytest.approx(early(alone), rel=1e-6)


def until_epoch(job: JobFolder, epoch: int) -> None:
    end = time.monotonic() + 60
    while max((number for _, number in curve(job)), default=-1) < epoch:
        assert time.monotonic() < end
        time.sleep(0.02)
