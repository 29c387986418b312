"""Commands about results: each hands its words on as they are, prints what it gets, and ends as it should.

The rooms behind them have tests of their own; here they are stood in for.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.home.paths import open_home
from tests.helpers.synthetic import Arm, SyntheticHome


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return open_home(tmp_path / "home", create=True).root


def run(home: Path, *words: str, ends: int = 0, **more: Any) -> Result:
    answer = CliRunner().invoke(app, [*words, "--home", str(home)], catch_exceptions=False, **more)
    assert answer.exit_code == ends, answer.output
    return answer


COLLECT = ("collect", ("wait", 60.0))


def test_freeze_names_the_file_it_wrote(home: Path, calls: list[tuple[Any, ...]]) -> None:
    assert run(home, "freeze", "paper", "-o", "x.json").stdout == "paper.frozen.json\n"
    assert calls == [COLLECT, ("freeze_numbers", "paper", Path("x.json"))]


def test_compare_hands_on_order_metric_and_anyway(home: Path, calls: list[tuple[Any, ...]]) -> None:
    assert run(home, "compare", "p/b", "p/a").stdout == "one line\ntwo line\n"
    run(home, "compare", "p/b", "p/a", "--metric", "params", "--anyway")
    assert calls == [
        COLLECT, ("compare_arms", "p/b", "p/a", "test_top1", ("anyway", False)),
        COLLECT, ("compare_arms", "p/b", "p/a", "params", ("anyway", True)),
    ]  # fmt: skip


def test_sql_prints_rows_and_says_its_note_aside(home: Path, calls: list[tuple[Any, ...]]) -> None:
    answer = run(home, "sql", "select 1", "--format", "csv", "--fresh", "--limit", "5", "--timeout", "2.5")
    assert (answer.stdout, answer.stderr) == ("rows\n", "a note\n")
    bounds = (("fresh", True), ("most", 5), ("seconds", 2.5))
    assert calls == [("answer_query", "select 1", "csv", *bounds)]
    calls.clear()
    run(home, "sql", input="select 2")
    assert calls == [("answer_query", "select 2", "table", ("fresh", False), ("most", 10_000), ("seconds", 120.0))]


def test_rebuild_makes_the_results_or_the_queue(home: Path, calls: list[tuple[Any, ...]]) -> None:
    assert run(home, "rebuild").stderr == "results.duckdb is new: 3 jobs and 50 bytes of journals read in 0.0 s\n"
    assert run(home, "rebuild", "--queue").stderr == "queue.db holds 7 jobs again\n"
    assert [call[0] for call in calls] == ["rebuild", "rebuild_queue"]


@pytest.mark.parametrize("words", [["rebuild"], ["rebuild", "--queue"]])
def test_a_rebuild_names_what_it_could_not_take_and_ends_with_1(tmp_path: Path, words: list[str]) -> None:
    made = SyntheticHome(tmp_path / "home", sealed=True)
    made.record("paper", [], "a")
    job = made.home.job(made.train("train-a", Arm(), 0))
    job.result.unlink()
    job.result.write_text('{"attempt": 7}')
    (made.home.experiment("paper") / "1.json").write_text("{")
    answer = CliRunner().invoke(app, [*words, "--home", str(made.home.root)])
    assert answer.exit_code == 1
    lines = answer.stderr.splitlines()
    named = [line for line in lines if line.startswith("damaged: ")]
    assert [line.endswith(end) for line in named for end in ("is no JSON object", "which is not there")] == [
        True, False, False, True,
    ]  # fmt: skip
    assert all("experiments/paper/1.json" in one or "jobs/train-a/result.json" in one for one in named)
    assert lines[-1].startswith("fix: restore them from a copy")


def test_what_is_left_out_is_said_beside_every_answer(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home", sealed=True)
    runs = made.experiment("paper", {"a": Arm(), "b": Arm(0.8)}, seeds=(0, 1, 2))
    journal = made.home.job(runs[0]["jobs"]["student"]).attempt(1).journal
    journal.write_bytes(journal.read_bytes()[:-1])
    answer = CliRunner().invoke(app, ["compare", "paper/b", "paper/a", "--home", str(made.home.root)])
    file = journal.relative_to(made.home.root)
    assert f"left out, because it is damaged: {file}: has" in answer.stderr
    assert "n=2" in answer.stdout


def test_trace_shows_differences_only_when_asked(home: Path, calls: list[tuple[Any, ...]], tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    changes = tmp_path / "x.diff"
    changes.write_text("+a line")
    found = SimpleNamespace(lines=lambda: ["sql: x", "mean 1"], changes=(changes,))

    def trace(_home: Any, *words: str) -> Any:
        calls.append(words)
        return found

    monkeypatch.setattr("engine.analysis.trace.trace_number", trace)
    assert run(home, "trace", "p/a", "params").stdout == "sql: x\nmean 1\n"
    assert run(home, "trace", "p/a", "params", "--diff").stdout == "sql: x\nmean 1\n\n+a line\n"
    assert calls == [COLLECT, ("p/a", "params")] * 2


def test_check_without_claims_says_so(home: Path, calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    spec = tmp_path / "bare.yaml"
    spec.write_text("name: bare\ndata: {source: digits, image_size: 32}\nstudent: {arch: tiny_vit_5m}\n")
    assert "bare claims nothing: add claims: to the spec" in run(home, "check", str(spec)).stderr
