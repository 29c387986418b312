"""Where jobs can run, by name: takes a word of `--executor`, gives the launcher; a home remembers its word.

To add a place: its file beside this one, and its line in LAUNCHERS. Nothing is imported before it is wanted.
"""

from __future__ import annotations

from importlib import import_module

from engine.errors import XpError, closest_hint
from engine.home.files import read_object, write_json
from engine.home.paths import Home
from engine.launch import Launcher


def check_executor(name: str) -> None:
    """Raise XpError when jobs cannot run on `name`."""
    if name in LAUNCHERS:
        return
    raise XpError(f"there is no executor {name!r}", where="--executor", fix=closest_hint(name, LAUNCHERS))


def choose_executor(home: Home, name: str | None) -> str:
    """Let the jobs of this home run on `name` from now on (None: as before) and return the word that holds.

    It is written down, so that whoever starts the home's next scheduler starts the same. Raises XpError as above.
    """
    try_executor(home, name)
    return keep_executor(home, name)


def try_executor(home: Home, name: str | None) -> None:
    """Raise XpError when this machine lacks something for `name`: that is said before anything is queued."""
    if name is not None and name != read_executor(home):
        make_launcher(home, name, "engine.run", 1)


def keep_executor(home: Home, name: str | None) -> str:
    """Write down where the jobs of this home run from now on (None: as before), and return the word that holds."""
    if name is not None and name != read_executor(home):
        write_json(home.executor_file, {"executor": name})
    return read_executor(home)


def read_executor(home: Home) -> str:
    """Return where the jobs of this home run."""
    return str((read_object(home.executor_file) or {}).get("executor") or LOCAL)


def make_launcher(home: Home, name: str, preload: str, slots: int) -> Launcher:
    """Return the launcher of a place. Raises XpError when there is none, or it lacks something here."""
    check_executor(name)
    module, _, place = LAUNCHERS[name].partition(":")
    made: Launcher = getattr(import_module(module), place).make(home, preload, slots)
    return made


LOCAL = "local"
LAUNCHERS = {
    LOCAL: "engine.launch.local:LocalLauncher",
    "slurm": "engine.launch.slurm:SlurmLauncher",
    "slurm-jobs": "engine.launch.slurm:WholeJobsLauncher",
    "ray": "engine.launch.ray:RayLauncher",
    "ray-jobs": "engine.launch.ray:RayJobsLauncher",
}
