"""Telling of an experiment's end: once, when all of it is over, by a command or an address; failing stops nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home
from engine.schedule.notices import Target, ask_notice, read_told, waiting_notices
from engine.schedule.worker import run_worker, tell
from engine.schedule.worker.tell import Teller, environment, read_facts
from store.queue import Queue
from store.queue.rows import Verdict
from tests.helpers.queueing import PROBE, Probe, make_home, submit_probes

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    return home


class Listener(BaseHTTPRequestHandler):
    """Answers with the next of `codes`; keeps what it was sent."""

    codes: tuple[int, ...] = ()
    heard: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        codes = self.codes or (204,)
        self.send_response(codes[min(len(self.heard), len(codes)) - 1])
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def listener() -> Iterator[tuple[str, type[Listener]]]:
    kind = type("Own", (Listener,), {"heard": []})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", kind
        server.shutdown()
        thread.join()


def end(home: Home, job: str, state: str = "done", reason: str = "") -> None:
    with Queue(home.queue_db) as queue:
        assert queue.lease(job, 1, "cpu:0", boot_id="b", expires=9e9, now=1.0)
        queue.finish(job, 1, Verdict("done" if state == "done" else "crashed", state, reason), 2.0)


def turn(home: Home, teller: Teller | None = None) -> None:
    teller = teller or Teller(home)
    with Queue(home.queue_db) as queue:
        teller.turn(queue, is_last=True)
    teller.finish()


def test_an_address_is_told_once_when_all_is_over(home: Home, listener: tuple[str, type[Listener]]) -> None:
    url, server = listener
    ask_notice(home, "one", 1, Target(url=url))
    end(home, "train-1")
    turn(home)
    assert server.heard == [], "half of it is not the end"
    end(home, "train-2", "failed", "out of luck")
    teller = Teller(home)
    for _ in range(3):
        turn(home, teller)
    turn(home)
    (told,) = server.heard
    assert {name: told[name] for name in ("experiment", "submission", "state", "runs", "text")} == {
        "experiment": "one", "submission": 1, "state": "failed", "runs": {"done": 1, "failed": 1},
        "text": "one: failed, 1 of 2 runs done",
    }  # fmt: skip
    (failure,) = told["failures"]
    assert (failure["job"], failure["reason"]) == ("train-2", "out of luck")
    assert "one/arm/cell@1" in failure["name"]
    assert waiting_notices(home) == []


@pytest.mark.parametrize(
    ("codes", "heard", "trouble"),
    [((500, 429, 204), 3, ""), ((500,), 3, "it answered 500 "), ((404,), 1, "it answered 404 "), ((204,), 1, "")],
)
def test_only_what_may_pass_is_tried_again(
    home: Home, listener: tuple[str, type[Listener]], monkeypatch: pytest.MonkeyPatch,
    codes: tuple[int, ...], heard: int, trouble: str,
) -> None:  # fmt: skip
    url, server = listener
    server.codes = codes
    monkeypatch.setattr(tell, "PAUSES", (0.0, 0.0))
    said = tell.tell(Target(url=url), {"id": "x"})
    assert (len(server.heard), said[: len(trouble)]) == (heard, trouble)
    assert bool(said) == bool(trouble)


def test_nobody_listening_is_written_down_and_stops_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tell, "PAUSES", ())
    ask_notice(home, "one", 1, Target(url="http://127.0.0.1:9/x"))
    end(home, "train-1")
    end(home, "train-2")
    turn(home)
    told = read_told(home, "one")
    assert told is not None
    assert told.trouble.startswith("it cannot be reached: ")


def test_a_command_gets_the_facts_and_no_shell_sees_them(home: Home, tmp_path: Path) -> None:
    words = (
        sys.executable,
        "-c",
        "import os, sys; open('told', 'w').write(os.environ['XP_NOTIFY_TEXT'] + sys.stdin.read())",
    )
    ask_notice(home, "one", 1, Target(words=words, folder=str(tmp_path)))
    with Queue(home.queue_db) as queue:
        queue.request_cancel(["train-1", "train-2"])
    turn(home)
    text, _, rest = (tmp_path / "told").read_text().partition("{")
    assert text == "one: cancelled, 0 of 2 runs done"
    assert json.loads("{" + rest)["state"] == "cancelled"


@pytest.mark.parametrize(
    ("code", "trouble"),
    [("print('no'); raise SystemExit(3)", "it ended with 3: no"),
     ("import time; time.sleep(60)", "it did not end within")],
)  # fmt: skip
def test_a_command_that_fails_or_hangs_is_told(monkeypatch: pytest.MonkeyPatch, code: str, trouble: str) -> None:
    monkeypatch.setattr(tell, "COMMAND_SECONDS", 0.5)
    target = Target(words=(sys.executable, "-c", code))
    assert tell.tell(target, {"id": "x", "runs": {}, "jobs": {}}).startswith(trouble)


def test_a_program_that_went_away_is_told() -> None:
    said = tell.tell(Target(words=("/nowhere/program",)), {"runs": {}, "jobs": {}})
    assert said.startswith("FileNotFoundError")


def test_facts_become_variables_without_zero_bytes() -> None:
    told = environment({"experiment": "a\0b; rm", "runs": {"done": 2, "failed": 1}, "jobs": {}, "failures": []})
    assert told == {"XP_NOTIFY_EXPERIMENT": "ab; rm", "XP_NOTIFY_RUNS": "3", "XP_NOTIFY_JOBS": "0",
                    "XP_NOTIFY_RUNS_DONE": "2", "XP_NOTIFY_RUNS_FAILED": "1"}  # fmt: skip


def test_what_is_paused_has_not_ended(home: Home) -> None:
    ask_notice(home, "one", 1, Target(url="http://127.0.0.1:9/"))
    end(home, "train-1")
    with Queue(home.queue_db) as queue:
        queue.request_pause(["train-2"])
        assert read_facts(home, queue, waiting_notices(home)[0]) is None


def test_a_scheduler_tells_before_it_leaves(home: Home, listener: tuple[str, type[Listener]]) -> None:
    url, server = listener
    ask_notice(home, "one", 1, Target(url=url))
    end(home, "train-1")
    end(home, "train-2")
    assert run_worker(home, until_idle=True, preload=PROBE, collect=None) == 0
    assert [told["state"] for told in server.heard] == ["done"]


@pytest.mark.slow
def test_a_scheduler_killed_while_it_tells_is_followed_by_one_that_tells(
    home: Home, tmp_path: Path, listener: tuple[str, type[Listener]]
) -> None:
    """At least once: the command had begun when the scheduler was killed, so that nobody knows what it did."""
    end(home, "train-1")
    end(home, "train-2")
    script = tmp_path / "tell.sh"
    script.write_text("#!/bin/sh\necho $XP_NOTIFY_ID >> told\n[ $(wc -l < told) -gt 1 ] || sleep 60\n")
    script.chmod(0o755)
    ask_notice(home, "one", 1, Target(words=(str(script),), folder=str(tmp_path)))
    given = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "engine.cli", "worker", "--until-idle", "--home", str(home.root)]
    first = subprocess.Popen(line, env=given)
    told = tmp_path / "told"
    while not told.exists():
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert subprocess.run(line, env=given, check=False).returncode == 0
    ids = told.read_text().split()
    assert len(ids) == 2
    assert len({*ids}) == 1
    assert subprocess.run(line, env=given, check=False).returncode == 0
    assert told.read_text().split() == ids
