"""One scheduler per home: takes a home, gives its lock, whether somebody holds it, and a scheduler that stays.

The lock is a `flock` that the kernel drops with its process; its descriptor is not inherited by what we exec.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import HomeError
from engine.home.files import read_object, write_json
from engine.home.paths import Home
from engine.launch.environment import WITHHELD
from engine.launch.fork_link import module_words, server_env
from engine.launch.places import read_executor
from engine.launch.preempt import preempt_signals
from engine.launch.process import boot_id, host_name, see_process
from store.queue import is_on_server

# Seconds. `scheduler_alive` holds the lock, shared, for a moment: who takes it to keep it tries for longer than that.
TAKE_SECONDS = 0.5


class Outliving(subprocess.Popen[bytes]):
    """A process that is meant to outlive us: it is no mistake that it still runs when we end."""

    def __del__(self) -> None:
        """Do not warn of it, as any other process that was not waited for would have it."""


# Kept, so that `poll` reaps them: a scheduler that ended would stay a zombie of ours.
_started: dict[Outliving, Home] = {}


def lock_file(home: Home) -> Path:
    """Return the lock: the home's, or where hosts share the queue this one's. Pilots obey one scheduler everywhere."""
    is_one_of_several = is_on_server() and read_executor(home) == "local"
    return home.host_lock(host_name()) if is_one_of_several else home.scheduler_lock


def take_lock(home: Home) -> FileLock | None:
    """Return the home's scheduler lock, held, or None when another process is the scheduler.

    Raises HomeError when the home cannot be written.
    """
    # thread_local: the process holds the lock, whichever of its threads asks.
    lock = FileLock(lock_file(home), thread_local=False)
    try:
        lock.acquire(timeout=TAKE_SECONDS, poll_interval=0.02)
    except Timeout:
        return None
    except OSError as error:
        raise cannot_write(home, error) from error
    return lock


def cannot_write(home: Home, error: OSError) -> HomeError:
    fix = "make the folder writable (and leave some room), or name another one with --home or XP_HOME"
    return HomeError(f"the home folder cannot be written: {error.strerror}", where=str(home.root), fix=fix)


def scheduler_alive(home: Home) -> bool:
    """Return whether a scheduler holds this home now. Asks the lock itself, and keeps nobody from taking it."""
    is_starting(home)  # no zombies
    try:
        # For reading: to ask must work where nothing can be written, and make no file.
        handle = os.open(lock_file(home), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who ask at once do not take each other for a scheduler.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def is_starting(home: Home) -> bool:
    """Return whether a scheduler that this process started for the home still lives, at work or on its way there."""
    for process in list(_started):
        if process.poll() is not None:
            del _started[process]
    return home in _started.values()


def start_detached(home: Home, *, preload: str = "engine.run", collects: bool = True) -> None:
    """See that a scheduler runs: start one that works until the queue is empty and outlives us, unless one runs.

    Of two that start at once, the one that does not get the lock ends.
    """
    preempt_signals()  # a mistake in the environment is told here, where somebody reads it
    if scheduler_alive(home):
        return
    given = ["--home", str(home.root), "--until-idle", "--preload", preload]
    words = module_words("engine.schedule.worker", *given, *([] if collects else ["--no-collect"]))
    # Appended to: it also has what earlier schedulers said, and the line of one that found the lock taken.
    with open(home.scheduler_log, "ab") as log:
        process = Outliving(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # --home alone does not say where our cache is.
            env={**server_env(), **queue_address(), "XP_CACHE": str(home.cache)},
            # A session of its own: neither Ctrl-C nor the end of our terminal reaches it.
            start_new_session=True,
        )
    _started[process] = home


def queue_address() -> dict[str, str]:
    """Return what a scheduler, and no job, is told of the queue's server."""
    return {name: os.environ[name] for name in WITHHELD if name in os.environ}


def sign_in(home: Home) -> None:
    """Write who schedules here; advice for people, as the lock is the truth."""
    seen = see_process(os.getpid())
    who = {"pid": os.getpid(), "host": host_name(), "boot_id": boot_id(), "start_time": seen.start if seen else 0}
    write_json(home.scheduler_file, {**who, "executor": read_executor(home), "since": time.time()})


def scheduler_place(home: Home) -> tuple[int, str] | None:
    """Return process and host of the scheduler that works here, as it has written down; None where it has not."""
    told = read_object(home.scheduler_file) or {}
    return (int(told["pid"]), str(told["host"])) if {"pid", "host"} <= told.keys() else None


def other_executor(home: Home) -> str | None:
    """Return where the scheduler that works here sends jobs, when that is not what the home has chosen since."""
    told = (read_object(home.scheduler_file) or {}).get("executor")
    return str(told) if told and told != read_executor(home) and scheduler_alive(home) else None


def sign_out(home: Home) -> None:
    with suppress(OSError):  # gone, or the home is
        home.scheduler_file.unlink()
