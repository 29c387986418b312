"""The home folder: takes its root, gives every path under it.

Other files name only what lies inside a folder that they own (a cache entry, artifacts), or a temporary file beside.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import HomeError
from engine.home.checks import check_kinds, check_names, check_root, expand_folder, make_folders
from engine.home.files import read_json, sync_path
from engine.home.finding import usual_root

# As we write them: int() takes other digits too, and the store no number of any length.
NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
# Of jobs and experiments: no name that a terminal, a log or another encoding would make something else of.
OWN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
LONGEST_NAME = 255  # bytes: no file system takes more


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
    def branch(self) -> Path:  # a checkpoint with which longer trainings of the same settings may begin
        return self.root / "branch"

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
            # A link fails where the name exists, which a rename does not: nobody who comes later replaces the result.
            os.link(attempt.result, self.result)
        except FileExistsError:
            return False
        sync_path(self.root)  # on the disk before anybody acts on it
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
        return self.root / "sql_history"  # what was typed at the prompt of `xp sql`

    @property
    def ingest_db(self) -> Path:
        """The ingester's own file: never handed out, because a reader would block the writer."""
        return self.root / "cache" / "ingest.duckdb"

    @property
    def ingest_lock(self) -> Path:
        return self.root / "ingest.lock"

    @property
    def serve_token(self) -> Path:
        """What orders through the dashboard need: its owner's alone, also in a home that is shared."""
        return self.root / "serve.token"

    @property
    def scheduler_lock(self) -> Path:
        return self.root / "scheduler.lock"

    def host_lock(self, host: str) -> Path:
        """The lock of a host's scheduler, where those of several hosts share the queue."""
        return self.root / f"scheduler.{host.replace('/', '_')}.lock"

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

    @property
    def keep_lock(self) -> Path:
        """Held by what removes, and by a submission between its look at what is there and its rows in the queue."""
        return self.root / "keep.lock"

    @property
    def trash(self) -> Path:
        """What was removed and may still be brought back."""
        return self.root / "trash"

    @property
    def cache_trash(self) -> Path:
        """The same of the cache, which may lie on another file system; other homes have theirs there too."""
        return self.cache / "trash"

    @property
    def owns_cache(self) -> bool:
        """Whether the cache lies in the home. Another home may be told to use it all the same (XP_CACHE)."""
        return self.cache.resolve().is_relative_to(self.root.resolve())

    @property
    def cache_users(self) -> Path:
        """The homes that said they use this cache, a file for each."""
        return self.cache / "homes"

    @property
    def pilots_root(self) -> Path:
        """A folder for each pilot, through which jobs on other machines get their orders."""
        return self.root / "pilots"

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
        return sorted((self.root / "certificates" / experiment).glob("*.json"))

    @property
    def verify_root(self) -> Path:
        """Where `verify-resume` has its scratch homes while it works."""
        return self.root / "verify"

    @property
    def experiments_root(self) -> Path:
        return self.root / "experiments"

    # Asked for several times a job: to put paths together is what a scheduler of thousands does most.
    @cached_property
    def jobs_root(self) -> Path:
        return self.root / "jobs"

    def experiment(self, name: str) -> Path:
        return self.experiments_root / name

    def search_mark(self, name: str, suffix: str = "") -> Path:  # open; with .json: how far (schedule/searched.py)
        return self.experiment(name) / f"search{suffix}"

    def records(self, name: str) -> list[Path]:
        """Return the submissions of an experiment, `1.json`, `2.json`, ..., by number, oldest first."""
        folder = self.experiment(name)
        found = [path for path in folder.glob("*.json") if NUMBER.fullmatch(path.stem)] if folder.is_dir() else []
        return sorted(found, key=lambda path: int(path.stem))  # as text, 10.json comes before 9.json

    def notes(self, name: str) -> Path:
        """What a person wrote about an experiment: tags and a note."""
        return self.experiment(name) / "notes.json"

    @property
    def notices_root(self) -> Path:
        """Who is to be told when an experiment ends: a file for each, and one for how the last telling went."""
        return self.root / "notices"

    def notice(self, name: str) -> Path:
        """Who waits to be told of an experiment's end; an address may be a secret."""
        return self.notices_root / f"{name}.json"

    def told_notice(self, name: str) -> Path:
        """How the last telling of an experiment's end went. No experiment's name holds a dot."""
        return self.notices_root / f"{name}.told.json"

    def pins(self, name: str) -> Path:
        """What rests on an experiment's numbers elsewhere: a file for each frozen table and archive."""
        return self.experiment(name) / "pins"

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

    @property
    def own_code(self) -> Path:
        """The copies of people's own code that jobs run from, by digest; and what of it may run here."""
        return self.root / "own_code"

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


def is_own_name(text: str) -> bool:
    """Whether a job or experiment can be called so. What somebody typed may be a path out of the home."""
    return len(text) <= LONGEST_NAME and OWN_NAME.fullmatch(text) is not None


def open_home(root: str | Path | None = None, *, create: bool = False, required: bool = True) -> Home:
    """Return the home at `root`, else at XP_HOME, else `.xp` here or in the nearest folder above, else ./.xp.

    The cache is at XP_CACHE, else inside it; `~` is expanded.
    Raises HomeError when it is none, cannot be made, or does not exist (unless it is not `required`).
    """
    folder = expand_folder(root or usual_root())
    home = Home(folder, expand_folder(os.environ.get("XP_CACHE") or folder / "cache"))
    check_names(home.root, home.cache)
    check_root(home.root)
    files = (home.queue_db, home.results_db, home.control, home.scheduler_lock, home.ingest_lock, home.ingest_db)
    check_kinds(files, (home.experiments_root, home.jobs_root, home.cache))
    if create:
        make_folders(home.root, (home.experiments_root, home.jobs_root, home.ingest_db.parent, home.cache))
    elif required and not folder.is_dir():
        raise HomeError(
            "there is no home folder here yet",
            where=str(folder),
            fix="submit a spec first (xp submit SPEC), or name the right folder with --home or XP_HOME",
        )
    return home
