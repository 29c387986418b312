"""Copies of own code and images of sources go when no job names them, here, in the trash or in another home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from engine.home.paths import Home, open_home
from engine.home.users import other_users
from engine.inputs.own_code.keeping import keep_code, kept_at
from engine.inputs.own_images import images_root
from engine.schedule.keep.own_code import LATELY, spare_code, spare_images
from engine.schedule.keep.sweep import sweep
from engine.schedule.keep.undo import undo
from tests.helpers.keeping import put_experiment, put_job
from tests.inputs.own_code.writing import write_code

KEY, OTHER = "a" * 24, "b" * 24


def age(path: Path) -> None:
    for one in (path, *path.rglob("*")):
        os.utime(one, (one.stat().st_mtime - LATELY - 60,) * 2)


def keep(home: Home, tmp_path: Path, text: str) -> str:
    """Return the settled name of a copy that nobody asked for lately."""
    code = write_code(tmp_path / "lab", text)
    age(keep_code(home, code).parent)
    return code.settled


def put_images(home: Home, name: str) -> Path:
    folder = images_root(home) / name
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "0.png").write_bytes(b"z" * 7000)
    age(folder)
    return folder


def taken(home: Home) -> dict[str, str]:
    return {entry.path: entry.kind for entry in sweep(home).entries if entry.kind.startswith("own")}


def test_code_that_no_job_names_goes(home: Home, tmp_path: Path) -> None:
    used, spare = (keep(home, tmp_path, f"class Net:\n    width = {width}\n") for width in (1, 2))
    put_job(home, "train-own", settings={"network": {"arch": used}})
    put_experiment(home, "own", {"a@0": ["train-own"]}, {"train-own": []})
    (home.own_code / "trusted.json").write_text("{}")
    assert taken(home) == {f"own_code/{spare.partition('@')[2]}": "own code"}
    assert (home.own_code / used.partition("@")[2] / "files" / "lab_kept.py").is_file()
    assert (home.own_code / "trusted.json").is_file()


def test_code_stays_while_undo_may_bring_its_job_back(home: Home, tmp_path: Path) -> None:
    settled = keep(home, tmp_path, "class Net: ...\n")
    put_job(home, "train-lost", settings={"network": {"arch": settled}})
    first = sweep(home)
    assert "jobs/train-lost" in {entry.path for entry in first.entries}
    assert list(spare_code(home)) == []
    assert first.removal is not None
    undo(home, first.removal)
    assert home.job("train-lost").spec.is_file()
    assert (home.own_code / settled.partition("@")[2]).is_dir()


def test_code_of_a_plan_of_this_hour_stays(home: Home, tmp_path: Path) -> None:
    code = write_code(tmp_path / "lab")
    folder = keep_code(home, code).parent
    assert list(spare_code(home)) == []
    age(folder)
    assert list(spare_code(home)) == [folder]
    keep_code(home, code)
    assert kept_at(folder) > 0
    assert list(spare_code(home)) == [], "a plan asks for it again"


def test_nothing_goes_where_a_job_cannot_be_read(home: Home, tmp_path: Path) -> None:
    keep(home, tmp_path, "class Net: ...\n")
    home.job("train-a").spec.unlink()
    home.job("train-a").spec.mkdir()
    assert list(spare_code(home)) == []


def test_images_that_no_job_was_planned_with_go(home: Home) -> None:
    used, spare = put_images(home, KEY), put_images(home, OTHER)
    home.job("pack-p").details.write_text(f'{{"root": "{used}"}}\n')
    left = put_images(home, f"{KEY}.0123abcd.tmp")
    with FileLock(spare.with_name(f"{spare.name}.lock")):
        assert taken(home) == {f"own_images/{left.name}": "own images"}
    assert taken(home) == {f"own_images/{OTHER}": "own images"}
    assert used.is_dir()


def test_images_of_another_home_stay(home: Home, tmp_path: Path) -> None:
    folder = put_images(home, KEY)
    other = open_home(tmp_path / "other", create=True)
    put_job(other, "pack-q")
    other.job("pack-q").details.write_text(f'{{"root": "{folder}"}}\n')
    assert list(spare_images(home, [Home(other.root, home.cache)])) == []
    assert list(spare_images(home, [])) == [folder]
    assert other_users(home) == []


@pytest.mark.parametrize("name", ["trusted", "0123", "z" * 16])
def test_what_is_no_copy_is_left_alone(home: Home, name: str) -> None:
    (home.own_code / name).mkdir(parents=True)
    assert list(spare_code(home)) == []
