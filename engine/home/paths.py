"""The home folder: takes its root, gives every path under it.

Other files name only what lies inside a folder that they own (a cache entry, artifacts), or a temporary file beside.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from engine.errors import HomeError
from engine.home.access import make_inside, make_root
from engine.home.files import read_json, sync_path

# As we write them: int() takes other digits too, and the store no number of any length.
NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
# Of jobs and experiments: no name that a terminal, a log or another encoding would make something else of.
OWN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class AttemptFolder:
    """`jobs/<job>/attempts/<k>`: what one execution of a job writes; its verdict and compacted journal come later."""

    root: Path

    @property
    def number(self) -> int:
        return int(self.root.name)

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def compacted(self) -> Path:
        """The journal of a job that is done, as Parquet; where it is, it is the truth."""
        return self.root / "journal.parquet"

    @property
    def compacted_sum(self) -> Path:
        """The checksum of `compacted`, which is written before it has its name."""
        return self.root / "journal.parquet.json"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    @property
    def heartbeat(self) -> Path:
        return self.root / "heartbeat.json"

    @property
    def handle(self) -> Path:
        return self.root / "handle.json"

    @property
    def provenance(self) -> Path:
        return self.root / "provenance.json"

    @property
    def outcome(self) -> Path:
        """The scheduler's verdict on this attempt, which the attempt does not write itself."""
        return self.root / "outcome.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def result(self) -> Path:
        return self.root / "result.json"


@dataclass(frozen=True)
class JobFolder:
    """`jobs/<job>`: what was hashed, the attempts, and the winner's result."""

    root: Path

    @property
    def job(self) -> str:
        return self.root.name

    @property
    def spec(self) -> Path:
        return self.root / "spec.json"

    @property
    def details(self) -> Path:
        """How the job is done, never what comes out: where its inputs lie, what it may use. No part of its id."""
        return self.root / "details.json"

    @property
    def control(self) -> Path:
        return self.root / "control.jsonl"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    def attempt(self, number: int) -> AttemptFolder:
        return AttemptFolder(self.root / "attempts" / str(number))

    def attempts(self) -> list[AttemptFolder]:
        """Return the attempts there are, oldest first."""
        folder = self.root / "attempts"
        names = [name.name for name in folder.iterdir()] if folder.is_dir() else []
        # As numbers: as text, 10 comes before 9.
        return [self.attempt(number) for number in sorted(int(name) for name in names if NUMBER.fullmatch(name))]

    def winner(self) -> AttemptFolder | None:
        """Return the attempt whose result was committed, or None while the job is not done.

        Raises HomeError when the result is damaged.
        """
        if not self.result.exists():
            return None
        told = read_json(self.result)
        number = told.get("attempt") if isinstance(told, dict) else None
        if not isinstance(number, int):
            fix = f"restore it from a copy; or remove {self.root} and submit again, which does the job anew"
            raise HomeError("the file is damaged: it names no attempt", where=str(self.result), fix=fix)
        return self.attempt(number)

    def commit(self, attempt: AttemptFolder) -> bool:
        """Link the attempt's result as the job's; False when another attempt was first (that one counts)."""
        try:
            # A link fails where the name exists, which a rename does not: whoever comes later cannot replace the
            # result.
            os.link(attempt.result, self.result)
        except FileExistsError:
            return False
        # On the disk before anybody acts on it.
        sync_path(self.root)
        return True


