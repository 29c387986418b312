"""What takes seconds is made in a process of its own, which ends with the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import QueryError
from engine.home.paths import Home
from engine.launch.process import see_process
from engine.serve import making, readings
from engine.serve.apart import NICE, Apart
from engine.serve.making import report_of
from engine.serve.readings import look
from engine.serve.site import Site

PATIENT = 120.0
HOLDER = """
import os, sys, time
from engine.serve.apart import Apart
if __name__ == "__main__":
    print(Apart().run(os.getpid), flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    made = Apart()
    yield made
    made.close()


def fail() -> None:
    raise QueryError("there is no such thing", fix="name another")


def test_it_is_another_process_and_steps_back(apart: Apart) -> None:
    pid = apart.run(os.getpid)
    assert pid != os.getpid()
    assert apart.run(os.getpid) == pid, "and is kept"
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.nice(0) + NICE)


def test_what_fails_there_is_raised_here(apart: Apart) -> None:
    with pytest.raises(QueryError, match="there is no such thing") as caught:
        apart.run(fail)
    assert caught.value.fix == "name another"


def test_one_that_was_killed_is_begun_anew(apart: Apart) -> None:
    pid = apart.run(os.getpid)
    os.kill(pid, signal.SIGKILL)
    assert apart.run(os.getpid) not in (pid, os.getpid())


def test_it_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "holder.py"
    script.write_text(HOLDER)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        server.kill()
    end = time.monotonic() + 60
    while (seen := see_process(pid)) is not None and seen.is_alive:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_large_experiment_is_read_and_reported_apart(done_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    site, asked = Site(done_home), list[str]()

    class Here(Apart):
        def run(self, make, *words):  # type: ignore[no-untyped-def]  # as the one that it stands for
            asked.append(make.__name__)
            return make(*words)

    site.apart = Here()
    small = look(site, "study", PATIENT).reading
    assert asked == []
    monkeypatch.setattr(readings, "LARGE", 1)
    monkeypatch.setattr(making, "LARGE", 1)
    again = Site(done_home, apart=site.apart)
    large = look(again, "study", PATIENT).reading
    assert small is not None
    assert large is not None
    assert (large.mark, large.page.facts) == (small.mark, small.page.facts)
    monkeypatch.setattr(making, "PATIENCE", PATIENT)
    monkeypatch.setattr(making, "write_report", lambda snapshot, name, form, folder: [_page(folder, name)])
    made = report_of(again, "study", "md")
    assert made is not None
    assert made.body == b"study"
    assert asked == ["read_apart", "make_apart"]


def _page(folder: Path, name: str) -> Path:
    (folder / "page").write_text(name)
    return folder / "page"
