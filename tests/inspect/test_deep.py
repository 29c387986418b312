"""Every file against its checksum: what is damaged is named with its cure, and the rest is counted as whole."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.collect import collect
from engine.core.data.pack import write_pack
from engine.core.data.sources import list_images
from engine.home.files import read_json, write_json
from engine.inspect.deep import examine_files
from engine.inspect.doctor import Finding
from engine.spec import Data
from engine.spec.identity import digest_of
from store.queue import Queue
from tests.helpers.queueing import Probe, make_record
from tests.helpers.synthetic import Arm, SyntheticHome


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    made = SyntheticHome(tmp_path / "home", sealed=True)
    made.train("train-a", Arm(), 0)
    made.explain("explain-b", "train-a", 9)
    return made


def bad(made: SyntheticHome) -> dict[str, Finding]:
    return {one.name: one for one in examine_files(made.home, lambda *_: None) if not one.is_well}


def test_a_whole_home_is_said_to_be_whole_and_progress_is_told(made: SyntheticHome) -> None:
    told: list[tuple[int, int]] = []
    (found,) = examine_files(made.home, lambda *steps: told.append(steps))
    assert found.is_well
    assert found.what.startswith("2 jobs with 9 files of 0.0 MB are as they were committed; 0 packs")
    assert told[-1] == (3, 3)


def test_an_artifact_is_named_with_its_cure(made: SyntheticHome) -> None:
    path = made.home.job("explain-b").attempt(1).artifacts / "map_001.png"
    path.write_bytes(path.read_bytes()[:-1])
    (found,) = bad(made).values()
    assert found.name == "jobs/explain-b/attempts/1/artifacts/map_001.png"
    assert "bytes and had" in found.what
    assert "restore it from a copy, then `xp rebuild`" in found.fix


def test_a_job_that_cannot_be_examined_keeps_no_other_from_it(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.inspect import deep

    def fail_on(folder: object, **_: object) -> list[object]:
        if "explain-b" in str(folder):
            raise RecursionError("too deep")
        return []

    monkeypatch.setattr(deep, "find_damage", fail_on)
    assert [(one.name, one.what) for one in bad(made).values()] == [
        ("jobs/explain-b", "cannot be examined: RecursionError: too deep")
    ]


def test_jobs_of_an_older_version_are_read_and_counted_as_such(tmp_path: Path) -> None:
    old = SyntheticHome(tmp_path / "old")
    old.train("train-a", Arm(), 0)
    (found,) = examine_files(old.home, lambda *_: None)
    assert "; 1 jobs of an older xp are without checksums" in found.what
    journal = old.home.job("train-a").attempt(1).journal
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert list(bad(old)) == ["jobs/train-a/attempts/1/journal.jsonl"]


def test_a_compacted_journal_that_lost_its_sum_is_named(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.SMALLEST", 0)
    collect(made.home)
    assert bad(made) == {}
    made.home.job("train-a").attempt(1).compacted_sum.unlink()
    assert list(bad(made)) == ["jobs/train-a/attempts/1/journal.parquet.json"]


def test_results_with_a_flipped_bit_in_a_block_are_named(made: SyntheticHome) -> None:
    collect(made.home)
    raw = bytearray(made.home.results_db.read_bytes())
    for place in range(20_000, len(raw), 4096):
        raw[place] ^= 1
    made.home.results_db.write_bytes(bytes(raw))
    found = bad(made)["results.duckdb"]
    assert found.fix.startswith("xp rebuild makes it again")


def test_a_job_that_only_the_queue_knows_to_be_done_is_missed(made: SyntheticHome) -> None:
    with Queue(made.home.queue_db) as queue:
        queue.add_experiment(make_record("one", [Probe("train-gone")]), done={"train-gone"})
    assert list(bad(made)) == ["jobs/train-gone/result.json"]
    made.home.queue_db.write_bytes(b"no database" * 1000)
    assert bad(made) == {}, "a broken queue is told by its own check"


def _flip(folder: Path, name: str, place: int = 500) -> None:
    raw = bytearray((folder / name).read_bytes())
    raw[place] ^= 1
    (folder / name).write_bytes(bytes(raw))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda folder: _flip(folder, "data.bin"), "data.bin of the pack is damaged"),
        (lambda folder: _flip(folder, "index.npz"), "index.npz of the pack is damaged"),
        (lambda folder: (folder / "data.bin").unlink(), "data.bin is missing"),
        (lambda folder: _restate(folder, classes=["x"]), "manifest is damaged: its checksum does not hold"),
    ],
)
def test_a_damaged_pack_is_named_and_made_again(
    made: SyntheticHome, change: Callable[[Path], object], what: str
) -> None:
    folder = made.home.pack(made.job("pack-c", "pack", settings={"data": {"short_side": 32, "format": "raw"}}))
    folder.mkdir(parents=True)
    write_pack(list_images(Data(source="digits")), folder, 32, lambda *_: None)
    assert bad(made) == {}
    change(folder)
    (found,) = bad(made).values()
    assert found.name == "cache/pack/pack-c"
    assert what in found.what
    assert found.fix == f"remove its folder {folder}: the next job that needs it makes it again"


def _restate(folder: Path, **words: object) -> None:
    write_json(folder / "manifest.json", {**read_json(folder / "manifest.json"), **words})


def test_targets_are_held_against_their_manifest_and_their_job(made: SyntheticHome) -> None:
    folder = made.home.targets("targets-d")
    folder.mkdir(parents=True)
    (folder / "centre.bin").write_bytes(b"centre")
    sums = {"centre.bin": {"size": 6, "sha256": "e0c9fa3fe2c5fca5bca1d5be1ca81e3bd6ad8a7bf1c0b8fbc5bf0b5f1b1d35b4"}}
    told = {"version": 3, "views": 0, "files": sums, "info": {"job": "targets-d"}}
    write_json(folder / "manifest.json", told | {"self": digest_of(told)})
    assert (
        bad(made)["cache/targets/targets-d"].what == "centre.bin of the targets is damaged: its checksum does not hold"
    )
    whole = hashlib.sha256(b"centre").hexdigest()
    for job, sum_of in (("targets-d", whole), ("targets-e", whole), ("targets-d", "0" * 64)):
        told |= {"files": {"centre.bin": {"size": 6, "sha256": sum_of}}, "info": {"job": job}}
        write_json(folder / "manifest.json", told | {"self": digest_of(told)})
        found = [one.what for one in bad(made).values()]
        assert bool(found) == (job != folder.name or sum_of != whole), found
    shutil.rmtree(folder)
    assert bad(made) == {}, "what is not there is made when it is needed"
