"""`xp archive`: one file, whole or not at all, the same bytes each time, with a report made from what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from engine.archive.making import Made, make_archive
from engine.archive.members import ABOUT, CRATE, FORMATS, LICENCE, README, SUMS
from engine.archive.opened import is_known
from engine.collect import collect
from engine.errors import QueryError
from engine.home.files import read_json
from engine.home.pins import read_pins
from engine.report import make_report
from tests.archive.zips import read_all
from tests.helpers.synthetic import SyntheticHome


def test_the_same_home_gives_the_same_bytes(lived: SyntheticHome, made: Made, tmp_path: Path) -> None:
    again = make_archive(lived.home, ["paper"], tmp_path / "again.zip")
    assert again.path.read_bytes() == made.path.read_bytes()
    assert (again.members, again.about_sha256) == (made.members, made.about_sha256)


def test_members_come_sorted_and_without_times(made: Made) -> None:
    with zipfile.ZipFile(made.path) as packed:
        assert packed.namelist() == sorted(packed.namelist())
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(is_known(name) for name in packed.namelist())


def test_the_home_knows_what_rests_on_it(lived: SyntheticHome, made: Made) -> None:
    found = {pin.about.path: pin.about for pin in read_pins(lived.home, "paper")}
    about = found[str(made.path.absolute())]
    runs = read_json(lived.home.records("paper")[-1])["runs"]
    assert (about.kind, set(about.runs)) == ("archive", {run["run"] for run in runs})


def test_its_report_is_that_of_the_home(lived: SyntheticHome, made: Made, tmp_path: Path) -> None:
    """A report in which nothing runs says the same in both places."""
    collect(lived.home)
    pages = make_report(lived.home, "paper", FORMATS, tmp_path)
    inside = read_all(made.path)
    assert [inside[f"report/paper/{page.name}"] for page in pages] == [page.read_bytes() for page in pages]


def test_sums_are_read_by_sha256sum(made: Made, tmp_path: Path) -> None:
    with zipfile.ZipFile(made.path) as packed:
        packed.extractall(tmp_path)
    done = subprocess.run(["sha256sum", "--quiet", "-c", SUMS], cwd=tmp_path, check=False)
    assert done.returncode == 0
    told = {line.split("  ")[1] for line in (tmp_path / SUMS).read_text().splitlines()}
    assert told == set(read_all(made.path)) - {ABOUT, SUMS}
    about = (tmp_path / ABOUT).read_bytes()
    assert json.loads(about)["checksums"] == hashlib.sha256((tmp_path / SUMS).read_bytes()).hexdigest()
    assert made.about_sha256 == hashlib.sha256(about).hexdigest()


def test_only_what_is_asked_for_is_inside(lived: SyntheticHome, made: Made) -> None:
    inside = set(read_all(made.path))
    assert {ABOUT, SUMS, CRATE, README, LICENCE, "specs/paper.yaml", "specs/paper.resolved.json"} <= inside
    assert {"results/results.parquet", "results/predictions.parquet", "report/paper/report.tex"} <= inside
    assert not any("other" in name for name in inside)
    jobs = {name.split("/")[2] for name in inside if name.startswith("home/jobs/")}
    record = read_json(lived.home.records("paper")[-1])
    assert jobs == {job for run in record["runs"] for job in run["jobs"].values()}


def test_unknown_experiments_are_told_with_the_nearest(lived: SyntheticHome, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="there is no experiment 'papers'") as told:
        make_archive(lived.home, ["papers"], tmp_path / "x.zip")
    assert "'paper'" in told.value.fix
    assert list(tmp_path.iterdir()) == []


CHILD = """
import sys, pathlib
from engine.archive import pack
def slow(packed, name, path, add=pack._add):
    add(packed, name, path)
    pathlib.Path(sys.argv[2]).write_text("writing")
    import time; time.sleep(60)
pack._add = slow
pack.pack_folder(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[3]))
"""


def test_a_kill_leaves_no_half_file(tmp_path: Path) -> None:
    folder, mark, target = tmp_path / "stage", tmp_path / "mark", tmp_path / "out" / "x.zip"
    for path in (folder, target.parent):
        path.mkdir()
    (folder / "a").write_bytes(os.urandom(1 << 20))
    target.write_text("the one before")
    words = [sys.executable, "-c", CHILD, str(folder), str(mark), str(target)]
    child = subprocess.Popen(words, cwd=Path(__file__).parents[2])
    try:
        until = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < until:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    finally:
        child.wait()
    assert mark.exists()
    assert target.read_text() == "the one before"
