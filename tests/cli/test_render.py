"""What a terminal shows of views written by hand: clocks, sizes, counts, bars and the first of many."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console, RenderableType

from engine.cli.render import counts_text, error_console, layer_table, output_console, render_view
from engine.cli.status_text import status_table
from engine.inspect.progress_text import beat_text, clock_text, progress_line, size_text
from engine.inspect.status import Beat, ExperimentView, JobView


def job(name: str = "train-1", state: str = "running", **more: Any) -> JobView:
    about: dict[str, Any] = {
        "job": name, "kind": "train", "state": state, "title": f"student {name}", "reason": "", "attempts": 1,
        "seconds": 100.0, "running_for": 40.0, "beat": Beat(),
    }  # fmt: skip
    return JobView(**{**about, **more})


def view(*listed: JobView, **more: Any) -> ExperimentView:
    about: dict[str, Any] = {
        "runs": {},
        "jobs": {"running": 1, "done": 3},
        "seconds": {"done": 100.0, "running": 100.0},
    }
    return ExperimentView("paper", **{**about, "listed": listed, **more})


def shown(what: RenderableType, width: int = 160) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (8.4, "8s"), (59.6, "1m00s"), (130, "2m10s"), (3599, "59m59s"), (3600, "1h00m"), (3900, "1h05m"),
     (90_000, "25h00m")],
)  # fmt: skip
def test_clocks_are_short(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3_400_000, "3.4 MB"), (2e9, "2.0 GB"), (5.5e12, "5.5 TB")],
)
def test_sizes_are_in_powers_of_ten(count: float, text: str) -> None:
    assert size_text(count) == text


def test_counts_keep_the_order_of_states_and_leave_out_none() -> None:
    counts = {"cancelled": 1, "failed": 2, "paused": 3, "blocked": 4, "queued": 5, "running": 6, "done": 7}
    told = "7 done, 6 running, 5 queued, 4 blocked, 3 paused, 2 failed, 1 cancelled"
    assert counts_text(counts).plain == told
    assert counts_text({"done": 0, "failed": 1}).plain == "1 failed"
    assert counts_text({}).plain == "none"


@pytest.mark.parametrize(
    ("beat", "text"),
    [
        (Beat(), "starting"),
        (Beat("train", 30, 40, 1, 4, rate=812.4, loss=1.25), "train 2/4, 812 images/s, loss 1.250, 16s left"),
        (Beat("train", 38, 40, epoch=4, epochs=4), "train 4/4, 4s left"),
        (Beat("pack", 812, 2500), "pack 812/2500, 1m17s left"),
        (Beat("measure"), "measure, 1m00s left"),
        (Beat("train", loss=0.0), "train, loss 0.000, 1m00s left"),
    ],
)  # fmt: skip
def test_a_beat_says_phase_pace_loss_and_time(beat: Beat, text: str) -> None:
    assert beat_text(job(beat=beat)) == text


def test_a_line_for_a_pipe_counts_jobs_and_names_what_runs() -> None:
    one = view(job(beat=Beat("train", 19, 38)))
    assert progress_line(one) == "paper: 3/4 jobs, 74%, about 44s left; student train-1: train 19/38, 44s left"
    still = view(jobs={"done": 4}, seconds={"done": 100.0})
    assert progress_line(still) == "paper: 4/4 jobs, 100%"
    many = view(*(job(f"train-{at}") for at in range(12)))
    assert progress_line(many).count("starting") == 10


def test_a_running_view_has_a_bar_for_each_of_ten_jobs() -> None:
    lines = shown(render_view(view(*(job(f"train-{at}") for at in range(12)), jobs={"running": 12, "failed": 1}), 160))
    assert lines[0].startswith("paper")
    assert "about" in lines[0]
    assert sum("student train-" in line for line in lines) == 10
    assert lines[-2:] == ["  and 2 more running: see --json", "  jobs: 12 running, 1 failed"]


def test_a_view_at_rest_says_no_time_left() -> None:
    lines = shown(render_view(view(jobs={"done": 2}, seconds={"done": 9.0}), 120))
    assert "left" not in lines[0]
    assert "100%" in lines[0]
    assert lines[1:] == ["  jobs: 2 done"]


def test_a_table_has_a_row_for_each_experiment_and_its_reasons() -> None:
    trouble = view(
        job("train-1", "running", beat=Beat("train", 19, 38)), job("train-2", "queued", reason="the disk is full"),
        job("train-3", "failed", reason="no file"), job("train-4", "failed"), job("train-5", "cancelled"),
        jobs={"running": 1, "queued": 1, "failed": 2, "cancelled": 1}, runs={"failed": 3},
    )  # fmt: skip
    still = view(jobs={"done": 4}, runs={"done": 2}, seconds={"done": 100.0})
    lines = shown(status_table([trouble, still]))
    assert lines[0].split() == ["experiment", "runs", "jobs", "progress", "left"]
    assert lines[1].startswith("paper       3 failed  1 running, 1 queued, 2 failed, 1 cancelled")
    assert lines[2].split() == ["paper", "2", "done", "4", "done", "100%", "-"]
    assert lines[3:] == [
        "  running: paper: student train-1 (train-1): train 19/38, 44s left",
        "  waiting: paper: student train-2 (train-2): the disk is full",
        "  failed: paper: student train-3 (train-3): no file",
        "  failed: paper: student train-4 (train-4): no reason given",
    ]


def test_of_many_failures_ten_are_told_and_the_rest_counted() -> None:
    listed = [job(f"train-{at}", "failed", reason="no file") for at in range(12)]
    lines = shown(status_table([view(*listed, jobs={"failed": 1200})]))
    assert sum("no file" in line for line in lines) == 10
    assert lines[-1] == "  and 1,190 more failed: see --json"
    assert "more" not in shown(status_table([view(*listed[:10], jobs={"failed": 10})]))[-1]


@pytest.mark.parametrize(("columns", "width"), [(None, 400), ("77", 77)])
def test_lines_in_a_pipe_are_not_broken(monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    console = error_console()
    assert (console.width, console.stderr) == (width, True)
    asked = output_console()
    assert (asked.width, asked.stderr) == (width, False)


@dataclass(frozen=True)
class Row:
    layer: str = "stage 1"
    resolution: str = "56x56"
    window: str = "7"
    attention: str = "window"
    params: int = 1_234_567
    macs: int = 98_760_000
    saved_bytes: int = 3_400_000


def test_a_layer_is_a_row_with_its_costs() -> None:
    title, heads, row = shown(layer_table("small (10 classes)", [Row()]))
    assert title == "small (10 classes)"
    assert heads.split() == ["layer", "map", "window", "attention", "params", "MMACs", "saved"]
    assert row.split() == ["stage", "1", "56x56", "7", "window", "1,234,567", "98.8", "3.4", "MB"]
