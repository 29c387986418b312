"""Trainings that continue one another: takes a run's draft, tells its student's job which shorter ones there are.

What a shorter training is follows from the settings alone: it is the same run with fewer epochs, planned beside.
Whether it is there is looked at when the job starts; its id is no part of this one's, because the bits are equal.
"""

from __future__ import annotations

from dataclasses import replace

from engine.errors import XpError
from engine.home.paths import Home
from engine.plan.distill import plan_teaching
from engine.plan.draft import Job, RunDraft
from engine.plan.network_jobs import plan_student
from engine.plan.pack import plan_pack
from engine.spec import Settings
from engine.spec.continuing import stable_epochs
from engine.spec.job_file import read_job
from engine.spec.job_settings import TrainSettings
from engine.spec.search import Search
from engine.spec.training import Train


def plan_rungs(run: RunDraft) -> None:
    """Write into the details of a run's student which rungs there are, and the jobs of the shorter ones."""
    settings, draft = run.context.settings, run.context.draft
    rungs, key = settings.train.rungs, run.jobs.get("student")
    if not rungs or key is None:
        return
    shorter = [epochs for epochs in reversed(rungs) if epochs < settings.train.epochs]
    begins = [_shorter_job(run, epochs) for epochs in shorter]
    details = draft.jobs[key].details.model_copy(update={"rungs": rungs, "begins": begins})
    draft.jobs[key] = replace(draft.jobs[key], details=details)


def _shorter_job(run: RunDraft, epochs: int) -> str:
    """Return the job that trains the run's student for `epochs`, planned in a draft that is thrown away."""
    aside = replace(run.context.draft, jobs={}, missing={}, undecided={}, warnings={}, notes={})
    drawn = RunDraft(replace(run.context, settings=_shortened(run, epochs), draft=aside))
    for planner in (plan_pack, plan_teaching, plan_student):
        planner(drawn)
    return drawn.jobs["student"]


def _shortened(run: RunDraft, epochs: int) -> Settings:
    """Return the run's settings with fewer epochs; what `auto` means for its teacher is settled, for both alike."""
    settings = run.context.settings
    train = settings.train.model_copy(update={"epochs": epochs})
    teacher = settings.teacher
    if teacher is not None and run.teaching is not None:
        teacher = teacher.model_copy(update={"targets": run.teaching.lesson.targets})
    return settings.model_copy(update={"train": train, "teacher": teacher})


def trial_epochs(train: Train, search: Search) -> int:
    """Return the epochs of all trials of an arm: with fidelity of those that go on from what the shorter ones kept.

    One in `keep` goes on to the next rung, and at least one; of those that came early it may be some more.
    """
    if search.fidelity is None:
        return search.trials * train.epochs
    spent, kept, trials = 0, 0, search.trials
    for epochs in search.fidelity.epochs:
        spent += trials * (epochs - kept)
        kept = stable_epochs(train.model_copy(update={"epochs": epochs})) or 0
        trials = max(1, trials // search.fidelity.keep)
    return spent


def share_left(job: Job, home: Home) -> float:
    """Return the share of a job's work that is left to it, as far as it can begin with what is here now."""
    if not job.details.begins or not isinstance(job.settings, TrainSettings):
        return 1.0
    begun = (_epochs_kept(home, other) for other in job.details.begins)
    return 1.0 - next(filter(None, begun), 0) / job.settings.train.epochs


def _epochs_kept(home: Home, job: str) -> int:
    """Return after how many epochs a training kept its state; 0 where it is not there."""
    folder = home.job(job)
    if not any(attempt.branch.is_dir() for attempt in folder.attempts()):
        return 0
    try:
        return stable_epochs(read_job(folder, TrainSettings).settings.train) or 0
    except XpError:
        return 0
