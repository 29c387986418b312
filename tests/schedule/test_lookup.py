"""What a person types means one thing, or they are told what it could mean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.schedule.lookup import Match, find_experiment, find_match, list_runs
from tests.helpers.queueing import Probe, make_home, submit_probes


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("pack-1a", kind="pack"), Probe("train-2b", ("pack-1a",))])
    return home


def test_an_experiment_means_all_its_jobs(home: Home) -> None:
    assert find_match(home, "one") == Match("experiment", "one", "one", ("pack-1a", "train-2b"))
    assert find_experiment(home, "one") == "one"


def test_a_run_means_the_jobs_it_needs(home: Home) -> None:
    assert find_match(home, "run-pack") == Match("run", "run-pack-1a", "one", ("pack-1a",))
    found = find_match(home, "run-train-2b")
    assert (found.kind, found.name, found.experiment) == ("run", "run-train-2b", "one")
    assert set(found.jobs) == {"pack-1a", "train-2b"}
    assert find_experiment(home, "run-train") == "one"


def test_a_job_means_itself_and_belongs_to_no_experiment(home: Home) -> None:
    assert find_match(home, "2b") == Match("job", "train-2b", None, ("train-2b",))
    with pytest.raises(XpError, match=r"(?s)train-2b is a job.*fix: try `xp why train-2b`"):
        find_experiment(home, "2b")


def test_the_folder_of_a_job_is_enough(tmp_path: Path) -> None:
    """One that was copied into a home without a queue."""
    home = Home(tmp_path, tmp_path / "cache")
    home.job("targets-1").root.mkdir(parents=True)
    write_json(home.job("targets-1").spec, {})
    assert find_match(home, "targets-1") == Match("job", "targets-1", None, ("targets-1",))
    with pytest.raises(XpError, match="nothing here is called 'targets'"):
        find_match(home, "targets")


def test_one_letter_means_nothing_and_two_may(home: Home) -> None:
    submit_probes(home, "two", [Probe("measure-xy")])
    assert find_match(home, "xy").name == "measure-xy"
    with pytest.raises(XpError, match="nothing here is called 'x'"):
        find_match(home, "x")


def test_what_is_unknown_brings_the_nearest_experiment_or_the_first_step(home: Home, tmp_path: Path) -> None:
    with pytest.raises(XpError, match=r"(?s)nothing here is called 'onee'.*did you mean 'one'"):
        find_match(home, "onee")
    with pytest.raises(XpError, match="fix: submit a spec first"):
        find_match(make_home(tmp_path / "empty"), "one")


def test_what_may_mean_several_ids_lists_at_most_six(home: Home) -> None:
    submit_probes(home, "many", [Probe(f"x-9{at}") for at in range(3)])
    runs = [f"run-x-9{at} (many/arm/cell@{at})" for at in range(3)]
    jobs = [f"x-9{at} (role0 of many/arm/cell@{at})" for at in range(3)]
    ids = re.escape(", ".join([*runs, *jobs]))
    with pytest.raises(XpError, match=f"'x-9' begins 6 ids: {ids}\n"):
        find_match(home, "x-9")
    submit_probes(home, "more", [Probe("x-98")])
    ids = re.escape(", ".join([*runs, "run-x-98 (more/arm/cell@0)", *jobs[:2]]))
    with pytest.raises(XpError, match=f"'x-9' begins more than 6 ids: {ids}\n"):
        find_match(home, "x-9")


@pytest.mark.parametrize(
    "text", ["../other", "../other/", "a" * 5000, ".", "..", "../../other/jobs/train-1", "\0", "\n"]
)
def test_a_path_out_of_the_home_means_nothing(home: Home, text: str) -> None:
    other = home.root / "other"
    other.mkdir()
    (other / "spec.json").write_text("{}")
    for find in (find_match, list_runs):
        with pytest.raises(XpError):
            find(home, text)
