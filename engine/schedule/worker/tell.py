"""Telling of an experiment's end, beside the loop: takes a home and its queue, calls each command or address once.

An experiment has ended when nothing of it runs, waits or is paused. A telling that fails is written down and stops
nothing; one that was cut off by a kill is done again by the next scheduler.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from engine.home.paths import Home
from engine.schedule.lookup import name_jobs
from engine.schedule.notices import Notice, Target, waiting_notices, write_told
from store.queue import ExperimentRow, Queue

log = logging.getLogger("xp.scheduler")
OPEN = ("queued", "running", "paused")
LOOK = 1.0  # seconds between looks at what waits
URL_SECONDS = 10.0
COMMAND_SECONDS = 60.0
PAUSES = (1.0, 5.0)  # seconds before an address is tried again
MOST_LISTED = 20  # failed jobs that are named
MOST_SAID = 300  # letters of what went wrong


class Teller:
    """Tells in a thread, one after the other, so that the loop never waits; each notice once in its life."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.begun = set[str]()
        self.looked = 0.0
        self.threads: list[threading.Thread] = []

    def turn(self, queue: Queue, *, is_last: bool = False) -> None:
        """Begin to tell of what has ended; look for it once a second, and always before the scheduler leaves."""
        if not is_last and time.monotonic() - self.looked < LOOK:
            return
        self.looked = time.monotonic()
        if ended := self._ended(queue):
            self.begun |= {notice.id for notice, _ in ended}
            thread = threading.Thread(target=self._tell, args=(ended,), name="tell", daemon=True)
            self.threads = [*(one for one in self.threads if one.is_alive()), thread]
            thread.start()

    def is_due(self, queue: Queue) -> bool:
        """Whether something has ended that nobody has begun to tell of."""
        return bool(self._ended(queue))

    def _ended(self, queue: Queue) -> list[tuple[Notice, dict[str, Any]]]:
        due = [one for one in waiting_notices(self.home) if one.id not in self.begun]
        return [(one, facts) for one in due if (facts := read_facts(self.home, queue, one)) is not None]

    def finish(self) -> None:
        """Wait until all that has begun is told."""
        for thread in self.threads:
            thread.join()

    def _tell(self, ended: list[tuple[Notice, dict[str, Any]]]) -> None:
        for notice, facts in ended:
            trouble = tell(notice.target, facts)
            if trouble:
                log.error("%s: %s was not told of its end: %s", notice.experiment, notice.target, trouble)
            else:
                log.info("%s: %s was told of its end", notice.experiment, notice.target)
            try:
                write_told(self.home, notice, trouble)
            except OSError as error:
                log.error("%s: how telling went is not written: %s", notice.experiment, error)


def read_facts(home: Home, queue: Queue, notice: Notice) -> dict[str, Any] | None:
    """Return what is told of an experiment that has ended, None while it has not."""
    rows = queue.experiments(notice.experiment)
    if not rows or any(rows[0].jobs.get(state) for state in OPEN):
        return None
    row, state = rows[0], state_of(rows[0])
    jobs, _ = queue.notable(notice.experiment, MOST_LISTED)
    failed = [job for job in jobs if job.state == "failed"][:MOST_LISTED]
    names = name_jobs(home, [job.job for job in failed], notice.experiment)
    done, whole = row.runs.get("done", 0), sum(row.runs.values())
    return {
        "id": notice.id,
        "experiment": notice.experiment,
        "title": row.title,
        "submission": notice.number,
        "state": state,
        "runs": row.runs,
        "jobs": row.jobs,
        "failures": [{"job": job.job, "name": names[job.job], "reason": job.reason} for job in failed],
        "home": str(home.root),
        "host": socket.gethostname(),
        "at": time.time(),
        "text": f"{notice.experiment}: {state}, {done} of {whole} runs done",
    }


def state_of(row: ExperimentRow) -> str:
    """Return `failed` where a job has, `done` where all are, else `cancelled`."""
    if row.jobs.get("failed"):
        return "failed"
    return "done" if row.jobs.get("done", 0) == sum(row.jobs.values()) else "cancelled"


def tell(target: Target, facts: Mapping[str, Any]) -> str:
    """Call a command or an address; return what went wrong, "" where nothing did."""
    try:
        trouble = _post(target.url, facts) if target.url else _run(target, facts)
    except Exception as error:  # whatever it is, it must not end the scheduler
        trouble = f"{type(error).__name__}: {error}"
    return trouble[:MOST_SAID]


def _post(url: str, facts: Mapping[str, Any]) -> str:
    trouble = ""
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        trouble, may_help = _post_once(url, facts)
        if not may_help:
            return trouble
    return trouble


def _post_once(url: str, facts: Mapping[str, Any]) -> tuple[str, bool]:
    """Return what went wrong, and whether the same again may help."""
    head = {"Content-Type": "application/json", "User-Agent": "xp"}
    request = urllib.request.Request(url, json.dumps(facts).encode(), head, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=URL_SECONDS):
            return "", False
    except urllib.error.HTTPError as error:
        with error:
            return f"it answered {error.code} {error.reason}", error.code >= 500 or error.code in (408, 429)
    except (OSError, http.client.HTTPException) as error:
        return f"it cannot be reached: {getattr(error, 'reason', error)}", True


def _run(target: Target, facts: Mapping[str, Any]) -> str:
    """Run a command with the facts in its environment and, as JSON, on its stdin; no shell sees any of them."""
    process = subprocess.Popen(
        target.words, cwd=target.folder if os.path.isdir(target.folder) else None,
        env={**os.environ, **environment(facts)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            said, _ = process.communicate(json.dumps(facts).encode(), timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"it did not end within {COMMAND_SECONDS:.0f} s"
    last = said.decode(errors="replace").strip().splitlines()[-1:]
    return f"it ended with {process.returncode}{': ' if last else ''}{''.join(last)}" if process.returncode else ""


def environment(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts as variables: XP_NOTIFY_EXPERIMENT, XP_NOTIFY_STATE, ..., XP_NOTIFY_RUNS_DONE."""
    told = {name: str(value) for name, value in facts.items() if not isinstance(value, dict | list)}
    runs, jobs = facts["runs"], facts["jobs"]
    told |= {"runs": str(sum(runs.values())), "jobs": str(sum(jobs.values()))}
    told |= {f"{word}_{state}": str(number) for word in ("runs", "jobs") for state, number in facts[word].items()}
    # The end of a variable is a zero byte.
    return {f"XP_NOTIFY_{name.upper()}": value.replace("\0", "") for name, value in told.items()}
