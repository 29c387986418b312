"""The rows of xp du add up to what the folders take, each file in one of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from engine.home.paths import Home
from engine.schedule.keep.remove import remove
from engine.schedule.keep.sizes import Ledger
from engine.schedule.keep.usage import KINDS, Use, cached_job, disk_use


def rows_of(home: Home) -> dict[str, Use]:
    return {row.name: row for row in disk_use(home)}


def test_the_rows_add_up_to_what_du_says(home: Home) -> None:
    told = subprocess.run(["du", "-sB1", str(home.root)], capture_output=True, text=True, check=True).stdout
    assert sum(row.bytes for row in disk_use(home)) == int(told.split()[0])


def test_what_two_use_is_counted_once(home: Home) -> None:
    rows = rows_of(home)
    assert rows["(shared)"].kinds["packs"] >= 9000
    assert rows["one"].kinds["packs"] == rows["two"].kinds["packs"] == 0
    assert rows["one"].shared == rows["two"].shared == rows["(shared)"].bytes
    remove(home, "two")
    rows = rows_of(home)
    assert "(shared)" not in rows
    assert rows["one"].kinds["packs"] >= 9000
    assert rows["(trash)"].bytes > 0


def test_kinds_are_told_apart(home: Home) -> None:
    attempt = home.job("train-a").attempt(1)
    attempt.artifacts.mkdir()
    (attempt.artifacts / "weights.safetensors").write_bytes(b"z" * 70_000)
    attempt.journal.write_bytes(b"{}\n" * 30_000)
    one = rows_of(home)["one"].kinds
    assert one["artifacts"] >= 70_000
    assert one["journals"] >= 90_000
    assert one["checkpoints"] >= 20_000
    assert one["targets"] >= 9000
    assert set(one) == set(KINDS)


def test_what_nobody_has_stands_alone(home: Home) -> None:
    nobody = rows_of(home)["(no experiment)"]
    assert nobody.kinds["packs"] >= 9000
    assert nobody.kinds["checkpoints"] >= 10_000


def test_a_home_in_a_folder_of_such_a_name_is_counted_right(tmp_path: Path, home: Home) -> None:
    moved = tmp_path / "checkpoints"
    home.root.rename(moved)
    nobody = rows_of(Home(moved, moved / "cache"))["(no experiment)"]
    assert nobody.kinds["rest"] > 0


def test_entries_of_a_cache_belong_to_their_jobs() -> None:
    names = ("pack-1", "pack-1.lock", "pack-1.0123abcd.tmp", "pack-1.x.lock")
    assert [cached_job(Path(name)) for name in names] == ["pack-1", "pack-1", "pack-1", "pack-1.x"]


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * 8000)
    ledger = Ledger()
    first = ledger.count(tmp_path / "one")
    os.link(tmp_path / "one", tmp_path / "two")
    assert first >= 8000
    assert ledger.count(tmp_path / "two") == 0
    (tmp_path / "loop").symlink_to(tmp_path)
    assert Ledger().count(tmp_path) < 3 * first + 8192
    assert Ledger().count(tmp_path / "gone") == 0
