"""What is put side by side: what names mean, and where things differ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.home.paths import Home
from engine.serve.chosen import MOST_THINGS, Chosen, choose
from engine.serve.run_rows import RunTable
from engine.serve.site import Site


@pytest.fixture
def table(done_home: Home) -> Iterator[RunTable]:
    with Site(done_home).snapshot() as snapshot:
        yield RunTable(done_home, snapshot)


def read(table: RunTable, *names: str, cell: str = "") -> Chosen:
    chosen = choose(table, names, cell)
    chosen.read(table.snapshot)
    return chosen


def test_a_name_is_an_arm_a_point_of_it_or_a_run(table: RunTable) -> None:
    run = table.lines[0].run
    chosen = read(table, "study/original", "study/original/data.split=80/10/10", "other/alone@2", run, "study/original")
    assert [(thing.is_arm, len(thing.lines)) for thing in chosen.things] == [
        (True, 6),
        (True, 3),
        (False, 1),
        (False, 1),
    ]
    assert chosen.problems == ()
    assert chosen.cells == ("data.split=60/20/20", "data.split=80/10/10")


def test_what_is_not_there_is_told(table: RunTable) -> None:
    chosen = read(table, "study/orignal", "study/original@9", "study/original@1", " ", "x")
    assert chosen.things == ()
    assert len(chosen.problems) == 4
    assert "study/original" in chosen.problems[0]
    assert "2 runs" in chosen.problems[2]


def test_more_than_a_page_compares_is_told(table: RunTable) -> None:
    chosen = read(table, *(line.run for line in table.lines))
    assert len(chosen.things) == MOST_THINGS
    assert f"a page compares {MOST_THINGS}" in chosen.problems[0]


def test_a_point_leaves_the_runs_of_others_out(table: RunTable) -> None:
    chosen = read(table, "study/original", "other/alone", cell="data.split=80/10/10")
    assert [thing.name for thing in chosen.things] == ["study/original"]
    assert {line.cell for line in chosen.things[0].lines} == {"data.split=80/10/10"}
    assert read(table, "study/original", cell="nowhere").cell == ""


def test_differences_are_those_of_settings(table: RunTable) -> None:
    found = dict(read(table, "study/original", "study/proposed_pruned").differences())
    assert found["student.attention.kind"] == ("window", "longformer")
    assert found["prune.ratio"][1] == "0.2"
    assert "data.split" not in found, "both have both"


def test_figures_are_the_same_as_in_the_table(table: RunTable) -> None:
    run = table.lines[4]
    (heading, values), *_ = read(table, run.run, "study/proposed").figures(table, ["test_top1"])
    assert heading == "test top-1 [%]"
    assert values[0] == table.columns["test_top1"].write(table.values("test_top1")(run))
    assert values[1].endswith("(n=6)")


def test_lines_follow_the_chain_of_jobs(table: RunTable) -> None:
    lines = read(table, "study/proposed_pruned", cell="data.split=60/20/20").curve_lines({})
    assert [line.name for line in lines] == ["study/proposed_pruned"]
    assert [[job.partition("-")[0] for job in chain.jobs] for chain in lines[0].chains] == [["train", "prune"]] * 3
