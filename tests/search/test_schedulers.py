"""Several who look at one search at once: no trial is lost, doubled or drawn otherwise than by one alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.launch.fork_link import module_words, server_env
from engine.schedule.searched import read_progress
from engine.spec.identity import canonical_json
from store.queue import Queue
from tests.search.objective import finish_open, make_spec, submit_study
from tests.search.test_kills import study_of
from tests.search.working import work_off

pytest.importorskip("optuna", reason="needs the extra `search`")

ROOT = Path(__file__).parents[2]
LOOKER = """
import sys
from engine.home.paths import open_home
from engine.search.advance import advance
home, looks = open_home(sys.argv[1]), [0, 0]
while home.search_mark("study").exists():
    looks[advance(home, "study")] += 1
print(*looks)
"""


def check_each_once(home: Home, trials: int) -> None:
    """Every trial that was asked for is there once, was drawn once, and trained by one attempt."""
    told = [one for one in study_of(home).trials if one.decision.stage != "final"]
    assert [one.decision.trial for one in told] == list(range(trials))
    assert {one.state for one in told} == {"done"}
    assert len({canonical_json(one.decision.settings) for one in told}) == trials
    with Queue.open_readonly(home.queue_db) as queue:
        assert set(queue.job_states().values()) == {"done"}
    assert Counter(len(job.attempts()) for job in home.jobs()).keys() == {1}


def test_looks_at_once_are_as_those_of_one(tmp_path: Path) -> None:
    home, calm = (open_home(tmp_path / name, create=True) for name in ("home", "calm"))
    for place in (home, calm):
        submit_study(place, make_spec(trials=5, final={"seeds": [1]}))
    work_off(calm)
    words = [sys.executable, "-c", LOOKER, str(home.root)]
    lookers = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    end = time.monotonic() + 120
    try:
        while any(looker.poll() is None for looker in lookers):
            assert time.monotonic() < end, "it does not end"
            finish_open(home)
            time.sleep(0.01)
    finally:
        for looker in lookers:
            looker.kill()
    looks = [looker.communicate()[0].split() for looker in lookers]
    assert sum(int(busy) for busy, _ in looks) > 0, "they met"
    finish_open(home)
    check_each_once(home, 5)
    ours, alone = ([one.decision.settings for one in study_of(place).trials] for place in (home, calm))
    assert ours == alone
    assert read_progress(home, "study") == read_progress(calm, "study")


def test_of_two_schedulers_of_a_host_one_searches_on_all_slots(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    submit_study(home, make_spec(trials=6, parallel=3))
    words = ["--home", str(home.root), "--until-idle", "--slots", "2", "--preload", "tests.search.objective"]
    env = {**server_env(), "XP_CACHE": str(home.cache)}
    with open(home.scheduler_log, "ab") as log:
        workers = [
            subprocess.Popen(module_words("engine.schedule.worker", *words), stdout=log, stderr=log, env=env)
            for _ in range(2)
        ]
    try:
        assert [worker.wait(120) for worker in workers] == [0, 0], home.scheduler_log.read_text()
    finally:
        for worker in workers:
            worker.kill()
    assert "a scheduler works here already" in home.scheduler_log.read_text()
    assert not home.search_mark("study").exists(), "it is over"
    check_each_once(home, 6)
    with Queue.open_readonly(home.queue_db) as queue:
        assert {row.slot for row in queue.attempt_rows()} == {"cpu:0", "cpu:1"}
