"""A finished journal as Parquet: read back before it counts, durable before the journal goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from store.journal import JournalWriter
from store.results import Compacted, Compactor, is_readable
from store.results.staging import compacted_lines
from tests.helpers.recording import DiskRecord


@pytest.fixture
def compactor(tmp_path: Path) -> Iterator[Compactor]:
    made = Compactor(tmp_path / "stage")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "attempt"
    made.mkdir()
    with JournalWriter(made / "j") as journal:
        journal.metric("a", 1.5, step=3, epoch=1)
        journal.predictions("test", ["s"], [1], [2], [0.5])
    return made


def read_parquet(path: Path, names: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as db:
        return db.execute(f"select {names} from read_parquet('{path}') order by seq").fetchall()


def test_parquet_file_is_durable_before_the_journal_goes(
    compactor: Compactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskRecord(folder, monkeypatch)
    done = compactor.compact("train-a", 2, folder / "j", folder / "p")
    assert disk.events == ["sync .p.tmp", "replace .p.tmp p", "sync .", "unlink j"]
    assert done == Compacted("train-a", 2, folder / "p", (folder / "p").stat().st_size)
    assert read_parquet(folder / "p", "job, attempt, seq, type, name, value, step, sample") == [
        ("train-a", 2, 1, "metric", "a", 1.5, 3, None),
        ("train-a", 2, 2, "predictions", None, None, None, ["s"]),
    ]


def test_file_that_reads_back_otherwise_never_counts(
    compactor: Compactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that keeps something else than it was given."""
    journal = (folder / "j").read_bytes()

    def damaged(files: list[Path]) -> str:
        return f"select * replace (value + 1 as value) from read_parquet('{files[0]}')"

    monkeypatch.setattr("store.results.compact.compacted_lines", damaged)
    assert compactor.compact("train-a", 1, folder / "j", folder / "p") is None
    assert [path.name for path in folder.iterdir()] == ["j"]
    assert (folder / "j").read_bytes() == journal


def test_file_that_lacks_a_line_never_counts(
    compactor: Compactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "store.results.compact.compacted_lines", lambda files: f"from read_parquet('{files[0]}') where seq = 1"
    )
    assert compactor.compact("train-a", 1, folder / "j", folder / "p") is None
    assert [path.name for path in folder.iterdir()] == ["j"]


@pytest.mark.parametrize(
    "text", ["", "torn", '{"v":2,"seq":3,"type":"metric"}\n', '{"v":1,"seq":3,"type":"x"}\n', "{oh\n"]
)
def test_journal_that_is_not_understood_stays(compactor: Compactor, folder: Path, text: str) -> None:
    (folder / "j").write_text(text)
    assert compactor.compact("train-a", 1, folder / "j", folder / "p") is None
    assert [path.name for path in folder.iterdir()] == ["j"]


@pytest.mark.parametrize("kind", ["metric", "measurement", "predictions", "teacher", "from", "fact"])
def test_every_kind_of_line_is_understood(compactor: Compactor, folder: Path, kind: str) -> None:
    (folder / "j").write_text(f'{{"v":1,"seq":1,"type":"{kind}","at":1.0}}\n')
    assert compactor.compact("train-a", 1, folder / "j", folder / "p") is not None


def test_journal_longer_than_a_chunk_is_compacted_whole(
    compactor: Compactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.results.compact.CHUNK", 10)
    assert compactor.compact("train-a", 1, folder / "j", folder / "p") is not None
    assert read_parquet(folder / "p", "seq") == [(1,), (2,)]


def test_a_compacted_journal_is_readable_when_all_its_rows_are(
    tmp_path: Path, folder: Path, compactor: Compactor
) -> None:
    with JournalWriter(folder / "j") as journal:
        for step in range(2000):
            journal.metric("loss", 1 / (step + 1), step=step, epoch=0)
    compactor.compact("train-a", 1, folder / "j", folder / "p")
    assert is_readable(folder / "p")
    raw = (folder / "p").read_bytes()
    for text in (b"", b"PAR1..PAR1", raw[:-1], raw[: len(raw) // 2] + raw[-8:], raw[:4] + bytes(400) + raw[404:]):
        (tmp_path / "p").write_bytes(text)
        assert not is_readable(tmp_path / "p")
    assert not is_readable(tmp_path / "absent")


def test_a_file_is_vouched_for_before_it_has_its_name(folder: Path, compactor: Compactor) -> None:
    with JournalWriter(folder / "j") as journal:
        journal.metric("loss", 1.0, step=1, epoch=0)
    seen: list[tuple[bytes, bool, bool]] = []

    def look(beside: Path) -> None:
        seen.append((beside.read_bytes(), (folder / "p").exists(), (folder / "j").exists()))

    compactor.compact("train-a", 1, folder / "j", folder / "p", look)
    assert seen == [((folder / "p").read_bytes(), False, True)]


@pytest.mark.parametrize(("name", "other"), [("a[b]", "ab"), ("star*", "start"), ("a[!b]", "ac"), ("it's", "its")])
def test_a_folder_with_the_letters_of_a_pattern_is_read_itself(tmp_path: Path, name: str, other: str) -> None:
    for place, value in ((name, 1.0), (other, 2.0)):
        (tmp_path / place).mkdir()
        with JournalWriter(tmp_path / place / "j") as journal:
            journal.metric("loss", value, step=int(value), epoch=0)
        compactor = Compactor(tmp_path / place / "stage")
        assert compactor.compact("train-a", 1, tmp_path / place / "j", tmp_path / place / "p") is not None
        compactor.close()
    with duckdb.connect() as db:
        assert db.execute(f"select value from ({compacted_lines([tmp_path / name / 'p'])})").fetchall() == [(1.0,)]


def test_closed_compactor_leaves_no_staged_text(tmp_path: Path, folder: Path) -> None:
    compactor = Compactor(tmp_path / "stage")
    compactor.compact("train-a", 1, folder / "j", folder / "p")
    compactor.close()
    assert not (tmp_path / "stage").exists()
