"""What disk a home lies on, and whether it does what xp relies on: each trial on a disk that fails it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.home.files import write_json
from engine.home.paths import Home
from engine.inspect import file_system
from engine.inspect.file_system import LOCK_FIX, QUEUE_FIX, Mount, find_mount, tell_file_system, try_disk
from tests.helpers.queueing import make_home

TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:40 / /data rw,relatime shared:2 - nfs4 server:/data rw,vers=4.2,acdirmax=30,local_lock=none
41 22 0:41 / /data/my\\040disk rw - tmpfs none rw
42 22 0:42 / /data/my\\040disk rw - lustre ost@tcp:/x rw,flock
nonsense
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("XP_QUEUE", raising=False)
    return make_home(tmp_path)


def mounted(monkeypatch: pytest.MonkeyPatch, kind: str, **options: str) -> None:
    monkeypatch.setattr(file_system, "find_mount", lambda _: Mount(kind, "/data", options))


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/x", "ext4"),
        ("/data", "nfs4"),
        ("/data/x/y", "nfs4"),
        ("/database", "ext4"),
        ("/data/my disk/x", "lustre"),
    ],
)
def test_the_mount_that_is_nearest_and_last_counts(folder: str, kind: str) -> None:
    found = find_mount(Path(folder), TABLE)
    assert found is not None
    assert found.kind == kind
    assert found.is_shared == (kind != "ext4")


def test_a_mount_has_its_options() -> None:
    found = find_mount(Path("/data"), TABLE)
    assert found is not None
    assert (found.options["acdirmax"], found.options["relatime"]) == ("30", "")
    assert find_mount(Path("/data"), "") is None


def test_this_machine_says_what_its_homes_lie_on(home: Home) -> None:
    assert find_mount(home.root) is not None


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "beegfs"])
def test_sqlite_on_a_shared_disk_is_warned_of(home: Home, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounted(monkeypatch, kind)
    is_well, what, fix = tell_file_system(home)
    assert not is_well
    assert "SQLite" in what
    assert fix == QUEUE_FIX
    monkeypatch.setenv("XP_QUEUE", "postgresql+psycopg://server/xp")
    assert tell_file_system(home)[0]


@pytest.mark.parametrize(
    ("kind", "options", "is_well"),
    [("nfs", {"nolock": ""}, False), ("nfs4", {"local_lock": "all"}, False), ("nfs4", {"local_lock": "none"}, True),
     ("lustre", {"localflock": ""}, False), ("lustre", {"flock": ""}, True)],
)  # fmt: skip
def test_locks_of_one_machine_are_no_locks(
    home: Home, monkeypatch: pytest.MonkeyPatch, kind: str, options: dict[str, str], is_well: bool
) -> None:
    monkeypatch.setenv("XP_QUEUE", "postgresql+psycopg://server/xp")
    mounted(monkeypatch, kind, **options)
    found = tell_file_system(home)
    assert (found[0], found[2]) == (is_well, "" if is_well else LOCK_FIX)


@pytest.mark.parametrize(
    ("options", "told"),
    [({}, "up to 60 s late"), ({"acdirmax": "5"}, "up to 5 s late"), ({"actimeo": "7"}, "up to 7 s late"),
     ({"noac": ""}, "not cached")],
)  # fmt: skip
def test_caching_is_told_by_the_mounts_options(
    home: Home, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], told: str
) -> None:
    mounted(monkeypatch, "nfs4", **options)
    assert told in tell_file_system(home)[1]


def test_a_disk_of_one_machine_is_told_as_that(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, "ext4")
    assert tell_file_system(home) == (True, "ext4 at /data, of this machine", "")
    write_json(home.executor_file, {"executor": "slurm"})
    assert "jobs run on others" in tell_file_system(home)[1]
    mounted(monkeypatch, "tmpfs")
    write_json(home.executor_file, {"executor": "local"})
    assert "gone with the machine" in tell_file_system(home)[1]


def test_a_disk_that_does_all_is_well_and_left_as_it_was(home: Home) -> None:
    before = sorted(home.root.iterdir())
    is_well, what, fix = try_disk(home.root)
    assert (is_well, fix) == (True, "")
    assert "hard links" in what
    assert sorted(home.root.iterdir()) == before


def test_one_machine_says_what_it_cannot_know(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "_ask_child", lambda code, path: answer(code, path))
    assert "only xp doctor there" not in try_disk(home.root)[1]
    mounted(monkeypatch, "nfs4")
    assert "only xp doctor there can tell" in try_disk(home.root)[1]


def answer(code: str, path: Path, lock: str = "held", text: str = "more") -> str:
    """What a second process does, without one."""
    if code == file_system.APPEND:
        path.write_text(path.read_text() + text)
    return lock


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "_ask_child", answer)


def test_a_lock_that_lets_others_in_is_bad(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "_ask_child", lambda code, path: answer(code, path, lock="free"))
    assert try_disk(home.root) == (False, "a lock does not keep another process out", LOCK_FIX)


def test_what_is_seen_late_is_bad(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "_ask_child", lambda code, path: answer(code, path, text=""))
    assert "not seen at once" in try_disk(home.root)[1]


@pytest.mark.usefixtures("fast")
def test_links_that_are_none_are_bad(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert "link: Operation not permitted" in try_disk(home.root)[1]
    monkeypatch.setattr(os, "link", lambda source, link: Path(link).write_text("x"))
    assert "a hard link is a copy" in try_disk(home.root)[1]


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize(("ahead", "told"), [(60.0, "60 s ahead of"), (-60.0, "60 s behind"), (2.0, "")])
def test_a_clock_that_is_off_is_bad(home: Home, monkeypatch: pytest.MonkeyPatch, ahead: float, told: str) -> None:
    monkeypatch.setattr(file_system, "time", SimpleNamespace(time=lambda: time.time() - ahead))
    is_well, what, _ = try_disk(home.root)
    assert is_well == (told == "")
    assert told in what


def test_what_cannot_be_written_is_not_tried(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert try_disk(tmp_path / "nowhere") == (True, "not tried: the home is not there yet", "")

    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("engine.inspect.file_system.tempfile.TemporaryDirectory", refuse)
    assert try_disk(home.root) == (True, "not tried: Read-only file system", "")
