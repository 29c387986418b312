"""The command plan: what is asked for is on stdout, budgets, changes and single arms, and JSON keeps its contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Group
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.cli.plan import search_lines, trial_cost_lines
from engine.cli.plan_text import plan_table
from engine.errors import XpError
from engine.home.paths import Home
from engine.load import load_spec, load_words
from engine.plan import make_plan
from engine.plan.estimate import estimate_plan
from engine.schedule.submit import submit_plan
from tests.helpers.queueing import make_home
from tests.search.objective import make_spec

SPEC = """name: small
data: {source: digits, image_size: 32, short_side: 32}
student: {arch: tiny_vit, dims: [8, 16, 24, 32], depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], windows: [4, 4, 2, 1]}
seeds: [0, 1]
arms: {plain: {}, sparse: {train.lr: 0.1}, dense: {train.lr: 0.2}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "small.yaml").write_text(SPEC)
    return make_home(tmp_path)


def plan(home: Home, *words: str) -> Result:
    spec = home.root.parent / "small.yaml"
    return CliRunner().invoke(app, ["plan", str(spec), *words, "--home", str(home.root)])


def test_a_plan_is_a_table_by_arm_on_stdout(home: Home) -> None:
    answer = plan(home)
    assert (answer.exit_code, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert [line.split()[0] for line in lines[:6]] == ["arm", "(shared)", "plain", "sparse", "dense", "total"]
    assert any(line.startswith("6 runs, ") for line in lines)
    assert "detect" in answer.stdout
    assert "train-" not in answer.stdout, "an id says nothing without arm and seed"


def test_jobs_are_told_only_when_asked_with_arm_and_seed(home: Home) -> None:
    ids = [line.split() for line in plan(home, "--jobs").stdout.splitlines() if "train-" in line]
    assert [(words[0], words[1], words[2]) for words in ids] == [
        ("student", arm, seed) for arm in ("plain", "sparse", "dense") for seed in "01"
    ]


def test_json_keeps_its_words_and_has_the_arms(home: Home) -> None:
    told = json.loads(plan(home, "--json", "--diff", "--budget", "1h").stdout)
    assert {"runs", "jobs", "seconds", "bytes"} <= told.keys()
    assert {"run", "arm", "cell", "seed", "jobs"} == told["runs"][0].keys()
    assert {"job", "kind", "state", "reused"} <= told["jobs"][0].keys()
    assert [row["arm"] for row in told["arms"]] == [None, "plain", "sparse", "dense"]
    assert told["diff"]["submission"] is None
    assert told["budget"]["seconds"] == 3600.0
    assert not {"diff", "budget"} & json.loads(plan(home, "--json").stdout).keys()


def test_only_plans_the_arms_that_are_named(home: Home) -> None:
    told = json.loads(plan(home, "--only", "plain", "--only", "dense", "--json").stdout)
    assert {run["arm"] for run in told["runs"]} == {"plain", "dense"}
    answer = plan(home, "--only", "plain")
    assert "2 runs, " in answer.stdout
    assert "sparse" not in answer.stdout
    assert "detect" not in answer.stdout, "some arms are not the design"


def test_an_arm_that_is_none_names_the_nearest(home: Home) -> None:
    answer = plan(home, "--only", "sprase")
    assert isinstance(answer.exception, XpError)
    assert (answer.exception.what, answer.exception.exit_code) == ("small has no arm 'sprase'", 2)
    assert "sparse" in answer.exception.fix


def test_a_diff_is_against_what_is_registered(home: Home) -> None:
    assert "nothing is registered as small here" in plan(home, "--diff").stdout
    submit_plan(make_plan(load_spec(home.root.parent / "small.yaml"), home), home)
    assert "a submit would change none" in plan(home, "--diff").stdout
    told = plan(home, "--diff", "--set", "arms.sparse.train.lr=0.5").stdout
    assert "  train.lr: 0.1 -> 0.5 (sparse)" in told
    assert "against submission 1 of small:" in told


def test_a_budget_says_what_fits_and_is_checked(home: Home) -> None:
    told = plan(home, "--budget", "1s").stdout
    assert "  nothing more fits" in told
    assert "of 1s are spent" in told
    assert "xp submit SPEC --fill" in plan(home, "--budget", "8h").stdout
    answer = plan(home, "--budget", "soon")
    assert isinstance(answer.exception, XpError)
    assert "'soon' is no time" in str(answer.exception)


def test_a_paper_has_no_single_arms(tmp_path: Path, home: Home) -> None:
    (tmp_path / "paper.yaml").write_text("title: one\nexperiments: [small.yaml]\n")
    answer = CliRunner().invoke(app, ["plan", str(tmp_path / "paper.yaml"), "--diff", "--home", str(home.root)])
    assert isinstance(answer.exception, XpError)
    assert "--diff, --only and --budget are of one spec" in str(answer.exception)


def test_a_searched_arm_is_told_from_one_that_is_trained_as_it_is() -> None:
    spec = load_words({**make_spec(trials=7, final={"seeds": [1, 2]}), "arms": {"a": {}, "b": {"train.epochs": 2}}})
    assert search_lines(spec)[0].startswith("searched: a, b: up to 7 trials of each")
    assert "2 fresh seeds" in search_lines(spec)[1]
    assert search_lines(spec.model_copy(update={"search": None})) == []
    front = load_words(make_spec(final={"seeds": [1]}, metric=["val_top1", "macs"]))
    assert search_lines(front)[1] == "then all on the front of each are trained anew on 1 fresh seed, and tested"


@pytest.mark.parametrize(
    ("search", "line"),
    [
        ({"final": {"seeds": [1, 2]}}, "all trials and the best trained anew: about 1m30s of work"),
        ({}, "all trials: about 1m10s of work"),
        ({"final": {"seeds": [1]}, "metric": ["val_top1", "macs"]}, "all trials: about 1m10s of work"),
        # Of each arm 7 epochs, 2 more, and twice 2: 13, of which two are 5 s.
        (
            {"fidelity": {"epochs": [1, 2]}, "final": {"seeds": [1, 2]}},
            "all trials and the best trained anew: about 1m05s of work",
        ),
    ],
)
def test_what_all_trials_take_is_reckoned_from_what_is_written(home: Home, search: dict[str, Any], line: str) -> None:
    spec = {**make_spec(trials=7, **search), "arms": {"a": {}, "b": {"train.clip_grad": 0.5}}}
    spec["train"] |= {"epochs": 2, "schedule": "constant"}
    made = make_plan(load_words(spec), home)
    seconds = {job.key: 5.0 if job.kind == "train" else 100.0 * (job.kind == "pack") for job in made.jobs}
    assert [told.partition(", if")[0] for told in trial_cost_lines(made, seconds)] == [line]


def test_the_sum_of_a_searched_plan_is_called_one_without_trials(home: Home) -> None:
    made = make_plan(load_words(make_spec()), home)
    shown = plan_table(made, estimate_plan(made, home, {}), ())
    assert isinstance(shown, Group)
    assert str(shown.renderables[1]).startswith("as written, without trials: ")
