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

from engine.collect import collect
from engine.home.paths import Home, open_home
from store.results import open_snapshot
from tests.chaos.chain_job import straight, visible_steps
from tests.chaos.monkey import ROOT, Monkey
from tests.helpers.queueing import Probe, faults, make_home, states, submit_probes

CHAIN = "tests.chaos.chain_job"
TINY = ROOT / "tests" / "resources" / "tiny.yaml"
SAME = "name not in ('train_images_per_second')"


# What a home's folder may be called: each is something to a shell, a URL, a glob, a format or a line of a log. A `?`
# no home may have.
NAMES = {
    "hash": "a#b",
    "percent": "a%41b%s",
    "blanks": " a  b ",
    "quotes": 'it\'s "so" `w`',
    "newline": "a\nb",
    "brackets": "[a-z]{0}(c)*",
    "long": "h" * 250,
    "letters": "実験_数据_실험_ñ",
}
WORST = '#%41 it\'s "so"\n[*-]{0} 実験'.ljust(246, "h")  # 250 bytes of the 255 that a name may have


def test_a_short_rampage_changes_nothing_in_a_home_of_the_worst_name(tmp_path: Path) -> None:
    home = open_home(tmp_path / WORST, create=True)
    tally, _ = chain_rampages(home, jobs=4, steps=60, kills=12, seed=1, pause=0.1)
    assert tally.total() >= 12


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_rampage_changes_nothing_whatever_the_home_is_called(tmp_path: Path, name: str) -> None:
    home = open_home(tmp_path / name, create=True)
    tally, runs = chain_rampages(home, jobs=2, steps=40, kills=6, seed=1, pause=0.1)
    collect(home)
    with open_snapshot(home.root) as snapshot:
        query = "select count(*), count(distinct job) from metrics where name = 'train_loss'"
        assert snapshot.execute(query).fetchall() == [(40 * runs, runs)]
    show_table(f"a home called {name[:20]!r}", runs, tally)
    assert [path.name for path in tmp_path.iterdir()] == [name], "something was written under another name"


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("seed", "name"), [(1, "home"), (2, "home"), (3, WORST)], ids=["1", "2", "worst"])
def test_a_long_rampage_over_chains_changes_nothing(tmp_path: Path, seed: int, name: str) -> None:
    home = open_home(tmp_path / name, create=True)
    tally, runs = chain_rampages(home, jobs=20, steps=90, kills=100, seed=seed, pause=0.15, slots=2)
    show_table(f"chains, seed {seed}", runs, tally)
    assert tally.total() >= 100


def chain_rampages(home: Home, jobs: int, steps: int, kills: int, **rest: Any) -> tuple[Counter[str], int]:
    """Rounds of `jobs` chains until there were kills enough, however fast the machine is; give them and the chains."""
    tally, rounds = Counter[str](), 0
    while tally.total() < kills:
        names = [f"train-{rounds * jobs + number}" for number in range(jobs)]
        tally += chain_rampage(home, names, steps, kills - tally.total(), **rest)
        rounds += 1
    return tally, rounds * jobs


def chain_rampage(
    home: Home, jobs: list[str], steps: int, kills: int, seed: int, pause: float, slots: int = 1
) -> Counter[str]:
    """Run chains under kills and hold everything that has to hold."""
    does: dict[str, Any] = {"steps": steps, "seconds": 0.02}
    submit_probes(home, f"chains-{jobs[0]}", [Probe(job, does=does) for job in jobs])
    imports = "from engine.schedule.worker import *; from engine.home.paths import *"
    rebuild = f"{imports}; rebuild_queue(open_home({str(home.root)!r}))"
    monkey = Monkey(home, CHAIN, seed, pause, slots, commands={"rebuild --queue": ["-c", rebuild]})
    monkey.rampage(kills, limit=900.0)
    assert set(states(home).values()) == {"done"}
    assert faults(home) == []
    assert monkey.orphans() == []
    for job in jobs:
        folder = home.job(job)
        assert json.loads(folder.result.read_text())["weights_sha256"] == straight(job, steps), job
        seen = Counter(visible_steps(home, job))
        assert seen == Counter(range(1, steps + 1)), f"{job}: {seen}"
    return monkey.tally


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_real_trainings_end_bit_identical_after_200_kills(tmp_path: Path) -> None:
    """Rounds of 21 runs until there were kills enough, however fast the machine trains."""
    calm, wild, tally, runs = tmp_path / "calm", tmp_path / "wild", Counter[str](), 0
    while tally.total() < 200:
        number = runs // 21
        seeds = list(range(7 * number, 7 * number + 7))
        spec = ["--set", f"name=round{number}", "--set", f"seeds={seeds}", "--set", "train.epochs=6"]
        xp(calm, "submit", str(TINY), *spec, "--wait")
        xp(wild, "submit", str(TINY), *spec, "--no-start")
        tally += training_rampage(open_home(wild), spec, 220 - tally.total(), seed=number + 1)
        runs += 21
        assert len(ask(calm, "select run from runs")) == runs
    assert weights_of(open_home(wild)) == weights_of(open_home(calm))
    query = f"select job, name, step, epoch, value from metrics where {SAME} order by all"
    assert ask(wild, query) == ask(calm, query)
    show_table("real trainings", runs, tally)
    assert {"job", "job, saving", "scheduler", "fork server", "submit", "collect", "rebuild"} <= set(tally)


def training_rampage(home: Home, spec: list[str], kills: int, seed: int) -> Counter[str]:
    """Kill whatever works on `home`, and the commands that a person gives meanwhile."""
    root = str(home.root)
    commands = {
        "submit": ["-m", "engine.cli", "submit", str(TINY), *spec, "--no-start", "--home", root],
        "collect": ["-m", "engine.cli", "sql", "select 1", "--fresh", "--home", root],
        "rebuild": ["-m", "engine.cli", "rebuild", "--home", root],
        "rebuild --queue": ["-m", "engine.cli", "rebuild", "--queue", "--home", root],
    }
    monkey = Monkey(home, "engine.run", seed, pause=0.4, slots=4, commands=commands)
    monkey.rampage(kills, limit=3000.0)
    assert set(states(home).values()) == {"done"}
    assert faults(home) == []
    assert monkey.orphans() == []
    return monkey.tally


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
