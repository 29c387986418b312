"""A longer training is told which jobs shorter ones are, and is the same job whether it is or not."""

from __future__ import annotations

import pytest

from engine.home.paths import Home
from engine.plan import Plan, make_plan
from engine.plan.rungs import share_left, trial_epochs
from engine.schedule.submit import submit_plan
from engine.spec.search import Fidelity, Search
from engine.spec.training import Train
from tests.plan.conftest import Planner
from tests.plan.test_network_jobs import job_of

WSD = "train.schedule=wsd"


def planned(plan: Planner, epochs: int, *words: str) -> Plan:
    return plan(WSD, f"train.epochs={epochs}", *words)


def test_a_longer_one_names_the_shorter_ones_longest_first(plan: Planner) -> None:
    made = planned(plan, 27, "train.rungs=[3, 9, 27]")
    details = job_of(made, "original", "student").details
    assert details.rungs == [3, 9, 27]
    assert details.begins == [job_of(planned(plan, epochs), "original", "student").key for epochs in (9, 3)]
    shortest = job_of(planned(plan, 3, "train.rungs=[3, 9, 27]"), "original", "student").details
    assert (shortest.rungs, shortest.begins) == ([3, 9, 27], [])


def test_a_taught_one_names_the_shorter_one_that_hears_as_many_views_as_it_has_epochs(plan: Planner) -> None:
    made, short = planned(plan, 9, "data.views=null", "train.rungs=[3, 9]"), planned(plan, 3, "data.views=null")
    assert job_of(made, "distilled", "student").details.begins == [job_of(short, "distilled", "student").key]
    assert job_of(made, "distilled", "targets").key != job_of(short, "distilled", "targets").key
    assert job_of(short, "distilled", "targets").key not in {job.key for job in made.jobs}, "planned aside"


def test_rungs_change_no_id_and_no_other_job(plan: Planner) -> None:
    plain, told = planned(plan, 9), planned(plan, 9, "train.rungs=[3, 9]")
    assert [job.key for job in plain.jobs] == [job.key for job in told.jobs]
    assert [run.run for run in plain.runs] == [run.run for run in told.runs]
    begun = {job.key for job in told.jobs if job.details.rungs}
    assert begun == {run.jobs["student"] for run in told.runs}


def test_what_auto_means_for_the_teacher_is_the_same_for_both(plan: Planner, home: Home) -> None:
    """A cache of 40 views takes more passes than nine epochs do."""
    words = ("arms.distilled_pruned=null", "claims=[]", "seeds=[0]", "data.views=40")
    made = planned(plan, 9, *words, "teacher.targets=auto", "train.rungs=[3, 9]")
    job = job_of(made, "distilled", "student")
    assert job.canonical["settings"]["distill"]["targets"] == "online"
    settled = planned(plan, 3, *words, "teacher.targets=online")
    assert job.details.begins == [job_of(settled, "distilled", "student").key]


def test_it_is_written_with_the_job(plan: Planner, home: Home) -> None:
    made = planned(plan, 9, "train.rungs=[3, 9]", "seeds=[0]")
    submit_plan(make_plan(made.spec, home), home)
    job = job_of(made, "original", "student")
    assert '"begins": [' in home.job(job.key).details.read_text()


def test_what_can_be_taken_over_is_not_reckoned(plan: Planner, home: Home) -> None:
    words = ("train.rungs=[3, 9, 27]", "train.decay_epochs=1", "seeds=[0]")
    job, short = (job_of(planned(plan, epochs, *words), "original", "student") for epochs in (27, 3))
    assert share_left(job, home) == 1.0
    submit_plan(planned(plan, 3, *words), home)
    assert share_left(job, home) == 1.0, "it kept nothing yet"
    home.job(short.key).attempt(1).branch.mkdir(parents=True)
    assert share_left(job, home) == 1.0 - 2 / 27
    assert share_left(short, home) == 1.0


@pytest.mark.parametrize(
    ("trials", "epochs"), [(27, 27 * 3 + 9 * (9 - 2) + 3 * (27 - 8)), (2, 2 * 3 + (9 - 2) + (27 - 8))]
)
def test_trials_that_halve_take_the_epochs_that_each_rung_adds(trials: int, epochs: int) -> None:
    """Each decays for one epoch, which what goes on does not have."""
    train = Train(epochs=5, schedule="wsd", decay_epochs=1)
    search = Search.model_validate({"trials": trials, "space": {"train.lr": {"log": [1e-4, 1e-1]}}})
    assert trial_epochs(train, search) == 5 * trials
    halved = search.model_copy(update={"fidelity": Fidelity(epochs=[3, 9, 27], keep=3)})
    assert trial_epochs(train, halved) == epochs
