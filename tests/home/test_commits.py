"""What a commit vouches for: any change of it is found, whatever file it is in, and nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.home.commits import Damage, artifact_problem, find_damage, vouched_files
from engine.home.files import read_json, write_json
from engine.home.paths import JobFolder
from tests.collect.reading import log_steps
from tests.helpers.synthetic import Arm, SyntheticHome


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    return SyntheticHome(tmp_path / "home", sealed=True)


@pytest.fixture
def resumed(made: SyntheticHome) -> JobFolder:
    """A committed second attempt with an artifact, which went on from line 2 of the first, which wrote on."""
    job = made.home.job(made.job("train-a", "train"))
    first, old = made.attempt("train-a", 1)
    log_steps(old, 1, 2, 3)
    second, new = made.attempt("train-a", 2)
    new.resumed(1, 2, 2)
    log_steps(new, 3, 4)
    second.artifacts.mkdir()
    (second.artifacts / "weights.safetensors").write_bytes(b"weights" * 1000)
    made.finish("train-a", second)
    log_steps(old, 4, 5)
    old.close()
    new.close()
    made.outcome(first, "lost")
    return job


def damaged(job: JobFolder, *, deep: bool = True) -> dict[str, str]:
    return {one.path.relative_to(job.root).as_posix(): one.what for one in find_damage(job, deep=deep)}


def flip(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(bytes(raw))


def test_a_commit_names_the_files_that_decide_its_figures_and_what_it_made(resumed: JobFolder) -> None:
    files = {one.name: one.bytes for one in vouched_files(read_json(resumed.result))}
    first = resumed.attempt(1).journal.read_bytes().splitlines(keepends=True)
    assert files == {
        "spec.json": resumed.spec.stat().st_size,
        "attempts/1/provenance.json": resumed.attempt(1).provenance.stat().st_size,
        "attempts/2/provenance.json": resumed.attempt(2).provenance.stat().st_size,
        "attempts/2/artifacts/weights.safetensors": 7000,
        "attempts/2/journal.jsonl": resumed.attempt(2).journal.stat().st_size,
        "attempts/1/journal.jsonl": len(first[0]) + len(first[1]),
    }
    assert damaged(resumed) == {}, "what the first attempt wrote later does not count"


ARTIFACT = "attempts/2/artifacts/weights.safetensors"
JOURNALS = ("attempts/1/journal.jsonl", "attempts/2/journal.jsonl")
ORIGINS = ("attempts/1/provenance.json", "attempts/2/provenance.json")


@pytest.mark.parametrize("name", ["spec.json", *ORIGINS, *JOURNALS, ARTIFACT])
def test_a_change_in_any_of_them_is_found(resumed: JobFolder, name: str) -> None:
    path, is_row = resumed.root / name, "artifacts" not in name
    raw = path.read_bytes()
    for place in (0, 60):
        flip(path, place)
        assert damaged(resumed) == {name: "its checksum does not hold"}
        assert bool(damaged(resumed, deep=False)) == is_row, "weights are in no row"
        path.write_bytes(raw)
    path.write_bytes(raw[:50])
    assert "has 50 bytes and had" in damaged(resumed)[name]
    path.unlink()
    assert damaged(resumed) == {name: "is gone"}


def test_lines_that_come_after_the_commit_are_a_change_of_its_own_journal(resumed: JobFolder) -> None:
    with open(resumed.attempt(2).journal, "ab") as handle:
        handle.write(b"{}\n")
    assert list(damaged(resumed)) == ["attempts/2/journal.jsonl"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda told: {"attempt": 7}, "names attempt 7, which is not there"),
        (lambda told: {**told, "seconds": told["seconds"] + 1}, "its checksum does not hold"),
        (lambda told: {key: told[key] for key in told if key != "self"}, "its checksum does not hold"),
        (lambda told: {"job": "train-a", "attempt": True}, "names no attempt"),
        (lambda told: {"job": "train-b", "attempt": 1}, "is the result of train-b"),
        (lambda told: {"job": "train-a", "attempt": 2}, "differs from attempts/2/result.json, which it is a link to"),
        (lambda told: [told], "is no JSON object"),
    ],
)
def test_a_result_that_says_otherwise_is_damaged(
    resumed: JobFolder, change: Callable[[dict[str, object]], object], what: str
) -> None:
    told = read_json(resumed.result)
    resumed.result.unlink()
    write_json(resumed.result, change(told))
    assert damaged(resumed) == {"result.json": what}


def test_spaces_and_the_order_of_keys_are_no_damage(resumed: JobFolder) -> None:
    told = read_json(resumed.result)
    resumed.result.write_text(json.dumps(dict(reversed(told.items()))))
    assert damaged(resumed) == {}


def test_a_result_that_is_gone_is_missed_until_the_job_is_done_anew(made: SyntheticHome, resumed: JobFolder) -> None:
    resumed.result.unlink()
    assert damaged(resumed, deep=False) == {"result.json": "is gone, and attempt 2 is done"}
    made.attempt("train-a", 3)[1].close()
    assert damaged(resumed) == {}
    resumed.spec.unlink()
    assert damaged(resumed) == {"spec.json": "is gone"}


def test_a_job_that_is_copied_under_another_name_is_not_that_job(made: SyntheticHome, resumed: JobFolder) -> None:
    shutil.copytree(resumed.root, made.home.job("train-b").root)
    assert damaged(made.home.job("train-b")) == {"result.json": "is the result of train-a"}


def test_what_an_older_version_committed_has_nothing_to_differ_from(tmp_path: Path) -> None:
    old = SyntheticHome(tmp_path / "old")
    job = old.home.job(old.train("train-a", Arm(), 0))
    flip(job.attempt(1).journal, 60)
    assert list(find_damage(job, deep=True)) == []


def test_an_artifact_is_looked_at_alone(resumed: JobFolder) -> None:
    path = resumed.attempt(2).artifacts / "weights.safetensors"
    assert artifact_problem(resumed, path) is None
    flip(path, 0)
    assert artifact_problem(resumed, path) == "its checksum does not hold"
    assert artifact_problem(resumed, path.with_name("other")) is None, "nobody vouches for it"


def test_damage_says_where_and_what(tmp_path: Path) -> None:
    assert str(Damage(tmp_path / "a", "is gone")) == f"{tmp_path}/a: is gone"
