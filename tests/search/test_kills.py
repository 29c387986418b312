"""A study under kills: whatever part dies, no trial is lost, doubled or drawn otherwise than in a calm one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.home.records import read_record
from engine.launch.fork_link import module_words, server_env
from engine.schedule.searched import read_progress
from engine.search.decisions import Study, read_study
from engine.spec.identity import canonical_json
from tests.search.objective import make_spec, submit_study
from tests.search.working import work_off

pytest.importorskip("optuna", reason="needs the extra `search`")

PARTS = ("engine.schedule.worker", "engine.search", "engine.launch.forkserver")


def test_a_study_under_kills_is_the_calm_one(tmp_path: Path) -> None:
    compare_killed(tmp_path, trials=5, kills=3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_trials_and_thirty_kills(tmp_path: Path) -> None:
    compare_killed(tmp_path, trials=200, kills=30, seed=0)


def compare_killed(tmp_path: Path, trials: int, kills: int, seed: int) -> None:
    home, calm = (open_home(tmp_path / name, create=True) for name in ("home", "calm"))
    for place in (home, calm):
        submit_study(place, make_spec(trials=trials))
    work_off(calm)
    assert work_under_kills(home, kills, random.Random(seed)) == kills
    told, wanted = study_of(home), study_of(calm)
    assert [one.decision.settings for one in told.trials] == [one.decision.settings for one in wanted.trials]
    assert [one.values for one in told.trials] == [one.values for one in wanted.trials]
    assert len({canonical_json(one.decision.settings) for one in told.trials}) == trials
    assert read_progress(home, "study") == read_progress(calm, "study")
    for job in home.jobs():
        assert sum(attempt.result.exists() for attempt in job.attempts()) >= 1, "each was done"


def work_under_kills(home: Home, kills: int, draws: random.Random) -> int:
    """Be the scheduler until the search is over, killing one of its parts now and then; return how many died."""
    killed, worker, until = 0, start_worker(home), next_time(draws)
    end = time.monotonic() + 3000
    while home.search_mark("study").exists() or worker.poll() is None or killed < kills:
        assert time.monotonic() < end, "it does not end"
        if worker.poll() is not None:
            if not home.search_mark("study").exists():
                break
            worker = start_worker(home)
        if killed < kills and time.monotonic() >= until:
            killed += kill_one(home, draws)
            until = next_time(draws)
        time.sleep(0.02)
    return killed


def next_time(draws: random.Random) -> float:
    return time.monotonic() + draws.uniform(0.2, 4.0)


def start_worker(home: Home) -> subprocess.Popen[bytes]:
    words = module_words("engine.schedule.worker", "--home", str(home.root), "--until-idle")
    env = {**server_env(), "XP_CACHE": str(home.cache)}
    with open(home.scheduler_log, "ab") as log:
        return subprocess.Popen(
            [*words, "--preload", "tests.search.objective"], stdout=log, stderr=log, env=env, start_new_session=True
        )


def kill_one(home: Home, draws: random.Random) -> int:
    """Kill a process that works in this home; return whether there was one."""
    found = [pid for pid, words in processes() if any(part in words for part in PARTS) and str(home.root) in words]
    if not found:
        return 0
    with suppress(ProcessLookupError):
        os.kill(draws.choice(sorted(found)), signal.SIGKILL)
    return 1


def processes() -> list[tuple[int, list[str]]]:
    listed = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit():
                listed.append((int(folder.name), (folder / "cmdline").read_bytes().decode().split("\0")))
    return listed


def study_of(home: Home) -> Study:
    return read_study(home, read_record(home.records("study")[-1]))
