"""Two homes on one data cache: what both need is made once, by whichever comes first, and both use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import make_plan
from store.journal import read_journal
from store.queue import Queue
from tests.helpers.queueing import Probe, faults, make_record, states
from tests.schedule.worker.working import ROOT

TINY = ROOT / "tests" / "resources" / "tiny.yaml"


def submit_pack(home: Home) -> str:
    """Submit nothing but the pack job of the tiny experiment; return its id."""
    spec = load_spec(TINY)
    job = next(job for job in make_plan(spec, home).jobs if job.kind == "pack")
    home.job(job.key).root.mkdir(parents=True)
    write_json(home.job(job.key).spec, job.canonical)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(
            make_record("one", [Probe(job.key, does=job.details.model_dump(mode="json"), kind="pack")])
        )
    return job.key


def start_worker(home: Home) -> subprocess.Popen[bytes]:
    words = ["-m", "engine.schedule.worker", "--home", str(home.root), "--until-idle", "--no-collect"]
    environment = {**os.environ, "XP_CACHE": str(home.cache)}
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def was_made(home: Home, job: str) -> bool:
    lines, _ = read_journal(home.job(job).attempt(1).journal)
    facts: list[dict[str, Any]] = [line for line in lines if line.get("name") == "pack"]
    return bool(facts[0]["value"]["made"])


def test_two_homes_that_start_at_once_pack_their_images_once(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    homes = [Home(open_home(tmp_path / name, create=True).root, cache) for name in ("a", "b")]
    cache.mkdir()
    jobs = {submit_pack(home) for home in homes}
    assert len(jobs) == 1, "the same images, the same job"
    (job,) = jobs
    assert [process.wait(280) for process in [start_worker(home) for home in homes]] == [0, 0]
    assert [states(home) for home in homes] == [{job: "done"}] * 2
    assert sorted(was_made(home, job) for home in homes) == [False, True]
    assert [path.name for path in (cache / "pack").iterdir() if path.is_dir()] == [job]
    assert [faults(home) for home in homes] == [[], []]
