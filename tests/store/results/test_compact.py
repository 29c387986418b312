"""A finished journal as Parquet: read back before it counts, durable before the journal goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from store.journal import JournalWriter
from store.results import Compacted, Compactor, is_whole
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


def test_file_is_whole_with_its_first_and_last_letters(tmp_path: Path) -> None:
    for text, found in ((b"PAR1..PAR1", True), (b"PAR1..PAR", False), (b"XAR1..PAR1", False), (b"PAR", False)):
        (tmp_path / "p").write_bytes(text)
        assert is_whole(tmp_path / "p") is found
    assert not is_whole(tmp_path / "absent")


def test_closed_compactor_leaves_no_staged_text(tmp_path: Path, folder: Path) -> None:
    compactor = Compactor(tmp_path / "stage")
    compactor.compact("train-a", 1, folder / "j", folder / "p")
    compactor.close()
    assert not (tmp_path / "stage").exists()
