"""How a status looks: one screen whatever there is, what needs a person first, and the commands that come next."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from engine.cli.status_text import experiment_screen, next_lines, place_text, plain_runs, run_table, status_table
from engine.inspect.run_views import RunView
from engine.inspect.status import Beat, ExperimentView, JobView
from engine.schedule.searched import ArmProgress


def job(name: str = "train-1", state: str = "running", **more: Any) -> JobView:
    about: dict[str, Any] = {
        "job": name, "kind": "train", "state": state, "title": f"student {name}", "reason": "", "attempts": 1,
        "seconds": 100.0, "running_for": 40.0, "beat": Beat(),
    }  # fmt: skip
    return JobView(**{**about, **more})


def view(name: str = "paper", *listed: JobView, **more: Any) -> ExperimentView:
    about: dict[str, Any] = {"runs": {"done": 2}, "jobs": {"done": 3}, "seconds": {"done": 100.0}, "listed": listed}
    return ExperimentView(name, **{**about, **more})


def run(seed: int = 0, state: str = "done", **more: Any) -> RunView:
    about: dict[str, Any] = {
        "run": f"run-{seed:012d}", "arm": "sparse", "cell": "default", "seed": seed, "state": state, "share": 1.0,
        "job": None, "network_job": "train-1", "value": 0.912, "seconds_left": None,
    }  # fmt: skip
    return RunView(**{**about, **more})


def shown(what: RenderableType, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


# All experiments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failed", [0, 3, 40])
@pytest.mark.parametrize("count", [1, 12, 300])
@pytest.mark.parametrize(("width", "room"), [(80, 21), (200, 47), (40, 10)])
def test_a_status_is_never_more_than_a_screen(count: int, failed: int, width: int, room: int) -> None:
    broken = [job(f"train-{at}", "failed", reason="no such file " * 20) for at in range(failed)]
    views = [view(f"study_{at}", *broken, jobs={"failed": failed, "done": 3}) for at in range(count)]
    lines = shown(status_table(views, width, room), width)
    assert len(lines) <= room
    assert max(map(len, lines)) <= width


def test_only_an_open_search_is_said_to_search_and_its_name_stands_once() -> None:
    arms = (ArmProgress("s1", 4, 1, 1, 0, 0, ()), ArmProgress("wide", 4, 1, 1, 0, 0, ()))
    told = shown(status_table([view("s1", is_searching=True, searched=arms), view("over", searched=arms)], 100))
    assert [line for line in told if "search" in line] == [
        "  searching: s1: 1 of 4 trials done, 1 open",
        "  searching: s1: wide: 1 of 4 trials done, 1 open",
    ]


def test_no_screen_says_that_nothing_is_left_of_an_open_search() -> None:
    arms = (ArmProgress("s1", 4, 2, 0, 0, 0, ()),)
    one = view("s1", is_searching=True, searched=arms)
    assert shown(status_table([one], 100))[1].split()[-2:] == ["50%", "-"]
    assert shown(experiment_screen(one, [], [], 100))[1] == "  runs: 2 done; jobs: 3 done; 50%"


def test_what_can_go_on_comes_first_and_the_rest_is_counted() -> None:
    views = [view(f"study_{at:02d}") for at in range(30)] + [view("busy", jobs={"queued": 1}, runs={"queued": 1})]
    lines = shown(status_table(views, 80, 12))
    assert lines[1].startswith("busy ")
    assert lines[2].startswith("study_00 ")
    assert lines[-1] == f"  and {31 - (len(lines) - 2)} more experiments: xp ls"


def test_in_a_pipe_all_experiments_are_told() -> None:
    lines = shown(status_table([view(f"study_{at}") for at in range(300)], 400), 400)
    assert len(lines) == 301


def test_each_failure_names_its_experiment() -> None:
    broken = view("paper", job("train-9", "failed", reason="no file"), jobs={"failed": 1})
    assert "  failed: paper: student train-9 (train-9): no file" in shown(status_table([view("other"), broken], 80, 21))


def test_paused_work_says_what_lets_it_go_on() -> None:
    lines = shown(status_table([view(jobs={"paused": 3}, runs={"paused": 1})]))
    assert lines[-1] == "  paused: paper: 3 jobs; `xp resume paper` lets them go on"


def test_counts_of_jobs_stand_only_where_there_is_room() -> None:
    assert shown(status_table([view()], 80))[0].split() == ["experiment", "runs", "progress", "left"]
    assert shown(status_table([view()], 120))[0].split() == ["experiment", "runs", "jobs", "progress", "left"]


# One experiment -------------------------------------------------------------------------------------------------------


def test_an_experiment_is_told_with_its_runs() -> None:
    beat = Beat("train", 19, 38, 1, 4)
    runs = [run(0), run(1, "running", share=0.47, job=job(beat=beat), seconds_left=75.0, value=None)]
    lines = shown(experiment_screen(view(title="A title"), runs, (), 80))
    assert lines[0] == "paper: A title"
    assert lines[1] == "  runs: 2 done; jobs: 3 done; 100%"
    assert lines[2].split() == ["arm", "seed", "state", "progress", "val_top1", "left", "run"]
    assert lines[3].split() == ["sparse", "0", "done", "100%", "91.2", "%", "-", "run-00000000"]
    assert lines[4].split() == ["sparse", "1", "running", "47%", "train", "2/4", "-", "1m15s", "run-00000000"]
    assert lines[-1] == "next: xp report paper"


def test_a_failure_has_the_end_of_its_log_and_the_commands_to_type() -> None:
    broken = job("train-9", "failed", reason="no file", attempts=3)
    failed = view("paper", broken, jobs={"failed": 2}, runs={"failed": 1})
    lines = shown(experiment_screen(failed, [run()], [(broken, ["Traceback", "OSError"])], 80))
    assert "failed: student train-9 (train-9) after 3 attempts: no file" in lines
    assert lines[lines.index("  | Traceback") + 1] == "  | OSError"
    assert "and 1 more failed: xp ls paper --jobs" in lines
    assert lines[-1] == "next: xp logs train-9 · xp retry paper"


@pytest.mark.parametrize(("width", "room"), [(80, 21), (200, 47)])
def test_many_runs_fit_a_screen_with_those_that_need_a_person_first(width: int, room: int) -> None:
    runs = [run(seed) for seed in range(400)] + [run(777, "failed"), run(888, "running", job=job())]
    lines = shown(experiment_screen(view(), runs, (), width, room), width)
    assert len(lines) <= room
    assert max(map(len, lines)) <= width
    assert [line.split()[1] for line in lines[3:5]] == ["777", "888"]
    assert any(line.endswith("more runs: xp status paper --all") for line in lines)


def test_a_long_list_for_a_pipe_says_the_same() -> None:
    runs = [run(seed, cell="train.lr=0.1") for seed in range(150)]
    lines = shown(experiment_screen(view(), runs, (), 400), 400)
    assert lines[2].split() == ["arm", "train.lr", "seed", "state", "progress", "val_top1", "left", "run"]
    assert lines[3].split() == ["sparse", "0.1", "0", "done", "100%", "91.2", "%", "-", "run-000000000000"]
    assert sum(line.startswith("sparse ") for line in lines) == 150
    table, plain = shown(run_table(runs[:3], 200), 200), [line.plain for line in plain_runs(runs[:3])]
    assert [line.split() for line in table] == [line.split() for line in plain]


@pytest.mark.parametrize(
    ("job_view", "text"),
    [
        (None, ""), (job(), "starting"), (job(beat=Beat("train", 19, 38, 1, 4)), "train 2/4"),
        (job(beat=Beat("pack", 3, 9)), "pack 3/9"), (job(state="queued", attempts=0), ""),
        (job(state="paused", beat=Beat("train", 19, 38, 1, 4)), "train 2/4"), (job(state="failed"), "train"),
    ],
)  # fmt: skip
def test_where_a_run_is(job_view: JobView | None, text: str) -> None:
    assert place_text(run(job=job_view)) == text


@pytest.mark.parametrize(
    ("jobs", "listed", "told"),
    [
        ({"done": 3}, (), ["next: xp report paper"]), ({}, (), []), ({"paused": 1, "done": 1}, (), []),
        ({"queued": 1}, (), ["next: xp status paper --watch"]),
        ({"cancelled": 1, "done": 1}, (), ["next: xp retry paper"]),
        ({"failed": 1, "running": 1}, (job(state="failed"),),
         ["next: xp logs train-1 · xp retry paper · xp status paper --watch"]),
    ],
)  # fmt: skip
def test_the_next_commands_are_those_that_help(
    jobs: dict[str, int], listed: tuple[JobView, ...], told: list[str]
) -> None:
    assert [line.plain for line in next_lines(view("paper", *listed, jobs=jobs))] == told


def test_why_a_search_asks_for_nothing_is_told_with_its_fix() -> None:
    stuck = view(is_searching=True, search_problem="it cannot be drawn\nfix: draw something else")
    for lines in (shown(status_table([stuck]), 160), shown(experiment_screen(stuck, [], [], 160), 160)):
        at = next(place for place, line in enumerate(lines) if "nothing could be asked for at the last look" in line)
        assert lines[at].endswith("it cannot be drawn")
        assert lines[at + 1].strip() == "fix: draw something else"
