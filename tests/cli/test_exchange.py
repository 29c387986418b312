"""import, export-to and files of answers: what is asked for on stdout, notes aside, exit 2 with the fix."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pyarrow import ipc, parquet
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.errors import XpError
from tests.exchange.sources import MADE, START, write_mlruns


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home)])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bridge")
    root = write_mlruns(folder / "mlruns", 2, more={"odd": [(0, START, float("nan"))]})
    answer = ask(folder / "home", "import", "mlflow", str(root), "--map", "val_acc=val_top1")
    assert answer.exit_code == 0
    assert answer.stdout == "cifar: 2 runs came in\n  13 values read\n"
    assert answer.stderr == "  1 values are NaN or infinite: they are kept, and left out of means\n"
    return folder / "home"


def test_import_again_says_that_nothing_is_new(home: Path) -> None:
    answer = ask(home, "import", "mlflow", str(home.parent / "mlruns"))
    assert answer.stdout == "cifar: nothing new; 2 runs are here already\n  13 values read\n"


def test_imported_runs_are_listed_with_their_metrics(home: Path) -> None:
    assert "cifar (imported from MLflow)" in ask(home, "ls").stdout
    lines = ask(home, "ls", "cifar", "--metric", "val_top1").stdout.splitlines()
    assert [line.split()[:5] for line in lines[1:]] == [
        ["net_0", "default", "0", "done", "0.875"], ["net_0", "default", "1", "done", "0.885"]
    ]  # fmt: skip


def test_project_and_name_are_chosen(home: Path, tmp_path: Path) -> None:
    words = ["import", "wandb", str(MADE / "wandb"), "--experiment", "proj", "--as", "mine", "--arm", "group"]
    assert ask(tmp_path / "home", *words).stdout.startswith("mine: 1 runs came in")
    assert "g1" in ask(tmp_path / "home", "ls", "mine").stdout


@pytest.mark.parametrize(
    "words",
    [["import", "mlflow", "nowhere"], ["import", "aim", "."], ["import", "mlflow", ".", "--map", "a"],
     ["export-to", "mlflow", "nothing", "-o", "out"], ["export-to", "aim", "cifar", "-o", "out"]],
)  # fmt: skip
def test_what_cannot_be_done_has_a_fix(
    home: Path, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = ask(home, *words)
    assert isinstance(answer.exception, XpError)
    assert answer.exception.fix
    assert answer.exception.exit_code == 2


def test_export_says_what_it_wrote_and_how_to_see_it(home: Path, tmp_path: Path) -> None:
    answer = ask(home, "export-to", "tensorboard", "cifar", "-o", str(tmp_path / "tb"))
    assert answer.stdout == f"{tmp_path / 'tb'}: 2 runs, 17 values\n"
    assert f"tensorboard --logdir {tmp_path / 'tb'}" in answer.stderr
    again = ask(home, "export-to", "tensorboard", "cifar", "-o", str(tmp_path / "tb"))
    assert again.stdout.endswith(", in the place of what was there\n")


def test_answer_of_any_kind_goes_into_a_file(home: Path, tmp_path: Path) -> None:
    for style in ("parquet", "arrow", "csv", "json", "markdown", "latex", "table"):
        file = tmp_path / f"answer.{style}"
        answer = ask(home, "sql", "select name, value from metrics", "--format", style, "-o", str(file))
        assert (answer.stdout, answer.stderr) == ("", f"{file}: 13 rows\n")
    assert parquet.read_table(tmp_path / "answer.parquet").num_rows == 13
    assert len((tmp_path / "answer.csv").read_text().splitlines()) == 14
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_stdout_takes_parquet_and_arrow_for_programs(home: Path) -> None:
    out = ask(home, "sql", "select 1 as x", "--format", "parquet", "-o", "-").stdout_bytes
    assert parquet.read_table(io.BytesIO(out)).to_pylist() == [{"x": 1}]
    out = ask(home, "sql", "select 1 as x", "--format", "arrow").stdout_bytes
    assert ipc.open_stream(out).read_all().to_pylist() == [{"x": 1}]


def test_terminal_takes_no_parquet(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.cli.results._is_terminal", lambda: True)
    answer = ask(home, "sql", "select 1", "--format", "parquet")
    assert isinstance(answer.exception, XpError)
    assert "-o answer.parquet" in answer.exception.fix
    assert answer.stdout_bytes == b""


def test_wrong_query_leaves_the_file_as_it_was(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "answer.parquet"
    file.write_text("before")
    assert ask(home, "sql", "select nope from runs", "--format", "parquet", "-o", str(file)).exception is not None
    assert ask(home, "sql", "select 1", "--format", "parket", "-o", str(file)).exception is not None
    assert ask(home, "sql", "select 1", "--format", "csv", "-o", str(tmp_path / "no" / "x")).exception is not None
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("answer.parquet", "before")]
