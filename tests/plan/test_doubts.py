"""What a plan tells and does not refuse: arms that are one training, batches that no part can fill."""

from __future__ import annotations

from tests.plan.conftest import Planner


def test_a_batch_beyond_the_training_part_is_told_with_its_word(plan: Planner) -> None:
    """60 per cent of 1,797 digits, class by class."""
    trained = 1078
    assert plan(f"train.batch_size={trained}").warnings == ()
    told = plan(f"train.batch_size={trained + 1}").warnings
    assert (
        "train.batch_size (arms original, sparse, distilled, distilled_pruned): "
        f"{trained + 1} is more than the {trained} images of the training part" == told[0].splitlines()[0]
    )
    assert told[0].splitlines()[1] == f"fix: set it to {trained} at most; an epoch is one step as it stands"


def test_a_teachers_own_batch_is_held_against_the_images_too(plan: Planner) -> None:
    told = plan("arms.distilled.teacher.train.batch_size=5000").warnings
    heads = [line.partition(": 5000 is more than")[0] for line in told]
    assert heads == ["teacher.train.batch_size (arms distilled, distilled_pruned)"]


def test_a_larger_split_trains_on_more(plan: Planner) -> None:
    assert plan("train.batch_size=1400", "data.split=80/10/10").warnings == ()
    assert len(plan("train.batch_size=1400").warnings) == 1, "one line for all arms"


def test_arms_of_other_batches_have_lines_of_their_own_and_many_are_counted(plan: Planner) -> None:
    sizes = {"a": 1400, "b": 1400, "c": 1500, "d": 1400, "e": 1400, "f": 1400}
    arms = [
        f"arms.{arm}={{train.batch_size: {size}, train.lr: 0.{at}}}" for at, (arm, size) in enumerate(sizes.items(), 1)
    ]
    heads = [line.partition(" is more than")[0] for line in plan(*arms).warnings]
    assert heads == ["train.batch_size (arms a, b, d, e and 1 more): 1400", "train.batch_size (arm c): 1500"]


def test_arms_that_are_the_same_jobs_are_told(plan: Planner) -> None:
    """An overlay or --set may make two arms one; a title is no part of any job."""
    (line,) = plan("arms.again={extends: sparse}").warnings
    assert line == "arms.again: its runs are the same jobs as those of arm 'sparse'\nfix: change it, or remove it"


def test_arms_of_other_jobs_are_not_told(plan: Planner) -> None:
    assert plan("arms.again={extends: sparse, train.lr: 1.0e-3}").warnings == ()
