"""A .zip of somebody else's: hostile ones are refused before anything of them is written or inflated."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.archive.making import Made
from engine.archive.members import ABOUT, HOME
from engine.archive.opened import is_known, open_members, read_about
from engine.errors import ArchiveError, DataError
from tests.archive.zips import forge, read_all

Spoil = Callable[[zipfile.ZipFile], None]


def _add(name: str, data: bytes = b"x", **about: int) -> Spoil:
    def spoil(packed: zipfile.ZipFile) -> None:
        packed.writestr(name, data)
        for key, value in about.items():
            setattr(packed.infolist()[-1], key, value)

    return spoil


LINK = (stat.S_IFLNK | 0o777) << 16
HOSTILE: dict[str, tuple[Spoil, str]] = {
    "slip": (_add("../../evil"), "leads out of the archive"),
    "root": (_add("/etc/evil"), "leads out of the archive"),
    "drive": (_add("C:\\evil"), "leads out of the archive"),
    "link": (_add(f"{HOME}/jobs/a/spec.json", b"/etc/passwd", external_attr=LINK), "is a link"),
    "twice": (_add(ABOUT), "two members have this name"),
    "queue": (_add(f"{HOME}/queue.db"), "no archive of xp has such a member"),
    "hidden": (_add(f"{HOME}/jobs/train-1/.hidden"), "no archive of xp has such a member"),
    "code": (_add("engine/__init__.py"), "no archive of xp has such a member"),
    "large": (_add(f"{HOME}/jobs/a/spec.json", file_size=3 * 10**9), "3,000,000,000 bytes"),
    "encrypted": (_add(f"{HOME}/jobs/a/spec.json", flag_bits=1), "encrypted"),
    "control": (_add(f"{HOME}/jobs/a\x1b[2J/spec.json"), "control characters"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_members_are_refused(case: str, made: Made, tmp_path: Path) -> None:
    spoil, says = HOSTILE[case]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for name, data in read_all(made.path).items():
            packed.writestr(name, data)
        spoil(packed)
    with pytest.raises(ArchiveError, match=says), open_members(tmp_path / "x.zip"):
        pass


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_LIMITS", "archive_ratio=50 image_bytes=1M")
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(ABOUT, b"0" * (8 << 20))
    with pytest.raises(ArchiveError, match="it unpacks to more than"), open_members(tmp_path / "x.zip"):
        pass


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"no zip at all" * 100])
def test_what_is_no_archive_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(ArchiveError, match="it cannot be read"), open_members(tmp_path / "x.zip"):
        pass


def test_a_file_that_is_not_there_is_a_wrong_word(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"), open_members(tmp_path / "x.zip"):
        pass


def test_a_zip_of_photographs_is_no_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("ant/1.png", b"x")
    with pytest.raises(ArchiveError, match="no archive of xp has such a member"), open_members(tmp_path / "x.zip"):
        pass


@pytest.mark.parametrize(
    ("about", "says"),
    [(b"{}", "it is damaged: Field required"), (b"[" * 100_000, "it is damaged"), (b'"x"', "it is damaged")],
)
def test_an_archive_that_says_nothing_of_itself_is_refused(about: bytes, says: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(ABOUT, about)
    with open_members(tmp_path / "x.zip") as members, pytest.raises(ArchiveError, match=says):
        read_about(members)


def test_another_version_is_refused(made: Made, tmp_path: Path) -> None:
    inside = read_all(made.path)
    inside[ABOUT] = inside[ABOUT].replace(b'"version": 1', b'"version": 9')
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for name, data in forge(inside).items():
            packed.writestr(name, data)
    with open_members(tmp_path / "x.zip") as members, pytest.raises(ArchiveError, match="version 9"):
        read_about(members)


@pytest.mark.parametrize(
    ("name", "known"),
    [("results/runs.parquet", True), ("report/paper/maps/a b/1.png", True), ("report/_all/report.md", True),
     ("home/experiments/paper/1.json", True), ("home/code/0a.diff", True), ("home/experiments", False),
     ("results/", False), ("results/../x", False), ("home/executor.json", False), ("checksums.sha256", True)],
)  # fmt: skip
def test_names_are_those_of_archives_alone(name: str, known: bool) -> None:
    assert is_known(name) is known
