"""How a plan looks: every table fits 80 columns, numbers stand whole, and what is not known is a question mark."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, RenderableType

from engine.analysis.lacking import Price
from engine.cli.plan_text import budget_table, departure_table, hours_text, job_table, outlay_table
from engine.cli.render import split_cells
from engine.inspect.budget import Budget, BudgetRow
from engine.inspect.departure import ArmChange, Departure
from engine.inspect.outlay import JobRow, Outlay
from engine.plan.draft import Job
from engine.plan.estimate import JobEstimate
from engine.spec.job_settings import JobDetails

ROW = Outlay("original", "default", 2, 5, 0, (), 3725.0, 0.0, 2.5, 3_400_000, 561_000_000)


def shown(what: RenderableType, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_costs_have_a_row_for_each_arm_and_their_sum() -> None:
    shared = replace(ROW, arm=None, runs=0, seconds=75.0, cpu_hours=0.001)
    heads, first, second, total = shown(outlay_table([shared, ROW]))
    assert heads.split() == ["arm", "runs", "jobs", "reused", "work", "CPU", "h", "disk", "memory"]
    assert first.split() == ["(shared)", "-", "5", "-", "1m15s", "<0.01", "3.4", "MB", "561.0", "MB"]
    assert second.split() == ["original", "2", "5", "-", "1h02m", "2.5", "3.4", "MB", "561.0", "MB"]
    assert total.split() == ["total", "2", "10", "-", "1h03m", "2.5", "6.8", "MB", "561.0", "MB"]


def test_gpu_hours_take_the_place_of_cpu_hours_and_origins_a_column() -> None:
    row = replace(ROW, gpu_hours=12.25, reused=3, origins=("itself", "tiny"))
    heads, line, _ = shown(outlay_table([row]))
    assert "GPU h" in heads
    assert "from" in heads
    assert "12.2" in line
    assert "itself, tiny" in line


def test_what_is_not_known_is_a_question_mark_and_nothing_left_a_dash() -> None:
    _, unknown, done, total = shown(outlay_table([replace(ROW, seconds=None), replace(ROW, seconds=0.0, memory=0)]))
    assert unknown.split()[4:7] == ["?", "?", "?"]
    assert done.split()[4:] == ["-", "-", "-", "-"]
    assert total.split()[4] == "?"


@pytest.mark.parametrize(
    ("cells", "head", "told"),
    [
        (["default", "default"], "", ["", ""]),
        (["", "data.split=60/20/20", "data.split=80/10/10"], "data.split", ["", "60/20/20", "80/10/10"]),
        (["a=1, b=2", "a=2, b=2"], "a, b", ["1, 2", "2, 2"]),
        (["a=1", "b=2"], "cell", ["a=1", "b=2"]),
    ],
)
def test_what_all_cells_name_stands_in_the_head(cells: list[str], head: str, told: list[str]) -> None:
    assert split_cells(cells) == (head, told)


@pytest.mark.parametrize("width", [80, 200])
def test_long_names_are_broken_and_numbers_never(width: int) -> None:
    rows = [
        replace(ROW, arm=f"longformer_pruned_{'x' * 30}", cell=f"data.split={cut}", origins=("another_experiment",),
                reused=2, gpu_hours=12.0, seconds=360_000.0, bytes=123_400_000_000)
        for cut in ("60/20/20", "80/10/10")
    ]  # fmt: skip
    lines = shown(outlay_table(rows), width)
    assert max(map(len, lines)) <= width
    assert sum("100h00m" in line and "123.4 GB" in line for line in lines) == 2


@pytest.mark.parametrize(
    ("hours", "text"), [(0.001, "<0.01"), (0.25, "0.25"), (1.25, "1.2"), (99.96, "100.0"), (1234.5, "1,234")]
)
def test_hours_are_short(hours: float, text: str) -> None:
    assert hours_text(hours) == text


def job(key: str, state: str = "new", *, job_id: str | None = "", **more: Any) -> JobRow:
    settings: Any = None
    made = Job(key, key if job_id == "" else job_id, key.split("-")[0], {}, settings, JobDetails())
    about: dict[str, Any] = {
        "role": "student",
        "arms": ("a",),
        "cells": ("default",),
        "seeds": (0,),
        "memory": 5_000_000,
    }
    return JobRow(JobEstimate(made, state, 12.5, 7), **{**about, **more})


def test_each_job_stands_with_role_arm_and_seed_beside_its_id() -> None:
    rows = [job("train-1"), job("pack-1", "done", role="pack", arms=("a", "b", "c"), seeds=(0, 1, 2), memory=0)]
    heads, first, second = shown(job_table(rows))
    assert heads.split() == ["role", "arm", "seed", "state", "seconds", "memory", "job"]
    assert first.split() == ["student", "a", "0", "new", "12.5", "5.0", "MB", "train-1"]
    assert second.split() == ["pack", "3", "arms", "3", "seeds", "done", "-", "-", "pack-1"]


def test_jobs_without_ids_are_counted() -> None:
    (_, line) = shown(job_table([job("train-1", job_id=None), job("train-2", job_id=None)]))
    assert line.split() == ["student", "a", "0", "provisional", "?", "5.0", "MB", "-", "(2", "jobs)"]


def test_a_budget_tells_what_fits_and_what_does_not() -> None:
    fits = BudgetRow("a", "the spec asks for it", (0, 1, 2), Price(100.0, 0.0, 1000, 3))
    left = BudgetRow("b", "it does not fit", (0, 3), Price(7200.0, 2.0, 1000, 2))
    lines = shown(budget_table(Budget(300.0, Price(50.0, jobs=1), (fits,), (left,))))
    head = " ".join(lines[:2])
    assert head.startswith("in 5m00s of work, as `xp submit SPEC --fill --budget` queues it: after 1 job, 50s of work")
    assert any(line.split()[:4] == ["a", "0-2", "3", "1m40s"] for line in lines)
    assert any(line.split()[:3] == ["which", "seeds", "jobs"] for line in lines), "which they are, no count"
    assert "2m30s of 5m00s are spent" in lines
    assert any(line.split()[:6] == ["b", "0,", "3", "2", "2h00m", "2.0"] for line in lines)
    assert "  nothing more fits" in shown(budget_table(Budget(300.0, Price(), (), (left,))))


def test_changes_are_told_by_arm_with_their_settings() -> None:
    changed = Departure(
        3, (ArmChange("a", 2, 0, 0, 0, 0.0), ArmChange("b", 0, 1, 2, 3, 90.0)), ("train.lr: 1 -> 2 (b)",)
    )
    lines = shown(departure_table("tiny", changed))
    assert lines[0] == "against submission 3 of tiny:"
    assert [line.split() for line in lines[2:4]] == [
        ["a", "2", "-", "-", "-", "-"], ["b", "-", "1", "2", "3", "1m30s"],
    ]  # fmt: skip
    assert lines[4] == "  train.lr: 1 -> 2 (b)"
    assert "dropped and changed runs leave the results" in lines[5]
    same = replace(changed, arms=changed.arms[:1], settings=())
    assert shown(departure_table("tiny", same)) == ["the same runs as submission 3 of tiny: a submit would change none"]
    assert "all of it is new" in shown(departure_table("tiny", replace(changed, submission=None)))[0]
