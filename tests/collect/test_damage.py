"""What is damaged is left out, whole, and said; all else is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.collect import collect, rebuild
from engine.collect.damage import job_damage
from engine.home.files import read_json, write_json
from tests.collect.reading import export_rows, log_steps, read_rows
from tests.helpers.synthetic import Arm, SyntheticHome

# Of a DuckDB file: three headers, then blocks.
HEADERS, BLOCK = 3 * 4096, 1 << 18


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    made = SyntheticHome(tmp_path / "home", sealed=True)
    made.experiment("paper", {"a": Arm(), "b": Arm(0.8)}, seeds=(0,))
    return made


def job_of(made: SyntheticHome, arm: str, role: str = "student") -> str:
    record = read_json(made.home.records("paper")[-1])
    return str(next(run["jobs"][role] for run in record["runs"] if run["arm"] == arm))


def accuracies(made: SyntheticHome) -> dict[str, float | None]:
    return dict(read_rows(made.home, "select arm, test_top1 from results order by arm"))


def test_figures_of_a_damaged_job_are_gone_and_all_others_stay(made: SyntheticHome) -> None:
    assert rebuild(made.home).damaged == ()
    before = export_rows(made.home)
    job = job_of(made, "a")
    journal = made.home.job(job).attempt(1).journal
    raw = journal.read_bytes()
    journal.write_bytes(raw[:-30])
    file = journal.relative_to(made.home.root).as_posix()
    what = f"has {len(raw) - 30:,} bytes and had {len(raw):,}"
    assert rebuild(made.home).damaged == (f"{file}: {what}",)
    assert read_rows(made.home, "from damaged") == [(None, job, file, what)]
    after = export_rows(made.home)
    for table in ("metrics", "metrics_last", "predictions", "measurements", "facts", "provenance"):
        assert after[table] == [row for row in before[table] if job not in row], table
    assert accuracies(made)["a"] is None
    assert accuracies(made)["b"] is not None
    assert read_rows(made.home, f"select kind, state, seconds from jobs where job = '{job}'") == [
        ("train", "done", None)
    ]
    journal.write_bytes(raw)
    assert collect(made.home).damaged == ()
    assert export_rows(made.home) == before, "a copy that was put back is read again"


@pytest.mark.parametrize("told", ['{"attempt": 7}', "no json", "[]", ""])
def test_a_result_that_is_none_leaves_a_hole_that_is_said(made: SyntheticHome, told: str) -> None:
    job = made.home.job(job_of(made, "a"))
    job.result.unlink()
    job.result.write_text(told)
    (line,) = rebuild(made.home).damaged
    assert line.startswith(f"jobs/{job.job}/result.json: ")
    assert accuracies(made)["a"] is None


def test_rows_that_were_read_before_the_damage_stay_until_the_files_are_read_again(made: SyntheticHome) -> None:
    collect(made.home)
    before = export_rows(made.home)
    journal = made.home.job(job_of(made, "a")).attempt(1).journal
    journal.write_bytes(journal.read_bytes()[:-30])
    assert collect(made.home).damaged == ()
    assert export_rows(made.home) == before, "they are of the whole file"


def test_a_flipped_bit_in_a_block_of_the_private_database_reaches_no_reader(made: SyntheticHome) -> None:
    made.job("train-long", "train")
    _, journal = made.attempt("train-long", 1)
    log_steps(journal, *range(5000))
    collect(made.home)
    before, whole = export_rows(made.home), made.home.ingest_db.read_bytes()
    blocks = range(HEADERS, len(whole), BLOCK)
    for start in blocks[:: len(blocks) // 3]:
        damaged = bytearray(whole)
        damaged[start + 1000] ^= 1
        made.home.ingest_db.write_bytes(damaged)
        made.home.results_db.unlink()  # so that a copy is published
        collect(made.home)
        assert export_rows(made.home) == before, f"block at {start}"
    journal.close()


def test_a_journal_that_was_damaged_while_its_job_ran_is_left_out_at_the_commit(made: SyntheticHome) -> None:
    made.job("train-x", "train")
    attempt, journal = made.attempt("train-x", 1)
    with journal:
        journal.metric("train_loss", 1.0, step=1, epoch=0)
    collect(made.home)
    assert read_rows(made.home, "select value from metrics where job = 'train-x'") == [(1.0,)]
    made.finish("train-x", attempt)
    attempt.journal.write_bytes(attempt.journal.read_bytes().replace(b"1.0", b"9.0"))
    assert len(collect(made.home).damaged) == 1
    assert read_rows(made.home, "select value from metrics where job = 'train-x'") == []


def test_a_job_whose_spec_is_gone_is_named(made: SyntheticHome) -> None:
    made.home.job(job_of(made, "a")).spec.unlink()
    assert rebuild(made.home).damaged == (f"jobs/{job_of(made, 'a')}/spec.json: is gone",)


def test_a_damaged_submission_has_no_runs_and_is_named(made: SyntheticHome) -> None:
    path = made.home.records("paper")[-1]
    write_json(path, {**read_json(path), "baseline": "b"})
    line = "experiments/paper/1.json: is damaged: its checksum does not hold"
    assert rebuild(made.home).damaged == (line,)
    assert read_rows(made.home, "select experiment, file from damaged") == [("paper", "experiments/paper/1.json")]
    assert read_rows(made.home, "from results") == []
    assert read_rows(made.home, "select count(*) > 5 from jobs") == [(True,)]
    path.unlink()
    assert rebuild(made.home).damaged == ("experiments/paper/1.json: is gone",)
    assert not collect(made.home).is_published, "it is said once"


def test_a_compacted_journal_is_held_against_its_sum(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.SMALLEST", 0)
    collect(made.home)
    folder = made.home.job(job_of(made, "a"))
    attempt = folder.attempt(1)
    raw = bytearray(attempt.compacted.read_bytes())
    assert attempt.compacted_sum.exists()
    assert job_damage(folder) == []
    raw[len(raw) // 2] ^= 1
    attempt.compacted.write_bytes(bytes(raw))
    assert [one.path for one in job_damage(folder)] == [attempt.compacted]
    attempt.compacted_sum.unlink()
    attempt.compacted.write_bytes(b"PAR1 overwritten PAR1")
    assert [one.what for one in job_damage(folder)] == ["cannot be read"], "without a sum there is only the reading"
