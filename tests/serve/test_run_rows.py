"""Every run with its state of this moment, and its columns by name."""

from __future__ import annotations

import math

import pytest

from engine.home.paths import Home
from engine.serve.run_rows import Column, RunTable
from engine.serve.site import Site
from store.metrics import METRICS
from store.queue import Queue
from tests.helpers.queueing import Probe, make_record
from tests.helpers.synthetic import ARMS, SyntheticHome
from tests.serve.conftest import published


def test_every_run_is_there_once_with_its_jobs(done_home: Home) -> None:
    with Site(done_home).snapshot() as snapshot:
        table = RunTable(done_home, snapshot)
    assert len(table.lines) == len({line.run for line in table.lines}) == 21
    assert table.experiments == ("other", "study")
    assert {line.state for line in table.lines} == {"done"}
    pruned = next(line for line in table.lines if line.arm == "proposed_pruned")
    assert (pruned.final_job or "").startswith("prune-")
    assert (pruned.measure_job or "").startswith("measure-")


def test_columns_have_what_they_are_called(done_home: Home) -> None:
    with Site(done_home).snapshot() as snapshot:
        assert snapshot is not None
        table = RunTable(done_home, snapshot, "study")
        line = next(line for line in table.lines if line.arm == "proposed_pruned" and line.seed == 1)
        told = {name: table.values(name)(line) for name in ("arm", "seed", "prune.ratio", "train.epochs", "val_top1",
                                                            "val_top1:lowest", "val_top1:highest")}  # fmt: skip
        kept = snapshot.db.execute("select val_top1 from results where run = ?", [line.run]).fetchall()[0][0]
    assert (told["arm"], told["seed"], told["prune.ratio"], told["train.epochs"]) == (
        "proposed_pruned",
        1.0,
        "0.2",
        "3",
    )
    assert told["val_top1"] == told["val_top1:highest"] == kept
    assert told["val_top1:lowest"] == pytest.approx(kept / 3)


def test_settings_that_differ_are_counted(done_home: Home) -> None:
    with Site(done_home).snapshot() as snapshot:
        table = RunTable(done_home, snapshot, "study")
        assert (table.settings["student.attention.kind"], table.settings["train.epochs"]) == (2, 1)
        assert table.settings["prune.ratio"] == 2, "absent is one more"
        assert "prune" not in table.settings, "a part of a spec is no setting"
        assert "test_top1" in table.filled
        assert "cuda_peak_allocated" not in table.filled


def test_a_column_writes_as_readers_see_it() -> None:
    column = Column("test_top1", "top1", "figure", METRICS["test_top1"])
    assert [column.write(value) for value in (0.5, None, math.nan)] == ["50.00", "–", "nan"]
    assert Column("train.lr", "lr", "setting").write("0.001") == "0.001"


def test_what_was_submitted_a_moment_ago_is_there_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = SyntheticHome(tmp_path_factory.mktemp("moment"))
    made.experiment("study", {"one": ARMS["original"]}, seeds=(0,))
    home = published(made.home)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(make_record("fresh", [Probe("train-1")]))
    with Site(home).snapshot() as snapshot:
        table = RunTable(home, snapshot)
        assert [(line.experiment, line.state) for line in table.lines] == [("fresh", "queued"), ("study", "done")]
        assert table.values("test_top1")(table.lines[0]) is None


def test_without_results_the_queue_is_shown(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = SyntheticHome(tmp_path_factory.mktemp("bare")).home
    assert RunTable(home, None).lines == []
    with Queue(home.queue_db) as queue:
        queue.add_experiment(make_record("fresh", [Probe("train-1")]))
    table = RunTable(home, None)
    assert [line.state for line in table.lines] == ["queued"]
    assert (table.logged, table.filled, dict(table.settings)) == ([], [], {})
