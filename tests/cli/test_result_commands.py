"""The commands about results as a person types them: what they print, and what they end with."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.collect import collect
from engine.errors import QueryError, SpecError
from tests.helpers.synthetic import Arm, SyntheticHome

CLAIM = "  - {{id: one, text: Sparse is better., metric: test_top1, arm: b, against: a, expect: {expect}}}\n"
SPEC = """
name: paper
data: {{source: digits, image_size: 32}}
student: {{arch: tiny_vit_5m}}
arms: {{a: {{}}, b: {{student.attention.kind: longformer}}, odd: {{train.batch_size: 128}}}}
claims:
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    odd = {"train": {"epochs": 3, "batch_size": 128, "checkpoint": "last"}}
    arms = {"a": Arm(0.4), "b": Arm(0.8, kind="longformer"), "odd": Arm(0.8, kind="longformer", settings=odd)}
    made.experiment("paper", arms, (0, 1, 2))
    collect(made.home)
    return made.home.root


def _run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home)])


@pytest.mark.parametrize(("expect", "verdict", "code"), [("greater", "holds", 0), ("less", "refuted", 4)])
def test_check_says_the_claim_its_numbers_and_ends_with_4_when_refuted(
    home: Path, tmp_path: Path, expect: str, verdict: str, code: int
) -> None:
    spec = tmp_path / "paper.yaml"
    spec.write_text(SPEC.format() + CLAIM.format(expect=expect))
    answer = _run(home, "check", str(spec))
    assert answer.exit_code == code
    lines = answer.stdout.splitlines()
    assert lines[0] == f"{verdict}: one (data.split=60/20/20): Sparse is better."
    assert lines[1] == f"  tested: test_top1 of b {expect} than of a"
    assert lines[2].startswith("  test_top1 of b - a: +")
    assert f"n=3; expected {expect}" in lines[2]
    assert f"1 {verdict}" in lines[-1]


def test_unfair_pair_is_a_short_table_and_a_footnote_with_anyway(home: Path) -> None:
    answer = _run(home, "compare", "paper/odd", "paper/a", "--anyway")
    assert answer.exit_code == 0
    assert "  note: these were not held equal\n    train.batch_size  128  64\n" in answer.stdout
    assert isinstance(_run(home, "compare", "paper/odd", "paper/a").exception, Exception)


def test_comparison_is_in_per_cent_and_points(home: Path) -> None:
    text = _run(home, "compare", "paper/b", "paper/a").stdout
    assert " %, a " in text
    assert " points [" in text
    assert "after Holm" in text
    exact = _run(home, "compare", "paper/b", "paper/a", "--metric", "params").stdout
    assert "the same for every seed" in exact
    assert "Holm" not in exact


def test_report_against_frozen_numbers_says_so_when_none_changed(home: Path, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen.json"
    _run(home, "freeze", "paper", "-o", str(frozen))
    answer = _run(home, "report", "paper", "--against", str(frozen), "--format", "md", "-o", str(tmp_path / "out"))
    assert "every number is as in" in answer.stderr


def test_trace_shows_every_run_once_and_the_code_once(home: Path) -> None:
    lines = _run(home, "trace", "paper/b", "test_top1").stdout.splitlines()
    assert sum(line.startswith("  seed ") for line in lines) == 3
    assert sum(line.startswith("code: commit ") for line in lines) == 1
    assert lines[-1] == "machine: bench cpu"


def test_more_rows_than_asked_for_are_left_off_and_that_is_said(home: Path) -> None:
    answer = _run(home, "sql", "select run from runs", "--limit", "2", "--format", "csv")
    assert len(answer.stdout.splitlines()) == 3
    assert "only the first 2 rows" in answer.stderr


def test_unknown_format_is_told_before_the_query_is_asked(home: Path) -> None:
    answer = _run(home, "sql", "drop table jobs", "--format", "latx")
    assert isinstance(answer.exception, QueryError)
    assert str(answer.exception) == "there is no format 'latx'\nfix: did you mean 'latex'?"


def test_claim_on_a_metric_that_is_not_there_names_the_nearest(home: Path, tmp_path: Path) -> None:
    spec = tmp_path / "paper.yaml"
    spec.write_text(SPEC.format() + CLAIM.format(expect="greater").replace("test_top1", "tst_top1"))
    answer = _run(home, "check", str(spec))
    assert isinstance(answer.exception, SpecError)
    assert "did you mean 'test_top1'" in str(answer.exception)


def test_snapshot_of_another_release_says_how_to_renew_it(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("paper", {"a": Arm()}, (0,))
    collect(made.home)
    made.home.results_db.write_bytes(b"what is this" * 1000)
    for words in (("sql", "from cells"), ("compare", "paper/a", "paper/a"), ("report", "paper")):
        answer = _run(tmp_path, *words)
        assert "fix: xp rebuild makes it anew" in str(answer.exception)


def test_report_folder_that_cannot_be_made_is_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = _run(home, "report", "paper", "-o", str(tmp_path / "file"))
    assert "cannot make the folder of the report" in str(answer.exception)


def test_report_takes_columns_several_experiments_and_a_folder_of_templates(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = _run(home, "report", "paper", "paper", "--columns", "params, test_top1", "--format", "md", "-o", str(out))
    assert answer.exit_code == 0
    assert "| params | test top-1 [%] |" in (out / "report.md").read_text()
    laid = CliRunner().invoke(app, ["init", "--template", str(tmp_path)])
    assert f"{tmp_path}/template/accuracy.sql" in laid.stdout
    assert "xp report quickstart --template" in laid.stderr
    listed = CliRunner().invoke(app, ["report", "--list", "--template", str(tmp_path / "template")])
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["report", "accuracy"]
    made = _run(home, "report", "paper", "--template", str(tmp_path / "template"), "--format", "md", "-o", str(out))
    assert made.stdout.split() == [str(out / "accuracy.md")]


def test_report_without_a_name_and_of_an_unknown_metric_says_what_to_do(home: Path) -> None:
    assert "name an experiment" in str(_run(home, "report").exception)
    assert "did you mean 'params'" in str(_run(home, "report", "paper", "--columns", "parms").exception)
