"""Imports: in every relation, once, grown, beside each other; and what housekeeping makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.compare import compare_arms
from engine.collect import collect, rebuild
from engine.errors import DataError, HomeError, QueryError
from engine.exchange.importing import READERS, Imported, Wish, import_runs
from engine.home.paths import Home, open_home
from engine.inspect.listing import list_experiments, list_run_lines
from engine.report import make_report
from engine.schedule.keep.choose import Wish as Spare
from engine.schedule.keep.remove import remove
from engine.schedule.keep.sweep import sweep
from engine.schedule.keep.undo import undo
from engine.schedule.worker.rebuild import make_queue
from engine.spec.job_file import read_job
from engine.spec.job_settings import JobSettings
from store.results import run_query
from tests.exchange.sources import START, write_mlflow_run, write_mlruns
from tests.helpers.synthetic import ARMS, SyntheticHome

Brought = tuple[Home, list[Imported]]


def ask(home: Home, query: str) -> list[tuple[Any, ...]]:
    return run_query(home, query).rows


def files_of(home: Home) -> list[Path]:
    return sorted(path for folder in (home.experiments_root, home.jobs_root) for path in folder.rglob("*"))


def rows_of(home: Home) -> str:
    """All figures, as text: no NaN is equal to another."""
    return str([ask(home, f"select * from {table} order by all") for table in ("results", "metrics", "attempts")])


def test_runs_stand_beside_ours_in_every_relation(brought: Brought) -> None:
    home, _ = brought
    tools = dict(ask(home, "select experiment, imported from experiments"))
    assert tools == {"cifar": "mlflow", "old": "mlflow", "proj": "wandb", "tensorboard": "tensorboard",
                     "team_proj": "neptune"}  # fmt: skip
    runs = ask(
        home, "select arm, seed, state, settings ->> '$.params.seed' from runs where experiment = 'cifar' order by all"
    )
    assert runs == [("net_0", 0, "done", "0"), ("net_0", 1, "done", "1"), ("net_1", 0, "done", "0"),
                    ("net_1", 1, "done", "1")]  # fmt: skip
    assert ask(home, "select arm, n, mean from cells where metric = 'val_top1' order by arm") == [
        ("net_0", 2, pytest.approx(0.88)), ("net_1", 2, pytest.approx(0.9))
    ]  # fmt: skip
    assert ask(
        home, "select distinct train_seconds from results where experiment = 'cifar' order by 1 desc limit 1"
    ) == [(60.0,)]


def test_every_value_has_its_step_and_time(brought: Brought) -> None:
    query = (
        'select step, epoch(m."at"), value from metrics m join run_jobs using (job) join runs r using (run)'
        " where experiment = 'cifar' and arm = 'net_0' and seed = 0 and name = 'val_acc' order by step"
    )
    assert ask(brought[0], query) == [(0, START, 0.5), (1, START + 1, 0.75), (2, START + 2, 0.875)]


def test_what_is_odd_is_told_with_its_number(brought: Brought) -> None:
    notes = " ".join(brought[1][0].notes)
    assert "2 values are NaN or infinite" in notes
    assert "1 values stand at a step that has one already" in notes


def test_same_import_again_changes_nothing(home: Home, brought: Brought, tmp_path: Path) -> None:
    before = files_of(home)
    (again,) = import_runs(home, "mlflow", brought[0].root.parent / "mlruns", Wish())
    assert (again.is_changed, again.same, again.new, again.grown) == (False, 4, 0, 0)
    assert files_of(home) == before


def test_grown_import_adds_and_keeps_what_is_gone_there(home: Home, tmp_path: Path) -> None:
    root = write_mlruns(tmp_path / "mlruns", 2)
    write_mlflow_run(root / "7", f"{1:032x}", "net_0", 1, {"val_acc": [(9, START, 0.25)]})
    write_mlflow_run(root / "7", "e" * 32, "net_0", 0, {})
    (grown,) = import_runs(home, "mlflow", root, Wish())
    assert (grown.new, grown.grown, grown.same, grown.kept, grown.number) == (1, 2, 0, 2, 2)
    collect(home)
    assert ask(home, "select arm, seed from runs where experiment = 'cifar' order by all") == [
        ("net_0", 0), ("net_0", 1), ("net_0", 2), ("net_1", 0), ("net_1", 1)
    ]  # fmt: skip
    assert ask(home, "select count(*) from metrics m join run_jobs using (job) join runs r using (run) "
               "where experiment = 'cifar' and seed = 1 and arm = 'net_0'") == [(1,)]  # fmt: skip


def test_renaming_stays_for_the_next_import(home: Home, brought: Brought) -> None:
    (again,) = import_runs(home, "mlflow", brought[0].root.parent / "mlruns", Wish(name="old"))
    assert not again.is_changed


def test_queue_and_results_are_made_again_from_files(home: Home) -> None:
    before = rows_of(home)
    home.results_db.unlink()
    home.ingest_db.unlink()
    rebuild(home)
    assert make_queue(home) == 11
    assert rows_of(home) == before
    assert {line.runs["done"] for line in list_experiments(home) if line.name == "cifar"} == {4}


def test_housekeeping_knows_them(home: Home) -> None:
    assert list(sweep(home, Spare(), dry_run=True).entries) == []
    remove(home, "cifar")
    collect(home)
    assert ask(home, "select count(*) from runs where experiment = 'cifar'") == [(0,)]
    undo(home)
    collect(home)
    assert [line.state for line in list_run_lines(home, "cifar")] == ["done"] * 4


def test_comparisons_are_refused_and_footnoted(brought: Brought) -> None:
    home, _ = brought
    with pytest.raises(QueryError, match="what was held equal") as error:
        compare_arms(home, "old/net_0", "old/net_1", "val_top1")
    assert "nothing makes them comparable" in error.value.fix
    (compared,) = compare_arms(home, "old/net_0", "old/net_1", "val_top1", anyway=True)
    assert [str(one) for one in compared.unfair] == [
        "what was held equal is unknown (imported from mlflow) against unknown (imported from mlflow)"
    ]


def test_ours_and_theirs_are_not_comparable(home: Home) -> None:
    SyntheticHome(home.root).experiment("paper", ARMS, seeds=(0, 1))
    collect(home)
    with pytest.raises(QueryError, match="told by its spec"):
        compare_arms(home, "paper/original", "old/net_0", "val_top1")


def test_report_says_that_xp_did_not_run_it(brought: Brought, tmp_path: Path) -> None:
    make_report(brought[0], "old", ("md",), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "were not run by xp: they were imported from MLflow" in text
    assert "| net_0 |" in text
    assert "val_acc" in text


def test_job_of_it_is_no_job_of_ours(brought: Brought) -> None:
    home, _ = brought
    with pytest.raises(HomeError, match="imported from another tool"):
        read_job(home.jobs()[0], JobSettings)


def test_name_of_an_experiment_of_ours_is_taken(home: Home, tmp_path: Path) -> None:
    SyntheticHome(home.root).experiment("paper", ARMS)
    root = write_mlruns(tmp_path / "mlruns")
    for name in ("paper", "proj"):
        with pytest.raises(DataError, match="the name is taken") as error:
            import_runs(home, "mlflow", root, Wish(name=name))
        assert "--as" in error.value.fix


def test_several_experiments_come_in_by_their_names(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    write_mlruns(tmp_path / "mlruns", 1, experiment="one/a")
    root = write_mlruns(tmp_path / "mlruns", 1, experiment="one a", number=8)
    with pytest.raises(DataError, match="2 experiments"):
        import_runs(home, "mlflow", root, Wish(name="x"))
    assert [one.name for one in import_runs(home, "mlflow", root, Wish())] == ["one_a", "one_a_2"]
    (chosen,) = import_runs(home, "mlflow", root, Wish(name="x", only="one a"))
    assert chosen.new == 1
    with pytest.raises(DataError, match="no experiment 'two'"):
        import_runs(home, "mlflow", root, Wish(only="two"))


def test_broken_run_among_others_is_left_out_and_said(tmp_path: Path) -> None:
    home, root = open_home(tmp_path / "home", create=True), write_mlruns(tmp_path / "mlruns", 3)
    (root / "7" / f"{1:032x}" / "metrics" / "val_acc").write_text("nonsense\n")
    (root / "7" / f"{2:032x}" / "meta.yaml").unlink()
    told: list[str] = []
    (done,) = import_runs(home, "mlflow", root, Wish(), told.append)
    assert done.new == 1
    assert len(told) == 2
    assert all("left out" in line for line in told)


@pytest.mark.parametrize("tool", READERS)
@pytest.mark.parametrize("kind", ["nothing", "empty", "text", "half"])
def test_path_of_another_kind_writes_nothing(tmp_path: Path, tool: str, kind: str) -> None:
    home, path = open_home(tmp_path / "home", create=True), tmp_path / "it"
    if kind == "empty":
        path.mkdir()
    elif kind == "text":
        path.write_text("text\n")
    elif kind == "half":
        shutil.copytree(write_mlruns(tmp_path / "mlruns", 1), path)
        shutil.rmtree(path / "7" / ("0" * 32))
    with pytest.raises(DataError) as error:
        import_runs(home, tool, path, Wish())
    assert error.value.fix
    assert str(path) in error.value.where
    assert home.experiments() == []
    assert list(home.jobs_root.iterdir()) == []


def test_unknown_tool_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        import_runs(open_home(tmp_path / "home", create=True), "mlflo", tmp_path, Wish())
    assert "'mlflow'" in error.value.fix