@dataclass(frozen=True)
class Home:
    """One home folder. `cache` may be shared by several homes; all else belongs to this one."""

    root: Path
    cache: Path

    @property
    def queue_db(self) -> Path:
        return self.root / "queue.db"

    @property
    def results_db(self) -> Path:
        return self.root / "results.duckdb"

    @property
    def sql_history(self) -> Path:
        """What was typed at the prompt of `xp sql`."""
        return self.root / "sql_history"

    @property
    def ingest_db(self) -> Path:
        """The ingester's own file: never handed out, because a reader would block the writer."""
        return self.root / "cache" / "ingest.duckdb"

    @property
    def ingest_lock(self) -> Path:
        return self.root / "ingest.lock"

    @property
    def scheduler_lock(self) -> Path:
        return self.root / "scheduler.lock"

    @property
    def scheduler_log(self) -> Path:
        return self.root / "scheduler.log"

    @property
    def scheduler_file(self) -> Path:
        """Who schedules here now: pid, host, start time. Advisory; the lock is the truth."""
        return self.root / "scheduler.json"

    @property
    def executor_file(self) -> Path:
        """Where the jobs of this home run, when somebody chose."""
        return self.root / "executor.json"

    @property
    def control(self) -> Path:
        """Orders about more jobs than are told one by one in their own `control.jsonl`; one order a line."""
        return self.root / "control.jsonl"

    def slot_marks(self, host: str) -> Path:
        """What was found against the GPUs of a machine: one file for each."""
        return self.root / "slots" / host.replace("/", "_")

    @property
    def digests(self) -> Path:
        return self.cache / "digests.json"

    @property
    def tensors(self) -> Path:
        """Digests of weights files without their headers, by path, size and mtime."""
        return self.cache / "tensors.json"

    @property
    def fits(self) -> Path:
        """Which weights files fit which networks, by what decides it: it only saves time."""
        return self.cache / "fits.json"

    @property
    def speeds(self) -> Path:
        """How fast networks and loaders are on devices, for estimates: it only saves time."""
        return self.cache / "speeds.json"

    def latencies(self, device: str) -> Path:
        """What operators take on a device, by which latency is foretold; it decides the widths of a share of it."""
        return self.cache / "latency" / f"{re.sub(r'[^A-Za-z0-9]+', '_', device)[:100]}.json"

    @property
    def compiled(self) -> Path:
        """What torch.compile made of training steps; in the home wherever XP_CACHE is, since it is code that runs."""
        return self.root / "cache" / "compiled"

    @property
    def attention_times(self) -> Path:
        """Times of attention backends as measured on devices, by which `backend: auto` chooses."""
        return self.cache / "attention_times.json"

    def certificate(self, experiment: str, host: str) -> Path:
        """Whether an experiment's trainings resume to the same bits on a machine."""
        return self.root / "certificates" / experiment / f"{host.replace('/', '_')}.json"

    def certificates(self, experiment: str) -> list[Path]:
        folder = self.root / "certificates" / experiment
        return sorted(folder.glob("*.json")) if folder.is_dir() else []

    @property
    def verify_root(self) -> Path:
        """Where `verify-resume` has its scratch homes while it works."""
        return self.root / "verify"

    @property
    def experiments_root(self) -> Path:
        return self.root / "experiments"

    @property
    def jobs_root(self) -> Path:
        return self.root / "jobs"

    def experiment(self, name: str) -> Path:
        return self.experiments_root / name

    def records(self, name: str) -> list[Path]:
        """Return the submissions of an experiment, `1.json`, `2.json`, ..., oldest first."""
        folder = self.experiment(name)
        found = [path for path in folder.glob("*.json") if NUMBER.fullmatch(path.stem)] if folder.is_dir() else []
        # As numbers: as text, 10.json comes before 9.json.
        return sorted(found, key=lambda path: int(path.stem))

    def job(self, job: str) -> JobFolder:
        return JobFolder(self.jobs_root / job)

    def jobs(self) -> list[JobFolder]:
        return [JobFolder(path) for path in _own_folders(self.jobs_root)]

    def experiments(self) -> list[Path]:
        """Return the folder of each experiment, by name."""
        return _own_folders(self.experiments_root)

    def changes(self, digest: str) -> Path:
        """The changes of the code against its commit that attempts ran with, by the digest in their provenance."""
        return self.root / "code" / f"{digest[:16]}.diff"

    def pack(self, job: str) -> Path:
        return self.cache / "pack" / job

    def targets(self, job: str) -> Path:
        return self.cache / "targets" / job


