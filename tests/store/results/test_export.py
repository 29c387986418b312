"""The results as Parquet: every relation, the same bytes each time, and rows that can be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.collect import collect
from store.readonly import StoreError
from store.results import count_rows, export_relations, open_snapshot, read_names, same_rows
from store.results.export import UNPACKED
from tests.helpers.synthetic import Arm, SyntheticHome


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SyntheticHome:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.experiment("paper", {"a": Arm(images=20), "b": Arm(0.7, images=20)}, (0, 1))
    collect(made.home)
    return made


def test_every_relation_has_its_file_and_rows(made: SyntheticHome, tmp_path: Path) -> None:
    files = export_relations(made.home, tmp_path / "out")
    assert {path.stem for path in files} == set(read_names(made.home)) - set(UNPACKED)
    with open_snapshot(made.home) as db:
        for path in files:
            row = db.execute(f"select count(*) from {path.stem}").fetchone()
            assert row == (count_rows(path),)


def test_the_same_results_give_the_same_bytes(made: SyntheticHome, tmp_path: Path) -> None:
    first, second = (export_relations(made.home, tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_rows_are_told_apart(made: SyntheticHome, tmp_path: Path) -> None:
    files = {path.stem: path for path in export_relations(made.home, tmp_path / "it's [1]")}
    assert same_rows(files["runs"], files["runs"])
    other = SyntheticHome(tmp_path / "other")
    other.experiment("paper", {"a": Arm(0.61, images=20), "b": Arm(0.7, images=20)}, (0, 1))
    collect(other.home)
    theirs = {path.stem: path for path in export_relations(other.home, tmp_path / "theirs")}
    assert not same_rows(files["predictions"], theirs["predictions"])


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no")
    with pytest.raises(StoreError, match="cannot read a Parquet file"):
        count_rows(tmp_path / "x.parquet")
