"""What a plan tells and does not refuse: arms that are one training, batches that no part can fill."""

from __future__ import annotations

from tests.plan.conftest import Planner


def test_a_batch_beyond_the_training_part_is_told_with_its_word(plan: Planner) -> None:
    """60 per cent of 1,797 digits, class by class."""
    trained = 1078
    assert plan(f"train.batch_size={trained}").warnings == ()
    told = plan(f"train.batch_size={trained + 1}").warnings
    assert (
        f"train.batch_size (arm original): {trained + 1} is more than the {trained} images of the training part"
        in (told[0].splitlines()[0])
    )
    assert told[0].splitlines()[1] == f"fix: set it to {trained} at most; an epoch is one step as it stands"


def test_a_teachers_own_batch_is_held_against_the_images_too(plan: Planner) -> None:
    told = plan("arms.distilled.teacher.train.batch_size=5000").warnings
    heads = [line.partition(": 5000 is more than")[0] for line in told]
    assert heads == [f"teacher.train.batch_size (arm {arm})" for arm in ("distilled", "distilled_pruned")]


def test_a_larger_split_trains_on_more(plan: Planner) -> None:
    assert plan("train.batch_size=1400", "data.split=80/10/10").warnings == ()
    assert len(plan("train.batch_size=1400").warnings) == 4, "one line for each arm"


def test_arms_that_are_the_same_jobs_are_told(plan: Planner) -> None:
    """An overlay or --set may make two arms one; a title is no part of any job."""
    (line,) = plan("arms.again={extends: sparse}").warnings
    assert line == "arms.again: its runs are the same jobs as those of arm 'sparse'\nfix: change it, or remove it"


def test_arms_of_other_jobs_are_not_told(plan: Planner) -> None:
    assert plan("arms.again={extends: sparse, train.lr: 1.0e-3}").warnings == ()