def _own_folders(root: Path) -> list[Path]:
    """Return the folders that xp may have made, by name.

    What else lies there (a file of a copy, a pipe, a link to nowhere) is not ours and stops nothing.
    """
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        return sorted(root / one.name for one in entries if OWN_NAME.fullmatch(one.name) and _is_folder(one))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def open_home(root: str | Path | None = None, *, create: bool = False, required: bool = True) -> Home:
    """Return the home at `root`, else at XP_HOME, else ./.xp; the cache at XP_CACHE, else inside it; `~` is expanded.

    Raises HomeError when it is none, cannot be made, or does not exist (unless it is not `required`).
    """
    folder = _name_folder(root or os.environ.get("XP_HOME") or ".xp")
    cache = _name_folder(os.environ.get("XP_CACHE") or folder / "cache")
    home = Home(folder, cache)
    _check_names(home)
    if _is_other_thing(folder):
        fix = "name a folder with --home or XP_HOME"
        raise HomeError("this is no folder, which a home is", where=str(folder), fix=fix)
    _check_kinds(home)
    if create:
        _make_folders(home)
    elif required and not folder.is_dir():
        raise HomeError(
            "there is no home folder here yet",
            where=str(folder),
            fix="submit a spec first (xp submit SPEC), or name the right folder with --home or XP_HOME",
        )
    return home


def _name_folder(path: str | Path) -> Path:
    """No shell expands what stands behind `--home=` or in a file of settings."""
    return Path(os.path.expanduser(path)).absolute()


def _is_other_thing(folder: Path) -> bool:
    try:
        return folder.exists() and not folder.is_dir()
    except OSError as error:  # a name that is too long, a folder above that may not be entered
        fix = "name another folder with --home or XP_HOME"
        raise HomeError(f"there can be no home here: {error.strerror}", where=str(folder), fix=fix) from error


def _check_kinds(home: Home) -> None:
    """Refuse a home in which something else has the place of one of its files or folders.

    Opening a pipe waits for ever, and a device has no end. Raises HomeError.
    """
    files = (home.queue_db, home.results_db, home.control, home.scheduler_lock, home.ingest_lock, home.ingest_db)
    for path in (*files, home.experiments_root, home.jobs_root, home.cache):
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _wrong_kind(path, "is a link to itself") from error
            continue  # none yet; or one that we may not see, which whoever needs it says better
        if path in files and not stat.S_ISREG(mode):
            raise _wrong_kind(path, "is no file, as it has to be")
        if path not in files and not stat.S_ISDIR(mode):
            raise _wrong_kind(path, "is no folder, as it has to be")


def _wrong_kind(path: Path, what: str) -> HomeError:
    fix = "move it away: xp makes its own again; what xp had there comes back from a copy"
    return HomeError(f"what lies here {what}", where=str(path), fix=fix)


# File systems of the kernel, in which nobody can put a file.
KERNEL = ("/proc", "/sys")
# What the results' database cuts or splits a path at: it would open another file, perhaps of another home.
UNUSABLE = "?\\"


def _check_names(home: Home) -> None:
    """Refuse, before anything is written, a path that not everything here can open. Raises HomeError."""
    name, fix = str(home.root), "name another folder with --home or XP_HOME, or rename this one"
    found = [letter for letter in UNUSABLE if letter in str(home.root.resolve())]
    if found:
        what = f"the path of a home may not hold {' or '.join(found)}: the results' database cannot open it"
        raise HomeError(what, where=name, fix=fix)
    for place in (Path(os.path.realpath(home.root)), Path(os.path.realpath(home.cache))):
        if place == place.parent or any(place.is_relative_to(kernel) for kernel in KERNEL):
            raise HomeError("there can be no home here: this folder is the system's", where=str(place), fix=fix)
    for path in (home.root, home.cache):
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            where = os.fsencode(path).decode(errors="replace")
            raise HomeError("the path is not UTF-8, which files here are written in", where=where, fix=fix) from error


def _make_folders(home: Home) -> None:
    try:
        make_root(home.root)
        for folder in (home.experiments_root, home.jobs_root, home.ingest_db.parent, home.cache):
            make_inside(folder, home.root)
    except OSError as error:
        fix = "name a folder that you may write with --home or XP_HOME (cache: XP_CACHE)"
        raise HomeError(f"cannot make the home folder: {error.strerror}", where=str(home.root), fix=fix) from error
