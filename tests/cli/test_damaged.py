"""A damaged home as a person meets it: each command says what is wrong and the cure by name, and the cure cures."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli import main
from engine.collect import collect
from engine.home.paths import Home
from engine.inspect import doctor
from engine.inspect.doctor import Finding
from tests.helpers.queueing import Probe, states, submit_probes
from tests.helpers.synthetic import Arm, SyntheticHome

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(doctor, "_imports", lambda: Finding("torch with timm", True, "loads"))
    monkeypatch.chdir(tmp_path)
    made = SyntheticHome(tmp_path / "home", sealed=True)
    made.experiment("paper", {"a": Arm()}, seeds=(0,))
    submit_probes(made.home, "probes", [Probe("train-1")])
    collect(made.home)
    return made.home


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Home) -> Said:
    """Run a command as a person does; return what it ends with and all it said."""

    def run(*words: str, place: Path | None = None) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["xp", *words, "--home", str(place or home.root)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run


def ruin(path: Path) -> None:
    for part in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        part.unlink(missing_ok=True)
    path.write_bytes(bytes(range(256)) * 40)


@pytest.mark.parametrize("words", [["status"], ["submit", str(QUICKSTART), "--no-start"], ["logs", "probes"]])
def test_a_queue_of_random_bytes_is_told_with_its_cure(home: Home, say: Said, words: list[str]) -> None:
    ruin(home.queue_db)
    code, said = say(*words)
    assert code == 2
    assert "queue.db: the queue is damaged, or of another version: file is not a database" in said
    assert "fix: xp rebuild --queue" in said
    assert say("rebuild", "--queue")[0] == 0
    assert set(states(home)) >= {"train-1"}
    assert say("status")[0] == 0


def test_a_queue_of_a_newer_xp_is_told_by_who_would_write(home: Home, say: Said) -> None:
    with sqlite3.connect(home.queue_db) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    code, said = say("submit", str(QUICKSTART), "--no-start")
    assert code == 2
    assert "the queue has schema 99" in said
    assert "fix: xp rebuild --queue" in said


def test_doctor_names_each_thing_that_is_ruined_and_ends_with_1(home: Home, say: Said) -> None:
    assert say("doctor", "--deep")[0] == 0
    ruin(home.queue_db)
    ruin(home.results_db)
    (home.experiment("paper") / "1.json").write_bytes(b"\xff")
    code, said = say("doctor", "--deep")
    assert code == 1
    bad = [line.split(":")[0].removeprefix("BAD ") for line in said.splitlines() if line.startswith("BAD")]
    assert bad == ["queue.db", "submissions", "results.duckdb", "experiments/paper/1.json", "results.duckdb"]
    assert "fix: xp rebuild --queue" in said
    assert "fix: xp rebuild makes it again" in said


def test_doctor_lives_where_there_is_no_home_and_where_a_file_is(tmp_path: Path, say: Said) -> None:
    assert say("doctor", "--deep", place=tmp_path / "absent")[0] == 0
    assert not (tmp_path / "absent").exists()
    (tmp_path / "file").write_text("no folder")
    code, said = say("doctor", "--deep", place=tmp_path / "file")
    assert code == 1
    assert f"BAD home: {tmp_path / 'file'}: this is no folder, which a home is" in said
    assert "fix: name a folder with --home or XP_HOME" in said


def test_results_that_are_cut_are_told_with_their_cure(home: Home, say: Said) -> None:
    whole = home.results_db.read_bytes()
    flipped = bytearray(whole)
    for place in range(20_000, len(whole), 500):
        flipped[place] ^= 1
    for raw in (whole[:5000], bytes(flipped)):
        home.results_db.write_bytes(raw)
        for words in (["sql", "select * from results"], ["report", "paper", "--missing"]):
            code, said = say(*words)
            assert code == 2
            assert "fix: xp rebuild makes it anew from the job folders" in said
    assert say("rebuild")[0] == 0
    assert say("sql", "select * from results")[0] == 0
