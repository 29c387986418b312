"""Kills at random times, to everything: afterwards every number is as if nobody had come by.

The short form runs with the other tests; `make chaos` trains real networks under hundreds of kills and prints a table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.home import Home, open_home
from store.journal import read_journal
from tests.chaos.chain_job import straight
from tests.chaos.monkey import ROOT, Monkey
from tests.queueing import Probe, faults, make_home, states, submit_probes

CHAIN = "tests.chaos.chain_job"
TINY = ROOT / "tests" / "resources" / "tiny.yaml"
SAME = "name not in ('train_images_per_second')"


def test_a_short_rampage_changes_nothing(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    monkey = chain_rampage(home, jobs=4, steps=25, kills=14, seed=1, pause=0.1)
    assert monkey.tally.total() >= 4


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_long_rampage_over_chains_changes_nothing(tmp_path: Path, seed: int) -> None:
    home = make_home(tmp_path)
    monkey = chain_rampage(home, jobs=20, steps=60, kills=120, seed=seed)
    show_table(f"chains, seed {seed}", 20, monkey.tally)
    assert monkey.tally.total() >= 60


def chain_rampage(home: Home, jobs: int, steps: int, kills: int, seed: int, pause: float = 0.25) -> Monkey:
    """Run chains under kills and hold everything that has to hold."""
    does: dict[str, Any] = {"steps": steps, "seconds": 0.02}
    probes = [Probe(f"train-{number}", does=does) for number in range(jobs)]
    submit_probes(home, "chains", probes)
    rebuild = f"from engine.worker import *; from engine.home import *; rebuild_queue(open_home({str(home.root)!r}))"
    monkey = Monkey(home, CHAIN, seed, pause, commands={"rebuild --queue": ["-c", rebuild]})
    monkey.rampage(kills, limit=900.0)
    assert set(states(home).values()) == {"done"}
    assert faults(home) == []
    assert monkey.orphans() == []
    for probe in probes:
        job = home.job(probe.job)
        assert json.loads(job.result.read_text())["weights_sha256"] == straight(probe.job, steps), probe.job
        seen = Counter(visible_steps(home, probe.job))
        assert seen == Counter(range(1, steps + 1)), f"{probe.job}: {seen}"
    return monkey


def visible_steps(home: Home, job: str) -> list[int]:
    """Return the steps of the metric lines that count: the winner's chain, each predecessor cut at its successor."""
    folder, upto = home.job(job), None
    attempt = folder.winner()
    steps: list[int] = []
    while attempt is not None:
        lines, _ = read_journal(attempt.journal)
        kept = [line for line in lines if upto is None or line["seq"] <= upto]
        steps += [line["step"] for line in kept if line["type"] == "metric" and line["name"] == "train_loss"]
        start = next((line for line in kept if line["type"] == "from"), None)
        attempt, upto = (folder.attempt(start["attempt"]), start["upto"]) if start else (None, None)
    return steps


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_real_trainings_end_bit_identical_after_200_kills(tmp_path: Path) -> None:
    spec = ["--set", "seeds=[0,1,2,3,4,5,6]", "--set", "train.epochs=6"]
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    xp(calm, "submit", str(TINY), *spec, "--wait")
    xp(wild, "submit", str(TINY), *spec, "--no-start")
    home = open_home(wild)
    commands = {
        "submit": ["-m", "engine.cli", "submit", str(TINY), *spec, "--no-start", "--home", str(wild)],
        "collect": ["-m", "engine.cli", "sql", "select 1", "--fresh", "--home", str(wild)],
        "rebuild": ["-m", "engine.cli", "rebuild", "--home", str(wild)],
        "rebuild --queue": ["-m", "engine.cli", "rebuild", "--queue", "--home", str(wild)],
    }
    monkey = Monkey(home, "engine.run", seed=1, pause=0.4, commands=commands)
    monkey.rampage(220, limit=3000.0)
    runs = len(ask(calm, "select run from runs"))
    assert set(states(home).values()) == {"done"}
    assert faults(home) == []
    assert monkey.orphans() == []
    assert weights_of(home) == weights_of(open_home(calm))
    query = f"select job, name, step, epoch, value from metrics where {SAME} order by all"
    assert ask(wild, query) == ask(calm, query)
    show_table("real trainings", runs, monkey.tally)
    assert runs >= 20
    assert monkey.tally.total() >= 200


def weights_of(home: Home) -> dict[str, str]:
    results = {folder.job: json.loads(folder.result.read_text()) for folder in home.jobs()}
    return {job: told["weights_sha256"] for job, told in results.items() if "weights_sha256" in told}


def ask(home: Path, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(xp(home, "sql", query, "--fresh", "--format", "json"))
    return rows


def xp(home: Path, *words: str) -> str:
    environment = {**os.environ, "XP_HOME": str(home), "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "engine.cli", *words]
    answer = subprocess.run(line, capture_output=True, text=True, env=environment, check=False, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def show_table(title: str, runs: int, tally: Counter[str]) -> None:
    print(f"\n{title}: {runs} runs, {tally.total()} kills, all weights bit-identical")
    for victim, number in tally.most_common():
        print(f"  {victim:18}{number:6}")


def test_a_submission_that_was_written_but_not_queued_is_queued_by_the_next_scheduler(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1", does={"steps": 1, "seconds": 0.0})])
    saved = home.queue_db.read_bytes()
    submit_probes(home, "two", [Probe("train-2", does={"steps": 1, "seconds": 0.0})])
    home.queue_db.write_bytes(saved)
    assert set(states(home)) == {"train-1"}
    Monkey(home, CHAIN, seed=1, pause=0.05).rampage(kills=0, limit=60.0)
    assert states(home) == {"train-1": "done", "train-2": "done"}
