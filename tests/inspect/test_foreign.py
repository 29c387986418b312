from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.inspect import foreign
from engine.inspect.foreign import tell_foreign
from engine.launch.process import boot_id, host_name, owner_of, see_process
from store.queue import Queue
from tests.helpers.queueing import Probe, make_home, submit_probes

ALICE, BOB, JOB, SCHEDULER = 1234, 5678, 4_000_001, 4_000_002


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A job that runs as one process, and a scheduler that is another."""
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1")])
    attempt = home.job("train-1").attempt(1)
    attempt.root.mkdir(parents=True)
    about = {"start_time": 9, "host": host_name(), "boot_id": boot_id()}
    attempt.handle.write_text(json.dumps({**about, "pid": JOB}))
    home.scheduler_file.write_text(json.dumps({**about, "pid": SCHEDULER}))
    with Queue(home.queue_db) as queue:
        queue.lease("train-1", 1, "cpu:0", boot_id=boot_id(), expires=time.monotonic() + 600, now=time.time())
    return home


@pytest.mark.parametrize(
    ("job", "scheduler", "is_told"), [(ALICE, BOB, True), (BOB, BOB, False), (ALICE, 0, False), (None, BOB, False)]
)
def test_a_job_that_another_users_scheduler_is_to_end_is_told_with_who_can(
    home: Home, monkeypatch: pytest.MonkeyPatch, job: int | None, scheduler: int, is_told: bool
) -> None:
    monkeypatch.setattr(foreign, "owner_of", lambda pid, start: {JOB: job, SCHEDULER: scheduler}[pid])
    assert list(tell_foreign(home)) == [], "nobody has asked"
    with Queue(home.queue_db) as queue:
        queue.request_cancel(["train-1"])
    told = list(tell_foreign(home))
    assert len(told) == is_told
    if is_told:
        assert "train-1 was asked to cancel and goes on: its process is user 1234's" in told[0]
        assert f"user 1234 or root can: kill {JOB}" in told[0]


def test_a_scheduler_file_that_is_damaged_tells_of_nobody(home: Home) -> None:
    for text in ("[]", '{"pid": []}', "{"):
        home.scheduler_file.write_text(text)
        assert list(tell_foreign(home)) == []


def test_the_owner_of_a_process_is_that_of_its_real_user() -> None:
    me = see_process(os.getpid())
    assert me is not None
    assert owner_of(me.pid, me.start) == os.getuid()
    assert owner_of(me.pid, me.start + 1) is None
