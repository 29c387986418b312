"""The disk that a home lies on: takes a folder, says what file system it is and whether it does what xp relies on.

xp relies on four things: a lock that holds against other processes, a rename that replaces as a whole, a hard link and
a folder that only the first one makes. They are tried out in a folder that is removed again. One machine cannot see
what another one sees; of that only the mount's options tell something, and what cannot be known is said.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.home.files import write_atomic
from engine.home.paths import Home
from engine.launch.places import LOCAL, read_executor

MOUNTS = Path("/proc/self/mountinfo")
# By the name that the kernel has for it; what a virtual machine gets of its one host (9p, virtiofs) is not shared.
SHARED = {
    "nfs", "nfs4", "lustre", "beegfs", "gpfs", "ceph", "fuse.ceph", "cifs", "smb3", "fuse.glusterfs", "fuse.sshfs",
    "panfs", "wekafs", "afs", "pvfs2", "ocfs2", "gfs2", "fuse.juicefs", "fuse.drive", "fuse.s3fs", "fuse.rclone",
}  # fmt: skip
MEMORY = {"tmpfs", "ramfs"}
NFS = {"nfs", "nfs4"}
NFS_SECONDS = 60  # acdirmax where the mount does not say otherwise, nfs(5)
QUEUE_VARIABLE = "XP_QUEUE"
MOST_SKEW = 5.0  # seconds; beats come every two
CHILD_SECONDS = 60.0
TRY_LOCK = (
    "import fcntl, sys\n"
    "try: fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    "except BlockingIOError: print('held')\n"
    "else: print('free')"
)
APPEND = "import sys; open(sys.argv[1], 'a').write('more')"
Judged = tuple[bool, str, str]
"""Whether all is well, what was found, what to do."""


@dataclass(frozen=True)
class Mount:
    """What is mounted where: `options` of the mount and of its file system."""

    kind: str
    place: str
    options: Mapping[str, str]

    @property
    def is_shared(self) -> bool:
        return self.kind in SHARED


def find_mount(folder: Path, table: str | None = None) -> Mount | None:
    """Return what a folder, or the first one above it that is there, is mounted from; None where the kernel says not.

    `table` as proc_pid_mountinfo(5) has it.
    """
    try:
        lines = (MOUNTS.read_text() if table is None else table).splitlines()
    except OSError:
        return None
    real = Path(os.path.realpath(folder))
    mounts = [mount for mount in map(_read_mount, lines) if mount and real.is_relative_to(mount.place)]
    # The last of two at one place lies over the first.
    return max(enumerate(mounts), key=lambda one: (len(one[1].place), one[0]), default=(0, None))[1]


def _read_mount(line: str) -> Mount | None:
    left, _, right = line.partition(" - ")
    words, more = left.split(), right.split()
    if len(words) < 6 or len(more) < 3:
        return None
    place = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), words[4])
    pairs = (word.partition("=") for word in (*words[5].split(","), *more[2].split(",")))
    return Mount(more[0], place, {name: value for name, _, value in pairs})


def tell_file_system(home: Home) -> Judged:
    """Say what the home lies on, and what does not go well there: SQLite on a shared disk, locks of one machine."""
    mount = find_mount(home.root)
    if mount is None:
        return True, "unknown: the kernel does not say what is mounted", ""
    told = [f"{mount.kind} at {mount.place}, {_whose(mount, home)}"]
    if mount.kind in NFS:
        told.append(_tell_caching(mount))
    if mount.is_shared and not os.environ.get(QUEUE_VARIABLE):
        told.append("queue.db is SQLite, which may lose its locks there when two hosts use it")
        return False, "; ".join(told), QUEUE_FIX
    if _locks_alone(mount):
        told.append("its locks hold on this machine alone: two could schedule at once")
        return False, "; ".join(told), LOCK_FIX
    return True, "; ".join(told), ""


def _whose(mount: Mount, home: Home) -> str:
    if mount.is_shared:
        return "shared with other machines"
    if read_executor(home) != LOCAL:
        return "of this machine, while jobs run on others: they must see the home under this very path"
    return "in memory: it is gone with the machine" if mount.kind in MEMORY else "of this machine"


def _tell_caching(mount: Mount) -> str:
    """Say how late another machine may see a new file, which cannot be tried out from here."""
    options = mount.options
    if "noac" in options:
        return "attributes are not cached"
    seconds = next((options[name] for name in ("acdirmax", "actimeo") if options.get(name, "").isdigit()), NFS_SECONDS)
    return f"another machine may see a new file up to {seconds} s late (attribute caching)"


def _locks_alone(mount: Mount) -> bool:
    options = mount.options
    if mount.kind == "lustre":
        return "localflock" in options
    return mount.kind in NFS and ("nolock" in options or options.get("local_lock") in ("all", "flock"))


def try_disk(root: Path) -> Judged:
    """Try out what xp relies on, in a folder of its own inside `root`; say which of it does not hold."""
    if not root.is_dir():
        return True, "not tried: the home is not there yet", ""
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=root) as folder:
            found = [(problem, fix) for trial, fix in TRIALS if (problem := _guarded(trial, Path(folder)))]
            skew = measure_skew(Path(folder))
    except OSError as error:
        return True, f"not tried: {error.strerror}", ""
    if abs(skew) > MOST_SKEW:
        side = "ahead of" if skew > 0 else "behind"
        found.append((f"its clock is {abs(skew):.0f} s {side} this machine's", "set both by one time server (NTP)"))
    if found:
        fixes = dict.fromkeys(fix for _, fix in found)
        return False, "; ".join(problem for problem, _ in found), "; ".join(fixes)
    told = f"locks, rename, hard links, new folders hold; its clock agrees to {abs(skew):.2f} s"
    return True, told + _unknown(root), ""


def _unknown(root: Path) -> str:
    mount = find_mount(root)
    if mount is None or not mount.is_shared:
        return ""
    return "; tried by two processes of this machine: what another one sees, only xp doctor there can tell"


def _guarded(trial: Callable[[Path], str], folder: Path) -> str:
    try:
        return trial(folder)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{trial.__name__.removeprefix('try_')}: {getattr(error, 'strerror', None) or error}"


def try_lock(folder: Path) -> str:
    """A process that asks for a lock that we have must not get it."""
    path = folder / "lock"
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        answer = _ask_child(TRY_LOCK, path)
    return "" if answer == "held" else "a lock does not keep another process out"


def try_rename(folder: Path) -> str:
    """A file that is replaced has the new text, and what another process adds to it is seen at once."""
    path = folder / "file"
    write_atomic(path, "first")
    write_atomic(path, "second ")
    _ask_child(APPEND, path)
    return "" if path.read_text() == "second more" else "what another process wrote is not seen at once"


def try_link(folder: Path) -> str:
    """A second link of the same name fails: that is how the first of two results wins."""
    source, link = folder / "source", folder / "link"
    source.write_text("x")
    os.link(source, link)
    if link.stat().st_nlink != 2:
        return "a hard link is a copy"
    try:
        os.link(source, link)
    except FileExistsError:
        return ""
    return "a hard link replaces what is there"


def try_folder(folder: Path) -> str:
    """A second folder of the same name fails: that is how the first of two attempts wins."""
    (folder / "one").mkdir()
    try:
        (folder / "one").mkdir()
    except FileExistsError:
        return ""
    return "a folder can be made twice"


def measure_skew(folder: Path) -> float:
    """Return by how many seconds the clock that stamps files is ahead of this machine's, 0 where it lies between."""
    before = time.time()
    path = folder / "clock"
    path.write_text("x")
    stamped, after = path.stat().st_mtime, time.time()
    # The kernel stamps by its tick, which may be some milliseconds old.
    return max(0.0, stamped - after) or min(0.0, stamped - before)


def _ask_child(code: str, path: Path) -> str:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code, str(path)], stdout=subprocess.PIPE) as child:
        told, _ = child.communicate(timeout=CHILD_SECONDS)
    return told.decode(errors="replace").strip()


QUEUE_FIX = (
    f"let the commands and the scheduler run on one host alone; for several put the queue on a PostgreSQL server"
    f" ({QUEUE_VARIABLE}=postgresql+psycopg://..., then xp rebuild --queue)"
)
LOCK_FIX = (
    "have it mounted with locks that all machines share (NFS without nolock and local_lock, Lustre with flock),"
    " or put the home on another disk with --home"
)
OTHER_DISK = "put the home on a disk of another kind with --home"
TRIALS: tuple[tuple[Callable[[Path], str], str], ...] = (
    (try_lock, LOCK_FIX),
    (try_rename, OTHER_DISK),
    (try_link, OTHER_DISK),
    (try_folder, OTHER_DISK),
)
