"""The home folder: takes its root, gives every path under it, and the ways to write there that survive a kill.

No other file builds a name under the home folder. A file that must be whole or absent goes through `write_atomic`, a
folder through `publish_folder`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine.errors import HomeError

WRITERS = 8  # files that wait for the disk side by side


@dataclass(frozen=True)
class AttemptFolder:
    """`jobs/<job>/attempts/<k>`: everything one execution of a job writes, and nothing else does."""

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
        """The scheduler's verdict on this attempt; the one file here that the attempt does not write."""
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
        return [self.attempt(number) for number in sorted(int(name) for name in names if name.isdigit())]

    def winner(self) -> AttemptFolder | None:
        """Return the attempt whose result was committed, or None while the job is not done."""
        if not self.result.exists():
            return None
        return self.attempt(int(read_json(self.result)["attempt"]))

    def commit(self, attempt: AttemptFolder) -> bool:
        """Link the attempt's result as the job's; False when another attempt was first (that one counts)."""
        try:
            os.link(attempt.result, self.result)
        except FileExistsError:
            return False
        _sync(self.root)
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
    def digests(self) -> Path:
        return self.cache / "digests.json"

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
        found = [path for path in folder.glob("*.json") if path.stem.isdigit()] if folder.is_dir() else []
        return sorted(found, key=lambda path: int(path.stem))

    def job(self, job: str) -> JobFolder:
        return JobFolder(self.jobs_root / job)

    def jobs(self) -> list[JobFolder]:
        folder = self.jobs_root
        return [JobFolder(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []

    def changes(self, digest: str) -> Path:
        """The changes of the code against its commit that attempts ran with, by the digest in their provenance."""
        return self.root / "code" / f"{digest[:16]}.diff"

    def pack(self, job: str) -> Path:
        return self.cache / "pack" / job

    def targets(self, job: str) -> Path:
        return self.cache / "targets" / job


def open_home(root: str | Path | None = None, *, create: bool = False) -> Home:
    """Return the home at `root`, else at XP_HOME, else ./.xp; the cache at XP_CACHE, else inside it.

    Raises HomeError when it does not exist (and `create` is false) or cannot be made.
    """
    folder = Path(root or os.environ.get("XP_HOME") or ".xp").absolute()
    cache = Path(os.environ.get("XP_CACHE") or folder / "cache").absolute()
    home = Home(folder, cache)
    if create:
        _make_folders(home)
    elif not folder.is_dir():
        raise HomeError(
            "there is no home folder here yet",
            where=str(folder),
            fix="submit a spec first (xp submit SPEC), or name the right folder with --home or XP_HOME",
        )
    return home


def _make_folders(home: Home) -> None:
    try:
        for folder in (home.experiments_root, home.jobs_root, home.ingest_db.parent, home.cache):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fix = "name a folder that you may write with --home or XP_HOME (cache: XP_CACHE)"
        raise HomeError(f"cannot make the home folder: {error.strerror}", where=str(home.root), fix=fix) from error


def write_atomic(path: Path, data: bytes | memoryview | str) -> None:
    """Write `data` so that `path` is the old content or the new, whole, whatever is killed when."""
    beside = _name_beside(path)
    try:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)
        _sync(beside)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_together(files: Mapping[Path, str]) -> None:
    """Write many files, each as `write_atomic` does. They wait for the disk side by side: it syncs several at once."""
    beside = {path: _name_beside(path) for path in files}
    try:
        for path, text in files.items():
            beside[path].write_bytes(text.encode())
        _sync_all(list(beside.values()))
        for path in files:
            os.replace(beside[path], path)
        _sync_all(list({path.parent for path in files}))
    except BaseException:
        for left in beside.values():
            left.unlink(missing_ok=True)
        raise


def _sync_all(paths: Sequence[Path]) -> None:
    def sync_some(first: int) -> None:
        for path in paths[first::WRITERS]:
            _sync(path)

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(sync_some, range(WRITERS)))


def _name_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON through `write_atomic`."""
    write_atomic(path, encode_json(value))


def encode_json(value: Any) -> str:
    """Return `value` as JSON, keys sorted, its two outer levels laid out and each entry below them on a line.

    json lays out all levels in Python, which takes ten times as long: a second for a record of a thousand runs.
    """
    return _lay_out(value, 2, "\n") + "\n"


def _lay_out(value: Any, levels: int, pad: str) -> str:
    if not levels or not value or not isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, allow_nan=False)
    inner = pad + " "
    if isinstance(value, dict):
        entries = (f"{json.dumps(str(key))}: {_lay_out(value[key], levels - 1, inner)}" for key in sorted(value))
        return "{" + inner + ("," + inner).join(entries) + pad + "}"
    return "[" + inner + ("," + inner).join(_lay_out(item, levels - 1, inner) for item in value) + pad + "]"


def read_json(path: Path) -> Any:
    """Read JSON. Raises HomeError naming the file when it is damaged; FileNotFoundError stays itself."""
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        fix = "remove it if it can be made again, or restore it from a copy"
        raise HomeError(f"the file is damaged: {error}", where=str(path), fix=fix) from error


def publish_folder(
    final: Path, build: Callable[[Path], object], is_valid: Callable[[Path], bool], *, resume: bool = False
) -> bool:
    """Make the folder `final` by `build(tmp)` unless a valid one is there; return whether it was built.

    One builder at a time per folder, over all processes and homes (`<final>.lock`). The work lies in
    `<final>.<uuid>.tmp` until it is synced and renamed, so a killed builder leaves nothing that counts. With `resume`
    the newest such folder is handed to `build` as it was left; else it is empty.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_name(final.name + ".lock")):
        if final.is_dir() and is_valid(final):
            return False
        beside = _clear_leftovers(final, keep_newest=resume)
        if beside is None:
            beside = final.with_name(f"{final.name}.{uuid.uuid4().hex[:8]}.tmp")
            beside.mkdir()
        build(beside)
        _sync_tree(beside)
        os.replace(beside, final)
        _sync(final.parent)
    return True


def _clear_leftovers(final: Path, *, keep_newest: bool) -> Path | None:
    """Under the lock every `.tmp` of this key belongs to a dead builder, and an invalid folder to nobody.

    Return the newest of the dead builders' folders where that is to be kept.
    """
    pattern = re.compile(re.escape(final.name) + r"\.[0-9a-f]{8}\.tmp")
    left = sorted(
        (path for path in final.parent.iterdir() if pattern.fullmatch(path.name)), key=lambda path: path.stat().st_mtime
    )
    kept = left.pop() if left and keep_newest else None
    for path in left:
        shutil.rmtree(path)
    if final.exists():
        shutil.rmtree(final)
    return kept


def _sync_tree(root: Path) -> None:
    for path in _walk_files(root):
        _sync(path)
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        _sync(folder)


def _walk_files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file())


def _sync(path: Path) -> None:
    """Make a file durable, or the renames in a folder: a name lives in the folder, not in the file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
