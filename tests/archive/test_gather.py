"""Which files of a home an archive has: what numbers are made of, not logs, checkpoints or networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.archive.gather import gather_files
from engine.errors import HomeError
from engine.home.commits import vouch
from engine.home.files import write_json
from engine.home.seals import seal
from tests.helpers.synthetic import Arm, SyntheticHome

WEIGHTS = b"weights"


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    """One run whose network left a file, a log, a checkpoint, and ran with changed code."""
    made = SyntheticHome(tmp_path, sealed=True)
    made.experiment("paper", {"a": Arm(images=10)}, (0,))
    job = made.home.job(next(folder.job for folder in made.home.jobs() if folder.job.startswith("train-")))
    attempt = job.attempt(1)
    for path in (attempt.artifacts / "weights.safetensors", attempt.artifacts / "answers.npz", attempt.log,
                 attempt.checkpoints / "000001.pt"):  # fmt: skip
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(WEIGHTS)
    write_json(attempt.provenance, {"changes_digest": "f" * 64})
    made.home.changes("f" * 64).parent.mkdir()
    made.home.changes("f" * 64).write_text("a diff")
    about = {"job": job.job, "attempt": 1, "kind": "train", "steps": 1, "seconds": 1.0, "figures": {}}
    for path in (job.result, attempt.result):
        path.unlink(missing_ok=True)
    write_json(attempt.result, vouch(job, attempt, about))
    job.commit(attempt)
    return made


def test_what_numbers_are_made_of_is_there(made: SyntheticHome) -> None:
    found = gather_files(made.home, ["paper"])
    endings = {Path(name).name for name in found.files}
    assert {"1.json", "spec.json", "result.json", "journal.jsonl", "provenance.json", "outcome.json"} <= endings
    assert {"answers.npz", "map_000.png", f"{'f' * 16}.diff"} <= endings
    assert not endings & {"log.txt", "000001.pt", "weights.safetensors", "queue.db", "results.duckdb"}


def test_networks_are_named_with_their_sum_and_come_when_asked_for(made: SyntheticHome) -> None:
    (left,) = gather_files(made.home, ["paper"]).left_out
    assert (left.bytes, left.name.endswith("artifacts/weights.safetensors")) == (len(WEIGHTS), True)
    whole = gather_files(made.home, ["paper"], with_weights=True)
    assert (left.name in whole.files, whole.left_out) == (True, ())


def test_a_compacted_journal_stands_for_the_other(made: SyntheticHome) -> None:
    attempt = next(made.home.job(folder.job).attempt(1) for folder in made.home.jobs() if "train" in folder.job)
    attempt.compacted.write_bytes(b"PAR1")
    inside = gather_files(made.home, ["paper"]).files.values()
    assert (attempt.compacted in inside, attempt.journal in inside) == (True, False)


def test_all_submissions_come_and_the_newest_says_which_jobs(made: SyntheticHome) -> None:
    made.record("paper", [], "a")
    names = list(gather_files(made.home, ["paper"]).files)
    assert names == ["experiments/paper/1.json", "experiments/paper/2.json"]


def test_a_damaged_submission_is_refused(made: SyntheticHome) -> None:
    path = made.home.records("paper")[-1]
    write_json(path, {**seal({"name": "paper"}), "number": 1})
    with pytest.raises(HomeError, match="checksum"):
        gather_files(made.home, ["paper"])
